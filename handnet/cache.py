"""The cache of decoded photos: one small file for each photo and setting, decoded once and read often.

A file is named after the digest of the photo's bytes and lies in a folder named after the settings, so a changed photo
or setting is never served from the cache. Each file is written whole to a temporary name and renamed: several processes
may fill one cache, and a killed one leaves nothing that another would read.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from handnet.config import ImageConfig

# Raised whenever the decode in images.py or the crop in segmentation.py changes its pixels.
PIXELS_VERSION = 1


class CacheInfo(NamedTuple):
    """What the cache holds."""

    folder: Path
    num_files: int
    num_bytes: int


def find_cache_folder() -> Path:
    """Return the cache's folder: $HANDNET_CACHE, else ~/.cache/handnet."""
    return Path(os.environ.get("HANDNET_CACHE") or Path.home() / ".cache" / "handnet")


def find_photo_folder(config: ImageConfig) -> Path:
    """Return the folder of the photos decoded with these settings."""
    settings = json.dumps({**asdict(config), "version": PIXELS_VERSION}, sort_keys=True)
    return find_cache_folder() / "photos" / hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()


def digest_bytes(contents: bytes) -> str:
    """Return the digest by which a photo is known, 32 hexadecimal digits."""
    return hashlib.blake2b(contents, digest_size=16).hexdigest()


def read_info() -> CacheInfo:
    """Count the files and bytes of the whole cache."""
    folder = find_cache_folder()
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return CacheInfo(folder, len(sizes), sum(sizes))


def clear_cache() -> CacheInfo:
    """Delete the whole cache and return what it held."""
    info = read_info()
    shutil.rmtree(info.folder, ignore_errors=True)
    return info
