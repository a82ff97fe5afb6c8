"""Files that are written whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from handnet.errors import DiskError

if sys.platform != "win32":
    import fcntl

_TEMPORARY = ".part-"
_LOCK_TRIES = 100


def write_with(path: Path, write: Callable[[Path], None], *, private: bool = False) -> None:
    """Let `write` fill a temporary file near `path`, then rename it to `path`; `private`: for its owner's eyes alone.

    The temporary file has the name of `path`, since Keras and others choose the format by it.

    Raises:
        DiskError: the folder cannot be made or written, or the disk is full.
    """
    folder, handle = _make_temporary(path)
    temporary = folder / path.name
    try:
        # It is there before it is filled, so that it is private from the beginning.
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600 if private else 0o666))
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise DiskError(f"Cannot write {str(path)!r}: {_say_why(error)}. Is the disk full?") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(handle)


def _make_temporary(path: Path) -> tuple[Path, int]:
    """Make a private temporary folder next to `path`, and lock it, by which others see that its process lives.

    What processes that were killed as they wrote have left there goes first.

    Returns:
        The folder, and the lock's handle; -1 where the system has none.

    Raises:
        DiskError: the folder of `path` cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead(path.parent)
        while True:
            folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY))
            if sys.platform == "win32":
                return folder, -1
            # Before it is locked another process may take it for a dead one's, and delete it: then comes the next.
            try:
                handle = os.open(folder, os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            except OSError:
                # Some network disks have no locks: there nothing is known to be dead.
                return folder, handle
            if _is_open_as(handle, folder):
                return folder, handle
            os.close(handle)
    except OSError as error:
        raise DiskError(f"Cannot write {str(path)!r}: {error.strerror}. Give a folder that can be written.") from None


def remove_dead(folder: Path) -> None:
    """Delete the temporary folders in `folder` whose processes have ended; others' are left alone."""
    if sys.platform == "win32":
        return
    for path in list(folder.glob(f"{_TEMPORARY}*")):
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            # Just gone, or another user's.
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError:
            # It is being written, or cannot be known to be dead: not every disk has locks.
            continue
        finally:
            os.close(handle)


def _close(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def write_bytes(path: Path, contents: bytes | memoryview, *, private: bool = False) -> None:
    """Write bytes whole or not at all; `private`: for their owner's eyes alone."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(contents)

    write_with(path, write, private=private)


@contextlib.contextmanager
def new_folder(folder: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a folder to fill that appears under its name when all went well, and not at all otherwise.

    Args:
        folder: where it appears; nothing but an empty folder may be there.
        private: for its owner's eyes alone.

    Raises:
        DiskError: it cannot be written, or something is there by the time that it is full.
    """
    made = _list_absent_parents(folder.absolute())
    temporary, handle = _make_temporary(folder.absolute())
    try:
        # The temporary folder is private; a common one inside takes the name.
        inside = temporary / folder.name
        inside.mkdir(mode=0o700 if private else 0o777)
        yield inside
        if folder.is_dir():
            # Empty, or an error. Not every system renames over it.
            folder.rmdir()
        inside.rename(folder)
    except OSError as error:
        raise DiskError(f"Cannot write {str(folder)!r}: {_say_why(error)}. Is the disk full?") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _close(handle)
        _remove_empty(made)


def _list_absent_parents(path: Path) -> list[Path]:
    """Return the folders on the way to an absolute path that are not there, the innermost first."""
    return [parent for parent in path.parents if not parent.exists()]


def _remove_empty(made: Sequence[Path]) -> None:
    """Delete folders that were made on the way to something that was not written; those that hold something stay."""
    with contextlib.suppress(OSError):
        for folder in made:
            folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files and folders under `folder` of a process that was killed while it wrote them.

    The caller holds the lock of what is written there, so that none is another process's that still writes.
    """
    for path in list(folder.rglob(f"{_TEMPORARY}*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            # Gone with its folder, or for good.
            path.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON, indented, whole or not at all; NaN is refused, since JSON has none."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def parse_json(text: str | bytes) -> Any:
    """Return what JSON text says: of files and servers, which may be damaged or somebody else's.

    Raises:
        ValueError: it is not JSON, or nests lists and objects too deeply, which Python reports by a RecursionError.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its lists and objects are nested too deeply") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is not JSON, holds something else than an object, or nests lists and objects too deeply.
    """
    content = parse_json(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, found a {type(content).__name__}")
    return content


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Keep other processes from writing the file or folder `path`, which need not exist, until the end of the block.

    The lock is the system's, on a file `.NAME.lock` next to `path`, so it ends with the process, however that ends.

    Raises:
        DiskError: another process holds it, or the folder cannot be written.
    """
    file = path.absolute().with_name(f".{path.absolute().name}.lock")
    made = _list_absent_parents(file)
    try:
        handle = _open_lock(file)
    except BlockingIOError:
        owner = _read_owner(file)
        raise DiskError(
            f"Another process{owner} is writing {str(path)!r}. Wait until it ends, or stop it; or give another place."
        ) from None
    except OSError as error:
        raise DiskError(f"Cannot write {str(path)!r}: {error.strerror}. Give a folder that can be written.") from None
    try:
        yield
    finally:
        # Deleted while it is held, so that no other process can hold it.
        file.unlink(missing_ok=True)
        os.close(handle)
        _remove_empty(made)


def _open_lock(file: Path) -> int:
    tries = 0
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            # Another process has just removed the folder that it had made; or no file can be made here, as in /proc.
            tries += 1
            if tries == _LOCK_TRIES:
                raise
            continue
        try:
            _lock_if_possible(handle)
            # Its holder may have deleted the file between the two calls: then a lock on it keeps nobody out.
            if _is_open_as(handle, file):
                os.truncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock_if_possible(handle: int) -> None:
    try:
        try_lock(handle)
    except OSError as error:
        # Where there are no locks, processes do not keep each other out.
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
            raise


def _is_open_as(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def try_lock(handle: int) -> None:
    """Lock an open file until it is closed or this process ends.

    Raises:
        BlockingIOError: another process holds it.
        OSError: there are no locks here: on Windows, and on some network file systems.
    """
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, "Windows locks no files this way")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read_owner(file: Path) -> str:
    try:
        number = file.read_text(encoding="utf-8")
    except OSError:
        # It has just ended.
        return ""
    return f" (number {number})" if number.isdecimal() else ""


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Raise DiskError where the disk under `folder` (which need not exist yet) has less than `needed_bytes` free."""
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise DiskError(f"{str(existing)!r} is a file, not a folder. Give a folder that can be written.")
    if not os.access(existing, os.W_OK | os.X_OK):
        reason = "read-only file system" if _is_read_only(existing) else "permission denied"
        raise DiskError(f"Cannot write in {str(existing)!r}: {reason}. Give a folder that can be written.")
    usage = shutil.disk_usage(existing)
    if usage.total == 0:
        # What the system shows as files, e.g. /proc: nobody can make any there.
        raise DiskError(f"Cannot write in {str(existing)!r}: it is not on a disk. Give a folder that can be written.")
    free = usage.free
    if free < needed_bytes:
        raise DiskError(
            f"The disk of {str(existing)!r} has {format_size(free)} free and about {format_size(needed_bytes)} are needed. "
            "Free space or give another folder."
        )


def _is_read_only(folder: Path) -> bool:
    # Not on Windows.
    return hasattr(os, "statvfs") and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def format_size(num_bytes: int) -> str:
    """Return a size in the unit that shows it: "2.0 GB", "37 MB", "0.4 MB"."""
    if num_bytes >= 1e9:
        return f"{num_bytes / 1e9:.1f} GB"
    return f"{num_bytes / 1e6:.0f} MB" if num_bytes >= 1e7 else f"{num_bytes / 1e6:.1f} MB"


def _say_why(error: OSError) -> str:
    """Return the system's words for an error: h5py's own fill five lines with buffers and offsets."""
    return os.strerror(error.errno) if error.errno else str(error)
