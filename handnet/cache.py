"""The cache of decoded photos and of features: one small file for each photo and setting, made once and read often.

A file is named after the digest of the photo's bytes and lies in a folder named after the settings, so a changed photo
or setting is never served from the cache. Each file is written whole to a temporary name and renamed: several processes
may fill one cache, and a killed one leaves nothing that another would read.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from handnet.config import ImageConfig
from handnet.errors import DiskError

# Raised whenever the decode in images.py or the crop in segmentation.py changes its pixels.
PIXELS_VERSION = 1


class CacheInfo(NamedTuple):
    """What the cache holds."""

    folder: Path
    num_files: int
    num_bytes: int


def find_cache_folder() -> Path:
    """Return the cache's folder: $HANDNET_CACHE, else ~/.cache/handnet.

    Raises:
        DiskError: neither is known.
    """
    if named := os.environ.get("HANDNET_CACHE"):
        return Path(named)
    try:
        return Path.home() / ".cache" / "handnet"
    except RuntimeError:
        raise DiskError("There is no home folder to keep the cache in. Set HANDNET_CACHE to a folder.") from None


def find_photo_folder(config: ImageConfig) -> Path:
    """Return the folder of the photos decoded with these settings."""
    return find_cache_folder() / "photos" / _digest_settings({**asdict(config), "version": PIXELS_VERSION})


def find_feature_folder(settings: Mapping[str, Any]) -> Path:
    """Return the folder of the features computed with these settings, which JSON can write."""
    return find_cache_folder() / "features" / _digest_settings(settings)


def digest_bytes(contents: bytes) -> str:
    """Return the digest by which a photo is known, 32 hexadecimal digits."""
    return hashlib.blake2b(contents, digest_size=16).hexdigest()


def find_drawn_folder(name: str) -> Path:
    """Return the folder of a data set that handnet draws itself."""
    return find_cache_folder() / "drawn" / name


def read_info() -> CacheInfo:
    """Count the files and bytes of the whole cache."""
    sizes = [path.stat().st_size for part in _find_parts() for path in part.rglob("*") if path.is_file()]
    return CacheInfo(find_cache_folder(), len(sizes), sum(sizes))


def clear_cache() -> CacheInfo:
    """Delete what handnet put into the cache, and nothing else that may lie there, and return what it held.

    Raises:
        DiskError: it cannot be deleted.
    """
    info = read_info()
    try:
        for part in _find_parts():
            shutil.rmtree(part)
    except OSError as error:
        raise DiskError(f"Cannot delete the cache in {str(info.folder)!r}: {error}.") from None
    return info


def _digest_settings(settings: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()


def _find_parts() -> list[Path]:
    return [part for name in ("photos", "features", "drawn") if (part := find_cache_folder() / name).is_dir()]
