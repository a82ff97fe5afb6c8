"""Batches, many requests at once, time-outs, and stopping."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from handnet.errors import GalleryError
from handnet.gallery.photo_encoder import Embedded, PhotoInput
from handnet.serving.api.batching import BatchingEncoder
from handnet.serving.api.limits import Limits
from handnet.serving.api.problems import Problem
from tests.gallery.conftest import find_port
from tests.gallery.simulated import SimulatedEncoder, draw_vector, take_photo
from tests.serving.api.hands import draw, make_service


class SlowEncoder(SimulatedEncoder):
    """Waits for `gate`, notes the size of each batch, and fails on what says `poison`."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.sizes = threading.Event(), list[int]()

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        self.gate.wait(10)
        self.sizes.append(len(photos))
        if b"poison" in photos:
            raise RuntimeError("poison")
        return super().embed(photos)


def test_requests_that_come_together_go_together_and_each_gets_its_own() -> None:
    inner = SlowEncoder()
    encoder = BatchingEncoder(inner, max_batch=8)
    with ThreadPoolExecutor(12) as pool:
        # The first goes alone or with few; those behind it are collected while it is worked on.
        asked = [pool.submit(encoder.embed, [take_photo(person), take_photo(person, shot=1)]) for person in range(12)]
        time.sleep(0.2)
        inner.gate.set()
        for person, future in enumerate(asked):
            for shot, result in enumerate(future.result(10)):
                assert result.vector is not None
                assert (result.vector == draw_vector(person, shot=shot)).all()
    encoder.close()
    assert sum(inner.sizes) == 24
    assert max(inner.sizes) == 8
    assert len(inner.sizes) <= 4


def test_one_request_that_fails_does_not_spoil_its_batch() -> None:
    inner = SlowEncoder()
    encoder = BatchingEncoder(inner)
    with ThreadPoolExecutor(3) as pool:
        good, bad, other = (pool.submit(encoder.embed, [photo]) for photo in (take_photo(1), b"poison", take_photo(2)))
        time.sleep(0.2)
        inner.gate.set()
        with pytest.raises(RuntimeError, match="poison"):
            bad.result(10)
        assert good.result(10)[0].vector is not None
        assert other.result(10)[0].vector is not None
    encoder.close()


def test_a_closed_encoder_finishes_and_refuses() -> None:
    inner = SlowEncoder()
    encoder = BatchingEncoder(inner)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(encoder.embed, [take_photo(1)])
        time.sleep(0.1)
        threading.Timer(0.2, inner.gate.set).start()
        encoder.close()
        assert future.result(1)[0].vector is not None
    with pytest.raises(GalleryError, match="is stopping"):
        encoder.embed([take_photo(1)])


def test_work_that_takes_too_long_or_waits_in_too_long_a_line_is_refused(tmp_path: Path) -> None:
    limits = Limits(max_concurrent=1, max_waiting=1, work_timeout_s=0.2)
    service = make_service(tmp_path, limits=limits, people=1)
    gate, done = threading.Event(), list[int]()

    def work(number: int) -> int:
        gate.wait(10)
        done.append(number)
        return number

    async def ask() -> list[object]:
        asked = [asyncio.ensure_future(service.work(lambda number=number: work(number))) for number in range(3)]  # type: ignore[misc]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(ask_and_open(ask, gate))
    codes = [answer.status_code if isinstance(answer, Problem) else 0 for answer in answers]
    assert codes == [504, 504, 503]
    service.stop()
    # What was accepted was done all the same.
    assert done == [0, 1]


async def ask_and_open(ask: object, gate: threading.Event) -> list[object]:
    answers = await ask()  # type: ignore[operator]
    gate.set()
    return list(answers)


SERVER = """
import pathlib, sys, time
from handnet.serving.api.server import listen, run_server
from tests.serving.api.hands import PhotoEncoder, make_service
service = make_service(pathlib.Path(sys.argv[1]), people=1)
embed = PhotoEncoder.embed
PhotoEncoder.embed = lambda self, photos: (time.sleep(1.5), embed(self, photos))[1]
bound = listen("127.0.0.1", int(sys.argv[2]))
run_server(service, bound)
print("stopped")
"""


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_finishes_what_it_accepted(tmp_path: Path) -> None:
    port = find_port()
    command = [sys.executable, "-c", SERVER, str(tmp_path), str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[3])
    try:
        base = f"http://127.0.0.1:{port}"
        deadline_s = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{base}/v1/ready").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
        with ThreadPoolExecutor(1) as pool:
            photo = [("photos", ("a.jpg", draw(9)))]
            enrolling = pool.submit(
                httpx.post, f"{base}/v1/collections/hands/people", files=photo, data={"name": "Last"}, timeout=30
            )
            time.sleep(0.7)
            os.kill(server.pid, signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{base}/v1/ready", timeout=2)
            assert enrolling.result().status_code == 201
        assert server.communicate(timeout=30)[0].strip() == "stopped"
    finally:
        server.kill()
        server.wait()
