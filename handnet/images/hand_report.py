"""What a photo shows: is there a hand, where, which one, which side of it, and which pixels. For people, not for crops."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.data.checks import clean_jpeg, find_header_problem, needs_pillow, read_photo
from handnet.data.example import SIDES, VIEWS
from handnet.images.decode import decode_at_least, orient
from handnet.images.hand.findings import CUT_OFF, FINDINGS, NONE, ONE, SEVERAL
from handnet.images.hand.front_end import NUM_LANDMARKS, find_hands
from handnet.images.hand.landmark_crop import is_on_plain_ground
from handnet.images.hand.landmark_mask import lay_on_photo, segment_by_landmarks
from handnet.images.hand.presence import judge_finding
from handnet.images.hand.quality import measure_quality
from handnet.images.hand.quality_rule import LIMITS, Verdict, rate_photo
from handnet.images.hand.regions import halve_photo
from handnet.images.hand_models.model_files import find_models_folder
from handnet.images.hand_models.models import HandModels, share_hand_models
from handnet.images.orientation import read_orientation
from handnet.images.pillow_decode import decode_with_pillow
from handnet.images.traced_once import trace_once

# A file, the bytes of one, or an upright photo (H, W, 3).
Photo: TypeAlias = str | Path | bytes | npt.NDArray[np.uint8]

__all__ = ["CUT_OFF", "FINDINGS", "NONE", "ONE", "SEVERAL", "HandReport", "Photo", "look_at_photos"]

# A photo is looked at with its longer side at this or above, up to twice as large.
PICTURE_PX = 768
DAMAGED = "damaged or truncated: it cannot be decoded whole"


class HandReport(NamedTuple):
    """What one photo shows.

    Attributes:
        problem: "" or why the photo cannot be used; all else is empty then.
        finding: `ONE`, `NONE`, `SEVERAL` or `CUT_OFF`; `FINDINGS` has the words.
        found: there is a hand. What follows is that of the surest one, and means nothing where there is none.
        score: 0..1, how sure it is that there is a hand.
        landmarks: float32 (21, 2) as (y, x) in pixels of the upright photo at its full size: the wrist, then the thumb and the
            four fingers, each from its root to its tip.
        side: "left" or "right".
        side_confidence: its probability, 0.5..1.
        view: "dorsal" or "palmar".
        view_confidence: its probability, 0.5..1.
        shape_px: height and width of the upright photo.
        picture: uint8 (h, w, 3), the upright photo, shrunk so that its longer side is below 1,536 pixels.
        mask: bool (h, w), which of the picture's pixels are the hand.
        measures: a value for each of `LIMITS` in `handnet.images.hand.quality_rule`: sharpness, brightness and so on.
        plain: the hand lies on a plain ground: by colour alone the same hand is found as by the landmarks.
    """

    problem: str
    finding: int
    found: bool
    score: float
    landmarks: npt.NDArray[np.float32]
    side: str
    side_confidence: float
    view: str
    view_confidence: float
    shape_px: tuple[int, int]
    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    measures: dict[str, float]
    plain: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the photo is good, usable or to be refused, and why in plain words."""
        return rate_photo(self.problem, self.finding, self.measures)

    @property
    def picture_landmarks(self) -> npt.NDArray[np.float32]:
        """The landmarks in pixels of `picture`."""
        scale = np.array(self.picture.shape[:2]) / np.array(self.shape_px)
        return ((self.landmarks + 0.5) * scale - 0.5).astype(np.float32)


def look_at_photos(photos: Iterable[Photo], models_folder: Path | None = None) -> Iterator[HandReport]:
    """Look for the hand in photos, several at a time, on any background.

    Args:
        photos: files, their bytes, or upright photos, uint8 (H, W, 3); read as they are needed.
        models_folder: that holds the hand models, by default that of `find_models_folder`.

    Yields:
        One report for each photo, in order. A photo that cannot be read has its `problem`; nothing is raised for it. Only a
        few reports exist at a time: keep what you need of one, not the pictures of all.

    Raises:
        WeightsError: the hand models are missing; the message says how to fetch them.
    """
    look = _build_look(models_folder or find_models_folder())
    workers = os.cpu_count() or 1
    waiting: deque[Future[HandReport]] = deque()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for photo in photos:
                waiting.append(pool.submit(look, photo))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@cache
