"""Photos of the cache are found by their contents, all or none."""

from pathlib import Path

import numpy as np
import pytest

from handnet.config.image import ImageConfig
from handnet.data.cache import digest_bytes, find_photo_folder
from handnet.images.kept_photos import find_kept_files, place_photo, read_squares
from handnet.images.pixel_rules import describe_rules
from tests.photos import write_jpeg

IMAGE = ImageConfig(size_px=32)


def keep(path: str, shade: int) -> Path:
    file = place_photo(find_photo_folder(describe_rules(IMAGE)), digest_bytes(Path(path).read_bytes()))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes([shade]) * 32 * 32 * 3)
    return file


def test_all_photos_or_none_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path / "cache"))
    paths = [str(write_jpeg(tmp_path / f"{shade}.jpg", np.full((40, 40, 3), shade, np.uint8))) for shade in (10, 90)]
    keep(paths[0], 1)
    assert find_kept_files(paths, IMAGE) is None
    last = keep(paths[1], 2)
    files = find_kept_files(paths[::-1], IMAGE)
    assert files is not None
    squares = read_squares(files, 32)
    assert squares.shape == (2, 32, 32, 3)
    assert squares[:, 0, 0, 0].tolist() == [2, 1]
    assert find_kept_files(paths, ImageConfig(size_px=48)) is None
    assert find_kept_files([*paths, str(tmp_path / "absent.jpg")], IMAGE) is None
    write_jpeg(Path(paths[0]), np.full((40, 40, 3), 11, np.uint8))
    assert find_kept_files(paths, IMAGE) is None, "another photo by the same name"
    last.write_bytes(last.read_bytes()[:-1])
    assert find_kept_files(paths[1:], IMAGE) is None, "not written whole"
