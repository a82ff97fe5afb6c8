from pathlib import Path

import pytest

from handnet.cache import clear_cache, digest_bytes, find_drawn_folder, find_photo_folder, read_info
from handnet.config import ImageConfig


def test_settings_and_contents_have_folders_and_names_of_their_own() -> None:
    folders = {
        find_photo_folder(config)
        for config in (ImageConfig(), ImageConfig(size_px=96), ImageConfig(crop="hand"), ImageConfig(background=0))
    }
    assert len(folders) == 4
    assert find_photo_folder(ImageConfig()) == find_photo_folder(ImageConfig(size_px=224))
    assert digest_bytes(b"a") != digest_bytes(b"b")
    assert len(digest_bytes(b"a")) == 32


def test_clearing_deletes_what_handnet_made_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path))
    for path in (find_photo_folder(ImageConfig()) / "ab" / "cd", find_drawn_folder("x") / "HandInfo.csv"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12345")
    (tmp_path / "letter.txt").write_text("mine")
    assert (read_info().num_files, read_info().num_bytes) == (2, 10)
    assert clear_cache().num_files == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    assert read_info().num_files == 0
