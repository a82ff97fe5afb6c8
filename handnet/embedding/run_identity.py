"""What decides the vectors that a run makes of photos: the key of all that is kept of them. Without TensorFlow."""

import hashlib
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.images.hand_finder import describe_pixels
from handnet.networks.graph_session import find_library
from handnet.networks.weights.manifest import hash_file

_PACKAGE = Path(__file__).parents[1]
# Their code makes vectors of photos.
_FOLDERS = ("embedding", "images", "networks")
_FILES = ("data/checks.py", "data/blank_rule.py", "data/photo_headers.py")
# Packages whose code does.
_PACKAGES = ("keras", "keras-hub", "numpy", "openvino", "pillow")


def describe_run(run: Run) -> dict[str, Any]:
    """Return all that decides a run's vectors, as JSON can write it: weights, settings, handnet's code, the libraries.

    Where any of them changes, what was kept under the key of before is never met again.
    """
    file = run.folder / WEIGHTS_FILE
    return {
        "weights": hash_file(file) if file.exists() else "",
        "image": describe_pixels(run.config.image),
        "model": asdict(run.config.model),
        "pairs": asdict(run.config.pairs),
        "code": digest_code(),
        "library": describe_library(),
        "packages": {name: _find_version(name) for name in _PACKAGES},
    }


def describe_library() -> list[str | int]:
    """Return which file TensorFlow's C library is; nothing where there is none."""
    library = find_library()
    if library is None:
        return []
    status = library.stat()
    return [str(library), status.st_size, status.st_mtime_ns]


@cache
def digest_code(*folders: str) -> str:
    """Return the digest of the code that makes vectors of photos, and of some more folders of handnet."""
    state = hashlib.blake2b(digest_size=16)
    named = (*_FOLDERS, *folders)
    files = [file for folder in named for file in (_PACKAGE / folder).rglob("*") if file.suffix in (".py", ".npz")]
    for file in sorted([*files, *(_PACKAGE / name for name in _FILES)]):
        state.update(f"{file.relative_to(_PACKAGE)} {file.stat().st_size}\n".encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
