"""A calibration that all tests share, galleries of simulated people, and a Milvus server where one is installed."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from handnet.gallery import Gallery, pairings
from handnet.gallery.pairings import Matching
from tests.gallery.simulated import SimulatedEncoder, fit_simulated, take_photo
from tests.gallery.world import world

__all__ = ["world"]


@pytest.fixture(autouse=True, scope="session")
def calibration_packed_once() -> Iterator[None]:
    """The same calibration is compressed for each gallery that is made: longer than all else of making it."""
    pack, packed = pairings._pack, dict[bytes, str]()

    def look_up(values: npt.NDArray[np.float32]) -> str:
        contents = values.tobytes()
        if contents not in packed:
            packed[contents] = pack(values)
        return packed[contents]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairings, "_pack", look_up)
        yield


@pytest.fixture(scope="session")
def matching() -> Matching:
    return fit_simulated(60)


@pytest.fixture
def gallery(tmp_path: Path, matching: Matching) -> Iterator[Gallery]:
    """An empty gallery in a folder."""
    with Gallery.create(tmp_path / "gallery", SimulatedEncoder(), matching) as made:
        yield made


@pytest.fixture
def people(gallery: Gallery) -> Gallery:
    """The same with six people, one palm each."""
    for person in range(6):
        gallery.add(f"Person {person}", take_photo(person, "palmar"))
    return gallery


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start `milvus-lite server` in a process of its own and wait until it answers."""
    program = Path(sys.executable).with_name("milvus-lite")
    command = [str(program), "server", "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    server.kill()
    raise TimeoutError("milvus-lite server did not start")


def need_milvus() -> None:
    program = Path(sys.executable).with_name("milvus-lite")
    if importlib.util.find_spec("pymilvus") is None or not program.exists():
        pytest.skip("pymilvus and milvus-lite are not installed: pip install 'handnet[milvus]'")


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a running server, and the folder of its files."""
    need_milvus()
    folder, port = tmp_path_factory.mktemp("milvus"), find_port()
    server = start_server(folder, port)
    yield f"milvus+http://127.0.0.1:{port}", folder
    server.terminate()
    server.wait(timeout=30)
