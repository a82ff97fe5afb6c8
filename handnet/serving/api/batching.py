"""Photos of requests that arrive together go through the network together."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from handnet.errors import GalleryError
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput

MAX_BATCH = 32
# Compared with the milliseconds that a network takes, waiting so long for company costs little.
WAIT_S = 0.004


class _Job(NamedTuple):
    photos: list[PhotoInput]
    answer: "Future[list[Embedded]]"


class BatchingEncoder:
    """An encoder for many threads: one thread of its own embeds what the others ask for, in batches."""

    def __init__(
        self,
        encoder: PhotoEncoder,
        *,
        max_batch: int = MAX_BATCH,
        wait_s: float = WAIT_S,
        count: Callable[[int], None] = lambda num_photos: None,
    ) -> None:
        """Start the thread.

        Args:
            encoder: the model; called by one thread only.
            max_batch: photos in a batch, unless one request has more.
            wait_s: how long the first photo of a batch waits for others.
            count: called with the number of photos of each batch.
        """
        self.digest, self.width, self.source = encoder.digest, encoder.width, encoder.source
        self._encoder, self._max_batch, self._wait_s, self._count = encoder, max_batch, wait_s, count
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._guard = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="handnet-embed", daemon=True)
        self._thread.start()

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`. Returns when their batch is done.

        Raises:
            GalleryError: the encoder was closed.
        """
        if not photos:
            return []
        job = _Job(list(photos), Future())
        with self._guard:
            if self._closed:
                raise GalleryError("The server is stopping. Try again in a moment.")
            self._jobs.put(job)
        return job.answer.result()

    def close(self) -> None:
        """Finish what was asked for, then stop the thread."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        held: _Job | None = None
        while True:
            first = held if held is not None else self._jobs.get()
            held = None
            if first is None:
                return
            batch, ended = [first], False
            num_photos = len(first.photos)
            deadline_s = time.monotonic() + self._wait_s
            while num_photos < self._max_batch:
                try:
                    job = self._jobs.get(timeout=max(deadline_s - time.monotonic(), 0))
                except queue.Empty:
                    break
                if job is None:
                    ended = True
                    break
                if num_photos + len(job.photos) > self._max_batch:
                    held = job
                    break
                batch.append(job)
                num_photos += len(job.photos)
            self._embed(batch)
            if ended:
                return

    def _embed(self, batch: list[_Job]) -> None:
        photos = [photo for job in batch for photo in job.photos]
        try:
            results = self._encoder.embed(photos)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            # Whoever asked for what the network cannot stand shall not spoil it for the others.
            for job in batch:
                self._embed([job])
            return
        self._count(len(photos))
        place = 0
        for job in batch:
            job.answer.set_result(results[place : place + len(job.photos)])
            place += len(job.photos)
