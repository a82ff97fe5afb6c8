"""What the routes work with: the open collections, a bounded set of threads, keys, limits and counters."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from fastapi import Request

from handnet.gallery import Gallery
from handnet.gallery.records import Person
from handnet.serving.api.batching import BatchingEncoder
from handnet.serving.api.counters import Counters
from handnet.serving.api.explorer import Explorer
from handnet.serving.api.keys import KeyFile
from handnet.serving.api.limits import Limits, RateLimit
from handnet.serving.api.problems import Problem

Result = TypeVar("Result")
# Between looks whether a collection that is to be deleted is still worked with.
_POLL_S = 0.02


@dataclass(slots=True, eq=False)
class Collection:
    """One open gallery.

    Attributes:
        name: in paths.
        gallery: bound to `encoder`.
        encoder: its model, shared by all threads.
        num_open: requests that work with it.
        is_ending: it is being deleted: no request may begin to work with it.
    """

    name: str
    gallery: Gallery
    encoder: BatchingEncoder
    num_open: int = 0
    is_ending: bool = False

    def find(self, person: str) -> Person:
        """Return a person by id.

        Raises:
            Problem: 404.
        """
        found = self.gallery.find_person(person)
        if found is None:
            raise Problem(404, "Nobody has this id.")
        return found


@dataclass(slots=True)
class Service:
    """Everything that answers requests. Only the event loop's thread changes `collections` and what a collection counts.

    Attributes:
        collections: by name.
        limits: of the server.
        keys: API keys; None: none are asked for.
        explorer: of a run's test part, or None.
        figures: counters.
        examples: photos to try the page with, by name.
        backups: folder in which an administrator's backups are made; None: none are.
        root: folder in which an administrator's collections are made; None: none are.
        hosts: names by which clients may call the server; empty: any.
    """

    collections: dict[str, Collection]
    limits: Limits = field(default_factory=Limits)
    keys: KeyFile | None = None
    explorer: Explorer | None = None
    figures: Counters = field(default_factory=Counters)
    examples: Mapping[str, bytes] = field(default_factory=dict)
    backups: Path | None = None
    root: Path | None = None
    hosts: frozenset[str] = frozenset()
    rates: RateLimit = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _num_open: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.rates = RateLimit(self.limits.rate_per_s, self.limits.burst)
        self._pool = ThreadPoolExecutor(self.limits.max_concurrent, "handnet-work")

    @property
    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return not self._stopped

    def find_collection(self, name: str) -> Collection:
        """Return a collection.

        Raises:
            Problem: 404.
        """
        found = self.collections.get(name)
        if found is None or found.is_ending:
            raise Problem(404, "There is no collection of this name.")
        return found

    def list_collections(self) -> Sequence[Collection]:
        """Return the collections that requests may work with."""
        return [row for row in self.collections.values() if not row.is_ending]

    async def create_collection(self, name: str, like: str, *, keep_photos: bool, review: str) -> Collection:
        """Make an empty collection in the root folder and serve it.

        Args:
            name: of the collection and of its folder; the caller has checked its characters.
            like: of the collection whose model, calibrations and key it gets.
            keep_photos: keep the bytes of enrolled photos.
            review: level of the review at enrolment.

        Raises:
            Problem: 404 no collection to take the model from, 409 no root folder, or the name is taken.
            DiskError: the folder cannot be written.
        """
        model = self.find_collection(like)
        if self.root is None:
            raise Problem(409, "This server cannot create collections: it was started without --root DIR.")
        folder = self.root / name
        # Names that differ in case alone are one folder on some disks.
        taken = {row.casefold() for row in self.collections}
        if name.casefold() in taken or os.path.lexists(folder):
            raise Problem(409, "There is a collection or a folder of this name already.")
        if len(self.collections) >= self.limits.max_collections:
            raise Problem(409, f"At most {self.limits.max_collections} collections are served. Delete one first.")
        loop = asyncio.get_running_loop()

        def make() -> Collection:
            gallery = model.gallery.create_like(folder, keep_photos=keep_photos, review=review)
            gallery.bind(model.encoder)
            made = Collection(name, gallery, model.encoder)
            # It is served even if the client does not wait for it.
            loop.call_soon_threadsafe(self.collections.__setitem__, name, made)
            return made

        return await self.work(make, model)

    async def delete_collection(self, found: Collection) -> None:
        """Delete a collection for good, once nobody works with it.

        Raises:
            Problem: 409 for the last one, 503 where work with it does not end.
            GalleryError: another process has it open; it is served as before.
            DiskError: its folder cannot be written; likewise.
        """
        if len(self.list_collections()) == 1:
            raise Problem(
                409, "The last collection cannot be deleted: new collections take their model from an existing one."
            )
        found.is_ending = True
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self.limits.work_timeout_s
        while found.num_open:
            if loop.time() > deadline_s:
                found.is_ending = False
                raise Problem(503, "Requests are still using this collection. Nothing was deleted.")
            await asyncio.sleep(_POLL_S)

        def delete() -> None:
            is_deleted = False
            try:
                found.gallery.delete()
                is_deleted = True
            finally:
                loop.call_soon_threadsafe(self._end_deletion, found, is_deleted)

        try:
            await self.work(delete)
        except Problem as problem:
            # Turned away before it began; after a time-out it goes on.
            if problem.status_code == 503:
                found.is_ending = False
            raise

    async def work(self, call: Callable[[], Result], *used: Collection) -> Result:
        """Do what takes time in one of the threads.

        Work that was begun is finished, whatever becomes of the client.

        Args:
            call: what to do.
            used: the collections that it works with.

        Raises:
            Problem: 404 where a collection is being deleted, 503 where too many wait already, 504 where it took too long.
        """
        if any(row.is_ending for row in used):
            raise Problem(404, "There is no collection of this name.")
        if self._stopped:
            raise Problem(503, "The server is stopping.", headers={"Retry-After": "5"})
        if self._num_open >= self.limits.max_concurrent + self.limits.max_waiting:
            raise Problem(503, "Too many requests are waiting. Try again in a second.", headers={"Retry-After": "1"})
        self._count(1, used)
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        future.add_done_callback(partial(self._end, used))
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.work_timeout_s)
        except TimeoutError:
            raise Problem(
                504,
                f"No answer within {self.limits.work_timeout_s:g} s. A change may still be made: check before you "
                "repeat it.",
            ) from None

    def stop(self) -> None:
        """Finish accepted work, then close encoders and galleries."""
        self._stopped = True
        self._pool.shutdown(wait=True)
        for encoder in {id(row.encoder): row.encoder for row in self.collections.values()}.values():
            encoder.close()
        for collection in self.collections.values():
            collection.gallery.close()

    def _end_deletion(self, found: Collection, is_deleted: bool) -> None:
        found.is_ending = is_deleted
        if not is_deleted:
            return
        del self.collections[found.name]
        self.figures.forget_collection(found.name)
        if all(row.encoder is not found.encoder for row in self.collections.values()):
            found.encoder.close()

    def _count(self, step: int, used: Sequence[Collection]) -> None:
        self._num_open += step
        self.figures.open_requests.set(self._num_open)
        for row in used:
            row.num_open += step

    def _end(self, used: Sequence[Collection], future: "asyncio.Future[Result] | Future[Result]") -> None:
        self._count(-1, used)
        if not future.cancelled():
            # Of work that nobody waits for any more the error is nobody's; asking for it keeps asyncio from complaining.
            future.exception()


def get_service(request: Request) -> Service:
    """Return the service of an application."""
    service: Service = request.app.state.service
    return service
