import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import handnet.files
from handnet.errors import DiskError
from handnet.files import (
    check_free_space,
    hold_lock,
    new_folder,
    read_json,
    remove_leftovers,
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
        assert str(caught.value) == f"Cannot write '{path}': No space left on device. Is the disk full?"
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


def test_what_a_killed_process_left_goes_with_the_next_write_and_what_a_live_one_writes_stays(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from handnet.files import new_folder, write_with\n"
        f"with new_folder(Path({str(tmp_path / 'folder')!r})) as folder:\n"
        f"    write_with(Path({str(tmp_path / 'a')!r}), lambda _: os.kill(os.getpid(), {signal.SIGKILL:d}))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "a temporary folder of each"

    def write_other(temporary: Path) -> None:
        write_bytes(tmp_path / "b", b"while the other is being written")
        temporary.write_bytes(b"whole")

    write_with(tmp_path / "a", write_other)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_a_file_that_its_writer_locks_can_be_written(tmp_path: Path) -> None:
    # HDF5 does.
    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    write_with(tmp_path / "file.h5", write)


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
        return type("usage", (), {"free": 1_500_000_000, "total": 2_000_000_000})

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    check_free_space(tmp_path / "not" / "yet", 1_500_000_000)
    assert asked == [tmp_path]
    with pytest.raises(DiskError, match=r"has 1\.5 GB free and about 2\.0 GB are needed\. Free space or give another"):
        check_free_space(tmp_path / "not" / "yet", 2_000_000_000)
    # Not "0.0 GB free and about 0.0 GB are needed".
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 400_000, "total": 2_000_000_000}))
    with pytest.raises(DiskError, match=r"has 0\.4 MB free and about 37 MB are needed\."):
        check_free_space(tmp_path, 37_000_000)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match=r"file' is a file, not a folder\. Give a folder that can be written\."):
        check_free_space(tmp_path / "file" / "below", 0)
    monkeypatch.setattr(handnet.files.os, "access", lambda *_: False)
    with pytest.raises(DiskError, match="permission denied"):
        check_free_space(tmp_path, 0)
    mounted = type("status", (), {"f_flag": os.ST_RDONLY})
    monkeypatch.setattr(handnet.files.os, "statvfs", lambda _: mounted)
    with pytest.raises(DiskError, match="read-only file system"):
        check_free_space(tmp_path, 0)


# Locks

HOLD = """
import sys
from pathlib import Path
from handnet.files import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(path: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLD, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_second_process_is_told_who_writes_until_it_ends(end: str, tmp_path: Path) -> None:
    path = tmp_path / "runs/mine"
    holder = start_holder(path)
    try:
        with pytest.raises(DiskError) as caught, hold_lock(path):
            pytest.fail("two processes hold one lock")
        assert str(caught.value).startswith(f"Another process (number {holder.pid}) is writing {str(path)!r}. Wait")
        with hold_lock(tmp_path / "runs/other"):
            pass
    finally:
        if end == "killed":
            holder.kill()
        holder.communicate()
    with hold_lock(path):
        assert not path.exists(), "only the lock is made"
    assert not list(tmp_path.rglob(".*.lock")), "and is removed"


def test_the_lock_ends_with_an_error_in_the_block_and_leaves_no_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), hold_lock(tmp_path / "new/folder/a"):
        raise ValueError("mine")
    assert not (tmp_path / "new").exists()
    with hold_lock(tmp_path / "new/folder/a"):
        (tmp_path / "new/letter").write_text("written meanwhile")
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "letter"]


def test_a_file_system_without_locks_is_written_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with hold_lock(tmp_path / "a"):
        pass


def test_many_threads_never_hold_one_lock_together(tmp_path: Path) -> None:
    inside, most, done = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, done
        while True:
            try:
                with hold_lock(tmp_path / "a"):
                    inside += 1
                    most = max(most, inside)
                    time.sleep(0.001)
                    inside -= 1
                    done += 1
                    return
            except DiskError:
                time.sleep(0.001)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, done) == (1, 20)


def test_a_disk_without_permissions_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_place_without_a_disk_is_not_called_full() -> None:
    line = r"^Cannot write in '/proc': it is not on a disk\. Give a folder that can be written\.$"
    with pytest.raises(DiskError, match=line):
        check_free_space(Path("/proc/hands"), 20_000_000)


def test_a_read_only_disk_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DiskError, match="permission denied"):
        check_free_space(Path("/tmp"), 1)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(DiskError, match="read-only file system"):
        check_free_space(Path("/tmp"), 1)


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    with new_folder(target) as part:
        (part / "file").write_bytes(b"whole")
        assert not target.exists()
    assert (target / "file").read_bytes() == b"whole"
    assert target.stat().st_mode & 0o044 == target.parent.stat().st_mode & 0o044, "as readable as any other folder"
    assert [path.name for path in target.parent.iterdir()] == ["b"]

    def stop() -> None:
        with new_folder(tmp_path / "c" / "way" / "there") as part:
            (part / "file").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    with pytest.raises(DiskError, match=r"Cannot write '.*d': .*Is the disk full\?"), new_folder(tmp_path / "d"):
        raise OSError(28, "No space left on device")
    with pytest.raises(DiskError, match="Cannot write .*Is the disk full"), new_folder(target):
        pass
    with (
        pytest.raises(DiskError, match="Cannot write .*Give a folder that can be written"),
        new_folder(target / "file" / "x"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (target / "file").read_bytes() == b"whole"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_lock_where_no_file_can_be_made_is_one_line_and_no_endless_loop() -> None:
    line = "Cannot write '/proc/hands': .*Give a folder that can be written"
    with pytest.raises(DiskError, match=line), hold_lock(Path("/proc/hands")):
        pass


def test_a_full_disk_is_said_in_the_words_of_the_system(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        raise OSError(
            28, f"Can't synchronously write data (filename = {str(path)!r}, buf = 0x55d35e8527c0, offset = 8192)"
        )

    with pytest.raises(DiskError) as error:
        write_with(tmp_path / "w.h5", write)
    assert str(error.value) == f"Cannot write {str(tmp_path / 'w.h5')!r}: No space left on device. Is the disk full?"


@pytest.mark.parametrize(
    ("text", "why"),
    [("[" * 100_000, "nested too deeply"), ("[]", "found a list"), ("{", "Expecting property name")],
)
def test_what_is_no_json_object_is_refused_in_words(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        read_json(path)
