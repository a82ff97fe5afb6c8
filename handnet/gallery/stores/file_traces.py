"""Whether bytes are left in files: what `forget` proves."""

from collections.abc import Sequence
from pathlib import Path

_SEARCH_BLOCK_BYTES = 1 << 24
_TRACE_BYTES, _MIN_TRACE_BYTES = 32, 8


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
    tail = b""
    with path.open("rb") as file:
        while block := file.read(_SEARCH_BLOCK_BYTES):
            block = tail + block
            if any(needle in block for needle in needles):
                return True
            tail = block[len(block) - overlap :] if overlap else b""
    return False
