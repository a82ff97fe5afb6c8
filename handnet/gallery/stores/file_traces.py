"""Whether bytes are left in files: what `forget` proves."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from handnet.errors import DiskError

_SEARCH_BLOCK_BYTES = 1 << 24
_TRACE_BYTES, _MIN_TRACE_BYTES = 32, 8
# A process of its own reads the files. On POSIX a process that closes a file loses all its locks on it, those of an open
# SQLite connection too: the next program would take itself for the last user and remove the log under this one.
_READER = (
    "-I",
    "-S",
    "-c",
    "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer, 1 << 20)",
)


def take_pieces(blob: bytes) -> list[bytes]:
    """Return a few short pieces: a long value is spread over several pages, and a very short one may be there by chance."""
    if len(blob) < _MIN_TRACE_BYTES:
        return []
    if len(blob) <= 3 * _TRACE_BYTES:
        return [blob]
    middle = len(blob) // 2
    return [blob[:_TRACE_BYTES], blob[middle : middle + _TRACE_BYTES], blob[-_TRACE_BYTES:]]


def find_files(folder: Path, needles: Sequence[bytes]) -> list[str]:
    """Return the files under a folder in which any of these byte strings lies."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and _contains(path, needles)]


def _contains(path: Path, needles: Sequence[bytes]) -> bool:
    overlap = max((len(needle) for needle in needles), default=1) - 1
    tail, found = b"", False
    with subprocess.Popen([sys.executable, *_READER, str(path)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        while block := reader.stdout.read(_SEARCH_BLOCK_BYTES):
            block = tail + block
            found = found or any(needle in block for needle in needles)
            tail = block[len(block) - overlap :] if overlap else b""
    if reader.returncode:
        raise DiskError(f"{str(path)!r} could not be read to its end, so it was not searched.")
    return found
