"""What a client may ask for: bytes, pixels, photos, requests a second, and how long anything may take."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import NamedTuple

from PIL import Image

from handnet.data.checks import find_header_problem
from handnet.serving.api.problems import Problem

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
# Clients whose rate is remembered: those seen last.
_MAX_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server.

    Attributes:
        max_photo_bytes: of one photo's file.
        max_photo_pixels: width times height of one photo.
        max_photos: in one request.
        max_body_bytes: of one request.
        max_collections: that are served.
        max_concurrent: requests that are worked on at once.
        max_waiting: requests that wait for that; more are told to come back.
        rate_per_s: requests a second of one client, lasting.
        burst: requests of one client at once.
        body_timeout_s: to receive a request.
        work_timeout_s: to answer it.
        stop_timeout_s: to finish accepted requests when the server stops.
    """

    max_photo_bytes: int = 10_000_000
    max_photo_pixels: int = 50_000_000
    max_photos: int = 20
    max_body_bytes: int = 60_000_000
    max_collections: int = 100
    max_concurrent: int = 16
    max_waiting: int = 128
    rate_per_s: float = 50.0
    burst: int = 100
    body_timeout_s: float = 30.0
    work_timeout_s: float = 60.0
    stop_timeout_s: float = 90.0

    def check_photo(self, contents: bytes, number: int) -> None:
        """Refuse a photo that is too large, by its header, nothing decoded.

        Args:
            contents: of the file; what is no photo passes here and is refused by the encoder.
            number: its place in the request, from 1.

        Raises:
            Problem: 413.
        """
        if len(contents) > self.max_photo_bytes:
            raise Problem(
                413, f"Photo {number} has {len(contents):,} bytes; at most {self.max_photo_bytes:,} are accepted."
            )
        if find_header_problem(contents):
            return
        try:
            with Image.open(BytesIO(contents), formats=_FORMATS) as opened:
                width, height = opened.size
        except (OSError, SyntaxError, ValueError):
            return
        if width * height > self.max_photo_pixels:
            raise Problem(
                413,
                f"Photo {number} has {width:,} × {height:,} pixels; at most {self.max_photo_pixels:,} are accepted.",
            )


class _Bucket(NamedTuple):
    left: float
    time_s: float


class RateLimit:
    """A token bucket for each client."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full buckets.

        Args:
            rate_per_s: tokens that come back in a second.
            burst: tokens in a full bucket.
            clock: seconds, never going back.
        """
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._guard = Lock()

    def take(self, client: str) -> None:
        """Take a token.

        Raises:
            Problem: 429, with the seconds to wait.
        """
        with self._guard:
            now_s = self._clock()
            left, before_s = self._buckets.pop(client, _Bucket(float(self._burst), now_s))
            left = min(self._burst, left + (now_s - before_s) * self._rate_per_s)
            self._buckets[client] = _Bucket(max(left - 1, 0.0) if left >= 1 else left, now_s)
            if len(self._buckets) > _MAX_CLIENTS:
                self._buckets.popitem(last=False)
        if left < 1:
            wait_s = max(1, round((1 - left) / self._rate_per_s + 0.5))
            detail = f"Too many requests: {self._rate_per_s:g} a second are answered. Come back in {wait_s} s."
            raise Problem(429, detail, headers={"Retry-After": str(wait_s)})
