"""The code that makes pixels of a photo, as part of the key of all that is kept of them.

A number in a comment that somebody must remember to raise is forgotten: then the crop by the rules of before is served from
the cache for ever. So the key holds a digest of the code itself, of all modules of `handnet.images` that the store of photos
imports. Comments, docstrings and line breaks do not count. A change that leaves the pixels alone costs one decode of each photo.
"""

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import PIL

from handnet.config.image import ImageConfig
from handnet.images.hand_finder import describe_pixels

_PACKAGE = Path(__file__).parents[1]
_DECODE, _REPORT = ("images.photo_store",), ("images.hand_report",)
# What a photo that is taken whole has nothing to do with.
_HAND = ("images.hand.", "images.hand_models.")
# Code elsewhere decides no pixels, or settings say all of it.
_FOLLOWED = ("images.", "data.checks", "data.blank_rule", "data.photo_headers")


def describe_rules(image: ImageConfig) -> dict[str, Any]:
    """Return all that decides the pixels made of a photo, settings and code, as JSON can write it, for the names of caches.

    For digests of models, which must outlive a change of code that leaves the pixels alone, see `describe_pixels`.
    """
    finds_hand = any(tile.is_hand_crop for tile in image.tiles)
    return {**describe_pixels(image), "rules": _digest_code(_DECODE, () if finds_hand else _HAND)}


def digest_report_rules() -> str:
    """Return the digest of the code that says what a photo shows: hands, landmarks, side, view, quality."""
    return _digest_code(_REPORT, ())


@cache
def _digest_code(roots: Sequence[str], without: tuple[str, ...]) -> str:
    state = hashlib.blake2b(f"{version('tensorflow')} {PIL.__version__}".encode(), digest_size=8)
    for file, contents in sorted(read_code(_PACKAGE, roots, without).items()):
        state.update(f"\n{file.relative_to(_PACKAGE).as_posix()} {len(contents)}\n".encode())
        state.update(contents)
    return state.hexdigest()


def read_code(package: Path, roots: Sequence[str], without: tuple[str, ...] = ()) -> dict[Path, bytes]:
    """Return the code of modules and of all that they import from `handnet.images`, and the arrays that lie next to them.

    Args:
        package: the folder of handnet.
        roots: names of modules without "handnet.".
        without: beginnings of names of modules that are left out.

    Returns:
        By file: code without comments and docstrings, arrays as they are.
    """
    found, known, waiting = dict[Path, bytes](), set[str](), list(roots)
    while waiting:
        module = waiting.pop()
        if module in known or not module.startswith(_FOLLOWED) or module.startswith(without or "\0"):
            continue
        known.add(module)
        file = package.joinpath(*module.split(".")).with_suffix(".py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("handnet."):
                waiting.append(node.module.removeprefix("handnet."))
            elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                del node.body[0]
        found[file] = ast.dump(tree).encode()
        found |= {arrays: arrays.read_bytes() for arrays in file.parent.glob("*.npz")}
    return found
