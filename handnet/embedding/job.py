"""Many photos to vectors, from the files on disk: threads decode ahead, and what is done survives a kill."""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.image import ImageConfig
from handnet.console import Progress, hide_progress
from handnet.data.cache import trim_cache
from handnet.embedding.engines import Engine
from handnet.embedding.hand_columns import HAND_COLUMNS, list_hands
from handnet.embedding.kept_vectors import KeptVectors
from handnet.embedding.quick_embed import Vectors
from handnet.embedding.shard import SHARD_SIZE, Shard, embed_shards
from handnet.files import write_bytes, write_with
from handnet.images.photo_store import build_keeping_decoder
from handnet.images.pixel_rules import describe_rules
from handnet.networks.backbones.parameters import digest_weights


def embed_photos(
    paths: Sequence[str],
    image: ImageConfig,
    engine: Engine,
    encoder: keras.Model,
    partial: Path,
    batch_size: int = 32,
    progress: Progress = hide_progress,
    kept: KeptVectors | None = None,
) -> Vectors:
    """Embed photos in order; bad ones are reported, not raised.

    Args:
        paths: the photos, paths or addresses (s3://, https://).
        image: how they are decoded.
        engine: what computes the vectors, built for `batch_size`.
        encoder: what the engine was built from: its weights decide whether a part that is there still holds.
        partial: folder of the parts that are done, kept until `remove_partial`; continued where it belongs to the same
            photos, weights, settings and engine, else begun again.
        batch_size: photos at a time.
        progress: told of (photos done, photos in all), counted from where the work is continued.
        kept: what this engine has given of photos before; what it gives now is added to it.

    Raises:
        DiskError: the folder cannot be written.
    """
    _open_partial(partial, _describe(paths, image, engine, encoder))
    shards = [range(begin, min(begin + SHARD_SIZE, len(paths))) for begin in range(0, len(paths), SHARD_SIZE)]
    files = [partial / f"{number:06d}.npz" for number in range(len(shards))]
    missing = [number for number, file in enumerate(files) if not _is_whole(file)]
    count, width = progress("embed photos"), encoder.output_shape[-1]
    todo = [[paths[row] for row in shards[number]] for number in missing]
    total = sum(map(len, todo))
    decode = build_keeping_decoder(image)
    found = embed_shards(
        todo, image, engine, width, batch_size, lambda done: count(done, total), decode=decode, kept=kept
    )
    with contextlib.closing(found):
        for number, shard in zip(missing, found, strict=True):
            _write_shard(files[number], shard)
    trim_cache()
    return _gather(paths, files, width)


def remove_partial(partial: Path) -> None:
    """Delete the parts, and the folder if nothing else lies in it."""
    for pattern in ("key", "[0-9]*.npz", ".part-*"):
        for file in partial.glob(pattern):
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        partial.rmdir()


def _describe(paths: Sequence[str], image: ImageConfig, engine: Engine, encoder: keras.Model) -> str:
    """Return a digest of all that decides the vectors; of the photos the size and time are taken for the content."""

    def look(path: str) -> tuple[str, int, int]:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return path, -1, -1
        return path, status.st_size, status.st_mtime_ns

    described = {
        "weights": digest_weights(encoder),
        "image": describe_rules(image),
        "engine": [engine.name, engine.precision],
        "photos": [look(path) for path in paths],
        "shard": SHARD_SIZE,
    }
    return hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=16).hexdigest()


def _open_partial(partial: Path, key: str) -> None:
    file = partial / "key"
    if file.is_file() and file.read_bytes() == key.encode():
        return
    remove_partial(partial)
    write_bytes(file, key.encode())


def _write_shard(file: Path, shard: Shard) -> None:
    columns: dict[str, Any] = {"reasons": np.asarray(shard.reasons, dtype=np.str_), **list_hands(shard.hands)}

    def write(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez(stream, vectors=shard.vectors, **columns)

    write_with(file, write)


def _is_whole(file: Path) -> bool:
    # A power cut can leave a file that was renamed and never filled.
    return file.is_file() and zipfile.is_zipfile(file)


def _gather(paths: Sequence[str], files: Sequence[Path], width: int) -> Vectors:
    parts, reasons, hands = [np.zeros((0, width), np.float32)], list[str](), list[dict[str, npt.NDArray[Any]]]()
    for file in files:
        with np.load(file, allow_pickle=False) as shard:
            parts.append(shard["vectors"])
            reasons += shard["reasons"].tolist()
            hands.append({name: shard[name] for name in shard.files if name in HAND_COLUMNS})
    rows = [row for row, reason in enumerate(reasons) if not reason]
    problems = {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}
    # A part without a good photo has no columns.
    known = [columns for columns in hands if columns]
    joined = {name: np.concatenate([columns[name] for columns in known]) for name in HAND_COLUMNS if known}
    return Vectors(np.concatenate(parts), rows, problems, joined)
