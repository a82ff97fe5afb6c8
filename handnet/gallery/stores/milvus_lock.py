"""One writer at a time on a server that has no locks: Lamport's bakery, with claims that expire.

Reference:
    Lamport, A New Solution of Dijkstra's Concurrent Programming Problem, CACM 17(8), 1974. What it takes is that a row that
    was written is seen by everybody who reads afterwards (consistency level Strong).
"""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from handnet.errors import GalleryError
from handnet.gallery.stores.milvus_client import Server

# A writer that has not finished after so long is taken for dead; the clocks of all writers must agree to a few seconds.
CLAIM_S = 300.0
_POLL_S = 0.05


class _Claim(NamedTuple):
    token: str
    ticket: int
    until: float


class WriterLock:
    """Excludes writers from each other. While it is held, `check` says whether it still is."""

    def __init__(self, server: Server, width: int, wait_s: float) -> None:
        """Prepare.

        Args:
            server: of the gallery.
            width: D, since every row has a vector.
            wait_s: how long to wait for another writer.
        """
        self._server, self._width, self._wait_s = server, width, wait_s
        self._token = secrets.token_hex(8)
        self._until = 0.0
        self._ticket = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the turn, and hold it.

        Raises:
            GalleryError: another writer did not finish in time.
        """
        deadline = time.monotonic() + self._wait_s
        try:
            # A claim is lost with a collection that was replaced meanwhile.
            while not self._take_turn(deadline):
                self._check_deadline(deadline)
            yield
        finally:
            # Where the server is gone the claim expires by itself; the error that matters is the first.
            with suppress(GalleryError):
                self._server.delete(f"key == 'claim/{self._token}'")

    def check(self) -> None:
        """Raise GalleryError where the claim has expired, after which others may write."""
        if time.time() > self._until - CLAIM_S / 10:
            raise GalleryError(
                f"Writing took longer than {CLAIM_S:.0f} s, so nothing was changed. Repeat in smaller parts."
            )

    def renew(self) -> None:
        """Keep the turn for another while, in the middle of something long; raises GalleryError where it has expired."""
        self.check()
        if self._until - time.time() < CLAIM_S / 2:
            self._until = time.time() + CLAIM_S
            self._write(self._ticket)

    def _take_turn(self, deadline: float) -> bool:
        """Draw a ticket and wait for the turn; false where the claim was lost."""
        self._until = time.time() + CLAIM_S
        # Ticket 0: about to draw one.
        self._write(0)
        self._ticket = ticket = 1 + max((claim.ticket for claim in self._read()), default=0)
        self._write(ticket)
        while True:
            claims = self._read()
            if not any(claim.token == self._token for claim in claims):
                return False
            others = [claim for claim in claims if claim.token != self._token]
            if not any(claim.ticket == 0 or (claim.ticket, claim.token) < (ticket, self._token) for claim in others):
                return True
            if time.monotonic() > deadline:
                raise GalleryError(
                    f"Another program has been writing for {self._wait_s:g} s. Wait for it, then repeat."
                )
            time.sleep(_POLL_S)

    def _check_deadline(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise GalleryError(f"Another program has been writing for {self._wait_s:g} s. Wait for it, then repeat.")

    def _write(self, ticket: int) -> None:
        self._server.upsert(
            {
                "key": f"claim/{self._token}",
                "kind": "claim",
                "item": self._token,
                "owner": "",
                "mark": "",
                "batch": 0,
                "body": json.dumps([ticket, self._until]),
                "vector": [0.0] * self._width,
            }
        )

    def _read(self) -> list[_Claim]:
        claims = [
            _Claim(row["item"], *json.loads(row["body"]))
            for row in self._server.query("kind == 'claim'", ("item", "body"))
        ]
        dead = [claim.token for claim in claims if claim.until < time.time()]
        self._server.delete_in("", "key", [f"claim/{token}" for token in dead])
        return [claim for claim in claims if claim.token not in dead]
