import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import handnet.files
from handnet.errors import DiskError
from handnet.files import (
    check_free_space,
    remove_leftovers,
    reserve_space,
    write_bytes,
    write_json,
    write_with,
)

ROOT = Path(__file__).resolve().parents[1]


def test_folders_are_made_and_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_bytes(path, b"first")
    write_bytes(path, b"2")
    assert path.read_bytes() == b"2"
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


def test_a_written_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "other").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_writing_in_many_threads_leaves_the_mask_of_the_process_alone(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        threads = [
            threading.Thread(target=lambda k=k: [write_bytes(tmp_path / f"{k}-{i}", b"") for i in range(50)])
            for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)


def test_the_temporary_name_keeps_the_suffixes(tmp_path: Path) -> None:
    names = []
    write_with(tmp_path / "model.weights.h5", lambda temporary: names.append(temporary.name))
    assert names[0].endswith(".weights.h5")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"ne")
        raise error

    with pytest.raises(DiskError if isinstance(error, OSError) else type(error)) as caught:
        write_with(path, write)
    if isinstance(error, OSError):
        assert str(caught.value) == f"Cannot write '{path}': [Errno 28] No space left on device. Is the disk full?"
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_bytes() == b"old"


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    code = (
        "import os, signal; from pathlib import Path; from handnet.files import write_with\n"
        f"write = lambda temporary: temporary.write_bytes(b'ne') and os.kill(os.getpid(), {signal.SIGKILL:d})\n"
        f"write_with(Path({str(path)!r}), write)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("name", ["file.txt/below", "/proc/below"])
def test_a_place_that_cannot_be_written_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_bytes(b"in the way")
    with pytest.raises(DiskError, match=r"^Cannot write '.*below': .*\. Give a folder that can be written\.$"):
        write_bytes(tmp_path / name, b"")
    with pytest.raises(DiskError, match=r"Is the disk full\?$"):
        write_bytes(tmp_path, b"")
    assert (tmp_path / "file.txt").read_bytes() == b"in the way"


def test_json_is_readable_and_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"b": 1.5, "a": [True, None, "ä"]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 1.5, "a": [True, None, "ä"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["b"] == 1.5


def test_free_space_is_that_of_the_nearest_folder_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def disk_usage(path: Path) -> object:
        asked.append(path)
        return type("usage", (), {"free": 1_500_000_000})

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    check_free_space(tmp_path / "not" / "yet", 1_500_000_000)
    assert asked == [tmp_path]
    with pytest.raises(DiskError, match=r"has 1\.5 GB free and about 2\.0 GB are needed\. Free space or give another"):
        check_free_space(tmp_path / "not" / "yet", 2_000_000_000)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match=r"file' is a file, not a folder\. Give a folder that can be written\."):
        check_free_space(tmp_path / "file" / "below", 0)
    monkeypatch.setattr(handnet.files.os, "access", lambda *_: False)
    with pytest.raises(DiskError, match="permission denied"):
        check_free_space(tmp_path, 0)


def test_reserved_space_is_there_or_an_error(tmp_path: Path) -> None:
    reserve_space(tmp_path / "file", 100_000)
    assert (tmp_path / "file").stat().st_size == 100_000
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from pathlib import Path; from handnet.files import reserve_space, write_with\n"
        "from handnet.errors import DiskError\n"
        f"try: write_with(Path({str(tmp_path / 'other')!r}), lambda t: reserve_space(t, 100_000))\n"
        "except DiskError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "other': [Errno 27] File too large. Is the disk full?" in result.stdout, result.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
