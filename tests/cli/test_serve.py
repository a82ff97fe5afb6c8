"""`handnet serve`: whom it lets in, its keys, and a process that serves and stops."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from handnet.cli._gallery import Place
from handnet.cli.serve import serve
from handnet.errors import ConfigError, GalleryError, HandnetError
from handnet.gallery import Gallery
from handnet.serving.api.keys import KeyFile
from tests.gallery.conftest import find_port
from tests.gallery.simulated import SimulatedEncoder, fit_simulated

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("fastapi") is None, reason="FastAPI is not installed: pip install 'handnet[serve]'"
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    Gallery.create(tmp_path / "people", SimulatedEncoder(), fit_simulated(20)).close()
    return tmp_path / "people"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(serve, [str(part) for part in arguments])
    if isinstance(result.exception, HandnetError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_keys_are_made_listed_and_revoked(gallery: Path) -> None:
    key = run(gallery, "--add-key", "enrol").strip()
    file = KeyFile(gallery / "api_keys.json")
    found = file.find(key)
    assert found is not None
    assert run(gallery, "--list-keys").split()[:2] == [found.id, "enrol"]
    run(gallery, "--revoke-key", found.id)
    assert file.find(key) is None
    with pytest.raises(ConfigError, match="admin"):
        run(gallery, "--add-key", "owner")


def test_a_key_is_made_for_a_gallery_that_there_is(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="There is no gallery in"):
        run(tmp_path / "mistyped", "--add-key", "read")
    assert not (tmp_path / "mistyped").exists()


def test_other_machines_need_keys(gallery: Path) -> None:
    with pytest.raises(ConfigError, match="--add-key admin"):
        run(gallery, "--host", "0.0.0.0")


def test_a_file_of_keys_that_is_named_must_hold_one(gallery: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        # Without the refusal it would be the port that is in the way.
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"There is no API key in '.*mistyped\.json'"):
            run(gallery, "--keys", tmp_path / "mistyped.json", "--port", taken.getsockname()[1])


def test_a_port_that_is_taken_is_one_line(gallery: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="Give another --port"):
            run(gallery, "--port", taken.getsockname()[1])


def test_a_folder_of_galleries_has_keys_of_its_own(gallery: Path) -> None:
    root = gallery.parent
    run("--root", root, "--add-key", "admin")
    assert (root / "api_keys.json").exists()
    assert not (gallery / "api_keys.json").exists()


def test_what_cannot_be_served_is_one_line(gallery: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--root DIR"):
        run()
    with pytest.raises(ConfigError, match="create --store"):
        run("--root", tmp_path, "--store", "milvus+http://127.0.0.1:1")
    with pytest.raises(GalleryError, match="There is no folder"):
        run("--root", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GalleryError, match="There is no gallery in .*empty"):
        run("--root", tmp_path / "empty")


def test_the_folder_one_is_in_has_a_name(gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(gallery)
    assert Place(".", "", None).name == "people"
    assert Place("people", "milvus+http://127.0.0.1:19530", None).name == "people"


PROCESS = """
import sys
import handnet.cli._gallery
from tests.serving.api.hands import PhotoEncoder
handnet.cli._gallery.load_model = lambda source: PhotoEncoder()
from handnet.cli.main import main
sys.argv = ["handnet", "serve", "--root", sys.argv[1], "--port", sys.argv[2], "--access-log"]
main()
"""


@pytest.mark.slow
def test_a_process_serves_and_stops_when_it_is_told(gallery: Path) -> None:
    httpx = pytest.importorskip("httpx")
    port = find_port()
    command = [sys.executable, "-c", PROCESS, str(gallery.parent), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        deadline_s = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/v1/collections").json()[0]["name"] == "people"
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
        assert httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "evil.example"}).status_code == 421
        os.kill(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert f"http://127.0.0.1:{port}/" in out
    assert "finished" in out
    assert "GET /v1/collections 200" in err
