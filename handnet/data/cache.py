"""The cache of decoded photos, of features and of models in another form: made once and read often.

A photo's file is named after the digest of its bytes and lies in a folder named after the settings, so a changed photo
or setting is never served from the cache. Each file is written whole to a temporary name and renamed: several processes
may fill one cache, and a killed one leaves nothing that another would read.

Photos, features and models together are bounded: after new ones were written, those that were used longest ago are deleted
until the rest is below the limit, but never what this process has asked for, nor a folder that another living process
works with. A file's time of modification is that of its last use; a process names its folders in a file that it holds
locked, so that nothing is left to clean up after one that was killed.
"""

import atexit
import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from handnet.errors import ConfigError, DiskError
from handnet.files import try_lock, write_bytes

DEFAULT_LIMIT_GB = 50.0
_BOUNDED = ("photos", "features", "models")
_PARTS = (*_BOUNDED, "drawn")
_IN_USE = "in-use"
# Holds how many bytes there were when all files were last looked at, which takes seconds where there are some hundred thousand,
# and how many were free on the disk.
_LOOKED_AT = "looked-at"
# A file is not marked as used again within this time, nor is another process's temporary file taken for abandoned, nor is a cache
# that was not half full looked through again.
_RECENT_S = 3600.0


class CacheInfo(NamedTuple):
    """What the cache, or one part of it, holds."""

    folder: Path
    num_files: int
    num_bytes: int


