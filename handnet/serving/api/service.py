"""What the routes work with: the open collections, a bounded set of threads, keys, limits and counters."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Collection:
    """One open gallery.

    Attributes:
        name: in paths.
        gallery: bound to `encoder`.
        encoder: its model, shared by all threads.
    """

    name: str
    gallery: Gallery
    encoder: BatchingEncoder

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
    """Everything that answers requests.

    Attributes:
        collections: by name.
        limits: of the server.
        keys: API keys; None: none are asked for.
        explorer: of a run's test part, or None.
        figures: counters.
        examples: photos to try the page with, by name.
        backups: folder in which an administrator's backups are made; None: none are.
        hosts: names by which clients may call the server; empty: any.
    """

    collections: Mapping[str, Collection]
    limits: Limits = field(default_factory=Limits)
    keys: KeyFile | None = None
    explorer: Explorer | None = None
    figures: Counters = field(default_factory=Counters)
    examples: Mapping[str, bytes] = field(default_factory=dict)
    backups: Path | None = None
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
        if name not in self.collections:
            raise Problem(404, "There is no collection of this name.")
        return self.collections[name]

    async def work(self, call: Callable[[], Result]) -> Result:
        """Do what takes time in one of the threads.

        Work that was begun is finished, whatever becomes of the client.

        Raises:
            Problem: 503 where too many wait already, 504 where it took too long.
        """
        if self._stopped:
            raise Problem(503, "The server stops.", headers={"Retry-After": "5"})
        if self._num_open >= self.limits.max_concurrent + self.limits.max_waiting:
            raise Problem(503, "Too many requests wait already. Come back in a second.", headers={"Retry-After": "1"})
        self._num_open += 1
        self.figures.open_requests.set(self._num_open)
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        future.add_done_callback(self._end)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.limits.work_timeout_s)
        except TimeoutError:
            raise Problem(
                504,
                f"No answer within {self.limits.work_timeout_s:g} s. A change may be made all the same: look before you "
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

    def _end(self, future: "asyncio.Future[Result] | Future[Result]") -> None:
        self._num_open -= 1
        self.figures.open_requests.set(self._num_open)
        if not future.cancelled():
            # Of work that nobody waits for any more the error is nobody's; asking for it keeps asyncio from complaining.
            future.exception()


def get_service(request: Request) -> Service:
    """Return the service of an application."""
    service: Service = request.app.state.service
    return service
