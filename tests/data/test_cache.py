import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

import handnet.data.cache
from handnet.cli._data import find_data
from handnet.config.image import ImageConfig
from handnet.data.cache import (
    clear_cache,
    digest_bytes,
    find_cache_folder,
    find_drawn_folder,
    find_photo_folder,
    mark_used,
    read_info,
    read_limit,
    trim_cache,
    write_cached,
)
from handnet.errors import ConfigError, DiskError


def test_settings_and_contents_have_folders_and_names_of_their_own() -> None:
    folders = {
        find_photo_folder(asdict(config))
        for config in (ImageConfig(), ImageConfig(size_px=96), ImageConfig(crop="hand"), ImageConfig(background=0))
    }
    assert len(folders) == 4
    assert find_photo_folder(asdict(ImageConfig())) == find_photo_folder(asdict(ImageConfig(size_px=224)))
    assert digest_bytes(b"a") != digest_bytes(b"b")
    assert len(digest_bytes(b"a")) == 32


def test_clearing_deletes_what_handnet_made_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path))
    for path in (find_photo_folder(asdict(ImageConfig())) / "ab" / "cd", find_drawn_folder("x") / "HandInfo.csv"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12345")
    (tmp_path / "letter.txt").write_text("mine")
    held = {name: (part.num_files, part.num_bytes) for name, part in read_info().items()}
    assert held == {"photos": (1, 5), "features": (0, 0), "models": (0, 0), "drawn": (1, 5)}
    assert clear_cache().num_files == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert sum(part.num_files for part in read_info().values()) == 0


# The bound


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that may hold 1 kB, of a process that uses nothing yet."""
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path))
    monkeypatch.setenv("HANDNET_CACHE_GB", "1e-6")
    monkeypatch.setattr(handnet.data.cache, "_use", handnet.data.cache._Use())
    return tmp_path


def put(folder: Path, name: str, age_s: float, num_bytes: int = 300) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(bytes(num_bytes))
    when = time.time() - age_s
    os.utime(folder / name, (when, when))
    return folder / name


def names_in(root: Path) -> set[str]:
    return {
        path.name for name in ("photos", "features", "drawn") for path in (root / name).rglob("*") if path.is_file()
    }


def test_what_was_used_longest_ago_is_deleted_until_the_rest_is_below_the_limit(root: Path) -> None:
    for number in range(4):
        put(root / "photos/a", f"photo-{number}", 10_000 - number)
    put(root / "features/b", "older", 20_000)
    put(root / "drawn/c", "HandInfo.csv", 90_000, num_bytes=5000)
    deleted = trim_cache()
    assert (deleted.num_files, deleted.num_bytes) == (2, 600)
    assert names_in(root) == {"photo-1", "photo-2", "photo-3", "HandInfo.csv"}
    assert trim_cache().num_files == 0, "900 bytes fit"


def test_a_cache_that_was_not_half_full_is_not_looked_through_within_the_hour(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.data.cache.shutil.disk_usage", lambda _: SimpleNamespace(free=5000))
    put(root / "photos/a", "first", 10_000)
    assert trim_cache().num_files == 0
    for number in range(4):
        put(root / "photos/a", f"photo-{number}", 10_000 - number)
    assert trim_cache().num_files == 0
    an_hour_ago = time.time() - 3601
    os.utime(root / "looked-at", (an_hour_ago, an_hour_ago))
    assert trim_cache().num_files == 2
    put(root / "photos/a", "more", 0)
    assert trim_cache().num_files == 1, "it was more than half full"
    (root / "looked-at").write_text("nonsense")
    assert trim_cache().num_files == 0


def test_a_cache_is_looked_through_where_the_disk_has_filled_up_by_more_than_it_had_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(free=5000)
    monkeypatch.setattr("handnet.data.cache.shutil.disk_usage", lambda _: disk)
    put(root / "photos/a", "first", 10_000)
    assert trim_cache().num_files == 0
    for number in range(4):
        put(root / "photos/a", f"photo-{number}", 10_000 - number)
    disk.free = 4500
    assert trim_cache().num_files == 0
    disk.free = 4000
    assert trim_cache().num_files == 2


def test_use_makes_a_file_young_and_this_process_never_loses_it(root: Path) -> None:
    files = [put(root / "photos/a", f"photo-{number}", 10_000 - number) for number in range(5)]
    mark_used(files[:1])
    assert time.time() - files[0].stat().st_mtime < 100
    trim_cache()
    assert names_in(root) == {"photo-0", "photo-3", "photo-4"}
    mark_used([files[0], files[3], files[4]])
    put(root / "photos/a", "new", 0)
    put(root / "photos/a", "newer", 0)
    trim_cache()
    assert names_in(root) == {"photo-0", "photo-3", "photo-4"}


USER = """
import sys, pathlib
from handnet.data.cache import use_folder
use_folder(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["killed", "ended"])
def test_a_living_process_keeps_its_folders_and_a_dead_one_does_not(end: str, root: Path) -> None:
    for number in range(6):
        put(root / "photos/theirs", f"theirs-{number}", 10_000)
    put(root / "photos/theirs-not", "other", 5_000)
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(root / "photos/theirs")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        trim_cache()
        assert names_in(root) == {f"theirs-{number}" for number in range(6)}
        with pytest.raises(DiskError, match="The cache in .* is in use by another handnet process"):
            clear_cache()
        assert names_in(root) == {f"theirs-{number}" for number in range(6)}
    finally:
        if end == "killed":
            process.kill()
        process.communicate()
    assert (len(list((root / "in-use").iterdir())) == 1) == (end == "killed")
    assert trim_cache().num_files == 3
    assert not list((root / "in-use").iterdir()), "nothing of a dead process is left"


@pytest.mark.parametrize("text", ["0", "-1", "lots", "nan"])
def test_a_limit_that_is_none_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE_GB", text)
    with pytest.raises(ConfigError, match="must be a number of gigabytes above 0, such as 20. Received: "):
        read_limit()


def test_the_limit_is_50_gb_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDNET_CACHE_GB", raising=False)
    assert read_limit() == 50_000_000_000
    monkeypatch.setenv("HANDNET_CACHE_GB", "0.5")
    assert read_limit() == 500_000_000


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HANDNET_CACHE", "~/cache")
    assert find_cache_folder() == tmp_path / "cache"
    (tmp_path / "hands").mkdir()
    monkeypatch.setenv("HANDNET_DATA", "~/hands")
    assert find_data("") == tmp_path / "hands"


def test_a_cache_that_is_a_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cache"
    file.write_text("mine")
    monkeypatch.setenv("HANDNET_CACHE", str(file))
    for look in (read_info, clear_cache):
        with pytest.raises(DiskError, match=r"cache' is a file, not a folder\. Set HANDNET_CACHE to a folder"):
            look()
    # What is written into it says which setting chooses another.
    with pytest.raises(DiskError, match=r"Not a directory\..* HANDNET_CACHE names another folder for the cache\."):
        write_cached(file / "photos" / "x", b"x")
    assert file.read_text() == "mine"


def test_folders_of_another_user_in_the_cache_are_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = root / "photos" / "theirs"
    theirs.mkdir(parents=True)
    ours = root / "features" / "ours"
    ours.parent.mkdir()
    ours.write_bytes(b"123")
    original = os.scandir

    def refuse(folder: str) -> object:
        if folder == str(theirs):
            raise PermissionError(13, "Permission denied", folder)
        return original(folder)

    monkeypatch.setattr("os.scandir", refuse)
    assert read_info()["features"].num_bytes == 3
    trim_cache()
    assert ours.exists()