class _Use:
    """What this process uses: files that it never evicts, folders that others leave alone."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._folders: set[Path] = set()
        self._root: Path | None = None
        self._process = 0
        self._handle = -1
        self.register = ""

    def add_folder(self, folder: Path) -> None:
        root, process = find_cache_folder(), os.getpid()
        if (root, process) != (self._root, self._process):
            # The first one, another cache, or a forked process: its parent's register stays the parent's.
            self._open(root)
            self._root, self._process, self._folders = root, process, set()
        if folder not in self._folders:
            self._folders.add(folder)
            os.write(self._handle, f"{folder.relative_to(root)}\n".encode())

    def _open(self, root: Path) -> None:
        (root / _IN_USE).mkdir(parents=True, exist_ok=True)
        while True:
            name = str(root / _IN_USE / f"{os.getpid()}-{secrets.token_hex(4)}")
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                try_lock(handle)
            except BlockingIOError:
                # Another process has taken it for a dead one's before it was locked, and deletes it.
                os.close(handle)
                continue
            except OSError:
                os.close(handle)
                os.unlink(name)
                raise
            if os.fstat(handle).st_nlink:
                break
            os.close(handle)
        if self._handle >= 0 and self._process == os.getpid():
            os.close(self._handle)
        self.register, self._handle = name, handle
        atexit.register(_remove_register, name, os.getpid())


_use = _Use()


def find_cache_folder() -> Path:
    """Return the cache's folder: $HANDNET_CACHE, else ~/.cache/handnet.

    Raises:
        DiskError: neither is known.
    """
    if named := os.environ.get("HANDNET_CACHE"):
        return Path(named).expanduser()
    try:
        return Path.home() / ".cache" / "handnet"
    except RuntimeError:
        raise DiskError("There is no home folder to keep the cache in. Set HANDNET_CACHE to a folder.") from None


def find_photo_folder(settings: Mapping[str, Any]) -> Path:
    """Return the folder of the photos decoded by these settings and rules, which JSON can write."""
    return find_cache_folder() / "photos" / _digest_settings(settings)


def find_feature_folder(settings: Mapping[str, Any]) -> Path:
    """Return the folder of the features computed with these settings, which JSON can write."""
    return find_cache_folder() / "features" / _digest_settings(settings)


def find_model_file(described: Mapping[str, Any], suffix: str) -> Path:
    """Return the file or folder of a model in a form that is made once, e.g. converted; JSON can write what decides it."""
    return find_cache_folder() / "models" / f"{_digest_settings(described)}{suffix}"


def use_folder(folder: Path) -> None:
    """Tell other processes that this one works with a folder of the cache, before looking for files in it."""
    try:
        _use.add_folder(folder)
    except OSError:
        # A cache that can be read and not written will do where all that is wanted is in it; else its first write tells.
        # Where there are no locks, as on Windows, processes do not see each other's folders.
        return


def write_cached(file: Path, contents: bytes | memoryview) -> None:
    """Write a file of the cache whole or not at all.

    Raises:
        DiskError: it cannot be written; the message says how another folder is chosen.
    """
    try:
        write_bytes(file, contents)
    except DiskError as error:
        raise DiskError(f"{error} HANDNET_CACHE names another folder for the cache.") from None


def mark_used(files: Iterable[Path]) -> None:
    """Note that files of the cache are used now: this process will not evict them, and later ones keep them longest."""
    now = time.time()
    for file in files:
        _use.files.add(str(file))
        try:
            if now - file.stat().st_mtime > _RECENT_S:
                os.utime(file)
        except OSError:
            # Somebody else's, or on a disk that is not written: its age then is that of its making.
            continue


def read_limit() -> int:
    """Return how many bytes photos and features may take together: $HANDNET_CACHE_GB, else 50 GB.

    Raises:
        ConfigError: it is no number above 0.
    """
    text = os.environ.get("HANDNET_CACHE_GB", "")
    try:
        limit = float(text) if text else DEFAULT_LIMIT_GB
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise ConfigError(f"$HANDNET_CACHE_GB must be a number of gigabytes above 0, such as 20. Received: {text!r}.")
    return int(limit * 1e9) if math.isfinite(limit) else 2**63


def trim_cache() -> CacheInfo:
    """Delete what was used longest ago until photos and features are below the limit; return what was deleted.

    What this process has marked as used stays, and so does every folder that another living process uses, even where the
    limit is exceeded then. A cache that was not half full within the last hour is not looked through, unless the disk has filled
    up by more than it had left.

    Raises:
        ConfigError: as `read_limit`.
    """
    root, limit = find_cache_folder(), read_limit()
    num_files = num_bytes = 0
    if _was_half_empty(root, limit):
        return CacheInfo(root, num_files, num_bytes)
    found = [entry for name in _BOUNDED for entry in _list_files(root / name)]
    total = sum(size for _, size, _ in found)
    excess = total - limit
    if found and 2 * total < limit:
        # Without it the files are looked at again.
        with contextlib.suppress(DiskError):
            write_bytes(root / _LOOKED_AT, f"{total} {shutil.disk_usage(root).free}".encode())
    if excess > 0:
        taken = _list_folders_of_others(root)
        for _, size, file in sorted(found):
            if num_bytes >= excess:
                break
            if file in _use.files or any(file.startswith(folder) for folder in taken):
                continue
            try:
                os.unlink(file)
            except OSError:
                # Deleted by another process meanwhile, or not ours to delete.
                continue
            num_files, num_bytes = num_files + 1, num_bytes + size
    return CacheInfo(root, num_files, num_bytes)


def _was_half_empty(root: Path, limit: int) -> bool:
    file = root / _LOOKED_AT
    try:
        if time.time() - file.stat().st_mtime >= _RECENT_S:
            return False
        total, free = (int(number) for number in file.read_text().split())
        # What has been written since, by anybody: less than would fill the cache.
        written = free - shutil.disk_usage(root).free
        return 2 * total < limit and total + written <= limit
    # Never looked at, or not by us.
    except (OSError, ValueError):
        return False


def digest_bytes(contents: bytes) -> str:
    """Return the digest by which a photo is known, 32 hexadecimal digits."""
    return hashlib.blake2b(contents, digest_size=16).hexdigest()


def find_drawn_folder(name: str) -> Path:
    """Return the folder of a data set that handnet draws itself."""
    return find_cache_folder() / "drawn" / name


def read_info() -> dict[str, CacheInfo]:
    """Count the files and bytes of each part of the cache: photos, features, models, drawn data sets.

    Raises:
        DiskError: the cache is a file.
    """
    root, parts = find_cache_folder(), {}
    if root.is_file():
        raise DiskError(
            f"The cache {str(root)!r} is a file, not a folder. Set HANDNET_CACHE to a folder, or delete the file."
        )
    for name in _PARTS:
        sizes = [size for _, size, _ in _list_files(root / name)]
        parts[name] = CacheInfo(root / name, len(sizes), sum(sizes))
    return parts


def clear_cache() -> CacheInfo:
    """Delete what handnet put into the cache, and nothing else that may lie there, and return what it held.

    Raises:
        DiskError: it cannot be deleted, or another living process works with it.
    """
    parts, root = read_info().values(), find_cache_folder()
    if _list_folders_of_others(root):
        raise DiskError(
            f"The cache in {str(root)!r} is in use by another handnet process, which would fail without it. Wait until it ends, "
            "or stop it."
        )
    try:
        for part in parts:
            if part.folder.is_dir():
                shutil.rmtree(part.folder)
        (root / _LOOKED_AT).unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"Cannot delete the cache in {str(root)!r}: {error}.") from None
    return CacheInfo(root, sum(part.num_files for part in parts), sum(part.num_bytes for part in parts))


def _digest_settings(settings: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8).hexdigest()


def _list_files(folder: Path) -> list[tuple[float, int, str]]:
    """Return (time of last use, bytes, path) of all files below a folder; what vanishes meanwhile is left out, and what is
    another user's alone."""
    found, waiting = [], [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        status = entry.stat(follow_symlinks=False)
                        found.append((status.st_mtime, status.st_size, entry.path))
        except (FileNotFoundError, PermissionError):
            continue
    return found


def _list_folders_of_others(root: Path) -> list[str]:
    """Return the folders that other living processes use, and delete the registers of dead ones."""
    folders: list[str] = []
    for _, _, name in _list_files(root / _IN_USE):
        if name == _use.register:
            continue
        try:
            handle = os.open(name, os.O_RDONLY)
        except OSError:
            continue
        try:
            try_lock(handle)
            Path(name).unlink(missing_ok=True)
        except OSError:
            # Locked: its process lives.
            text = os.pread(handle, 1_000_000, 0).decode(errors="replace")
            folders += [f"{root / line}{os.sep}" for line in text.splitlines()]
        finally:
            os.close(handle)
    return folders


def _remove_register(register: str, process: int) -> None:
    if os.getpid() == process:
        Path(register).unlink(missing_ok=True)
