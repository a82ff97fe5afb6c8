"""Files that are written whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from handnet.errors import DiskError

_TEMPORARY = ".part-"


def write_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it to `path`.

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
    """Fill a file with so many zeros, for the sake of the OSError where they find no room."""
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
