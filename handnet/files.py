"""Files that are written whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from handnet.errors import DiskError

try:
    import fcntl
except ImportError:  # Windows: processes there do not keep each other out.
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = ".part-"


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file next to `path`, then rename it to `path`.

    The temporary name ends as `path` does, since Keras and others choose the format by it.

    Raises:
        DiskError: the folder cannot be made or written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY, suffix="".join(path.suffixes[-2:]))
        os.close(handle)
    except OSError as error:
        raise DiskError(f"Cannot write {str(path)!r}: {error.strerror}. Give a folder that can be written.") from None
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp makes files private; a run is as readable as any other file of its owner.
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    except OSError as error:
        raise DiskError(f"Cannot write {str(path)!r}: {error}. Is the disk full?") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, contents: bytes) -> None:
    """Write bytes whole or not at all."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(contents)

    write_with(path, write)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files under `folder` of a process that was killed while it wrote them."""
    for path in folder.rglob(f"{_TEMPORARY}*"):
        path.unlink()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON, indented, whole or not at all; NaN is refused, since JSON has none."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Keep other processes from writing the file or folder `path`, which need not exist, until the end of the block.

    The lock is the system's, on a file `.NAME.lock` next to `path`, so it ends with the process, however that ends.

    Raises:
        DiskError: another process holds it, or the folder cannot be written.
    """
    file = path.absolute().with_name(f".{path.absolute().name}.lock")
    made = [parent for parent in file.parents if not parent.exists()]
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
        # Where nothing was written the folders on the way to it go again; those that hold something stay.
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()


def _open_lock(file: Path) -> int:
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            # Another process has just removed the folder that it had made.
            continue
        try:
            _lock(handle)
            # Its holder may have deleted the file between the two calls: then a lock on it keeps nobody out.
            if _is_open_as(handle, file):
                os.truncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_open_as(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems have no locks: there one goes on without.
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK):
            raise


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
        raise DiskError(f"Cannot write in {str(existing)!r}: permission denied. Give a folder that can be written.")
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise DiskError(
            f"The disk of {str(existing)!r} has {free / 1e9:.1f} GB free and about {needed_bytes / 1e9:.1f} GB are needed. "
            "Free space or give another folder."
        )


def reserve_space(path: Path, num_bytes: int) -> None:
    """Fill a file with zeros, so that a full disk is an OSError now."""
    with path.open("wb") as file:
        # Not on macOS, where the error comes later.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, num_bytes)


def _read_umask() -> int:
    # There is no way to read the mask but to set it, for a moment and for all threads: so once, before there are any.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _read_umask()