def _build_look(models_folder: Path) -> Callable[[Photo], HandReport]:
    """Return a function, for any thread, from one photo to its report."""
    models = share_hand_models(models_folder)

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    def look_at_bytes(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        return look_at_contents(contents, models)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def look_at_pixels(photo: tf.Tensor) -> dict[str, tf.Tensor]:
        return _look(photo, tf.shape(photo)[:2], models)

    def look(photo: Photo) -> HandReport:
        if isinstance(photo, np.ndarray):
            return _make_report(look_at_pixels(tf.constant(photo, tf.uint8)))
        contents, problem = (photo, "") if isinstance(photo, bytes) else read_photo(str(photo))
        if problem := problem or find_header_problem(contents):
            return _make_empty(problem)
        contents, problem = clean_jpeg(contents)
        if problem:
            return _make_empty(problem)
        try:
            if needs_pillow(contents):
                return _make_report(look_at_pixels(tf.constant(decode_with_pillow(contents))))
            return _make_report(look_at_bytes(tf.constant(contents)))
        except (tf.errors.InvalidArgumentError, ValueError):
            return _make_empty(DAMAGED)

    return look


def look_at_contents(contents: tf.Tensor, models: HandModels) -> dict[str, tf.Tensor]:
    """Return what a photo shows, in a graph, from the bytes of its file, a scalar string.

    Returns:
        The fields of a report by name, `right` and `palmar` (probabilities) in the place of side and view, `measures` in the
        order of LIMITS.
    """
    orientation = read_orientation(contents)
    is_jpeg = tf.equal(tf.strings.substr(contents, 0, 3), b"\xff\xd8\xff")
    photo = decode_at_least(contents, PICTURE_PX)
    # As it is stored: turned upright, height and width may be exchanged.
    stored = tf.cond(is_jpeg, lambda: tf.io.extract_jpeg_shape(contents)[:2], lambda: tf.shape(photo)[:2])
    shape = tf.where(orientation > 4, stored[::-1], stored)
    return _look(orient(photo, orientation), shape, models)


@trace_once
def _look(photo: tf.Tensor, shape: tf.Tensor, models: HandModels) -> dict[str, tf.Tensor]:
    """Return the fields of a report for an upright photo (H, W, 3), a copy of one of `shape`, perhaps shrunk."""
    longer = tf.cast(tf.reduce_max(tf.shape(photo)[:2]), tf.float32)
    picture, _ = halve_photo(tf.cast(photo, tf.float32), lambda scale: longer * scale >= 2 * PICTURE_PX)
    size = tf.shape(picture)[:2]
    hands = find_hands(picture, models, 2)
    placed = segment_by_landmarks(picture, hands.landmarks[0])
    scale = tf.cast(shape, tf.float32) / tf.cast(size, tf.float32)
    return {
        "finding": judge_finding(hands, size),
        "found": hands.found[0],
        "score": hands.score[0],
        "landmarks": (hands.landmarks[0] + 0.5) * scale - 0.5,
        "right": hands.right[0],
        "palmar": hands.palmar[0],
        "shape_px": shape,
        "picture": tf.cast(tf.round(picture), tf.uint8),
        "mask": lay_on_photo(placed, size) & hands.found[0],
        "measures": tf.stack([value[0] for value in measure_quality(picture, hands)]),
        "plain": is_on_plain_ground(picture, hands.landmarks[0], placed) & hands.found[0],
    }


def _make_report(fields: dict[str, Any]) -> HandReport:
    values = {name: value.numpy() for name, value in fields.items()}
    right, palmar = float(values["right"]), float(values["palmar"])
    return HandReport(
        "",
        int(values["finding"]),
        bool(values["found"]),
        float(values["score"]),
        values["landmarks"],
        SIDES[int(right > 0.5)],
        max(right, 1.0 - right),
        VIEWS[int(palmar > 0.5)],
        max(palmar, 1.0 - palmar),
        (int(values["shape_px"][0]), int(values["shape_px"][1])),
        values["picture"],
        values["mask"],
        dict(zip(LIMITS, values["measures"].tolist(), strict=True)),
        bool(values["plain"]),
    )


def _make_empty(problem: str) -> HandReport:
    points = np.zeros((NUM_LANDMARKS, 2), np.float32)
    picture, mask = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.bool_)
    return HandReport(problem, NONE, False, 0.0, points, SIDES[0], 0.5, VIEWS[0], 0.5, (1, 1), picture, mask, {})
