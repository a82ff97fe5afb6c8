"""The walk through folders."""

import os
from pathlib import Path

import pytest

from handnet.data.photo_files import find_photos, index_names, is_photo


def test_photos_are_found_at_any_depth_in_order_with_the_folders_between(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/10.jpg", "a/deep/x.heic", "top.png", "b/notes.txt", "empty/y.txt", ".hidden/z.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_photos(tmp_path)
    assert [(os.path.relpath(path, tmp_path), folders) for path, folders in found.photos.items()] == [
        ("a/deep/x.heic", ("a", "deep")),
        ("b/10.jpg", ("b",)),
        ("b/2.JPG", ("b",)),
        ("top.png", ()),
    ]
    assert (found.other, found.empty, found.system) == (["b/notes.txt", "empty/y.txt"], ["empty"], [".hidden"])
    assert "1 folder (empty) without a photo." in found.describe()[0]


def test_links_are_followed_once_and_those_to_nothing_or_themselves_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jpg").write_bytes(b"")
    (tmp_path / "a/round").symlink_to(tmp_path / "a")
    (tmp_path / "a/gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a/self.jpg").symlink_to(tmp_path / "a/self.jpg")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    found = find_photos(tmp_path)
    assert [os.path.relpath(path, tmp_path) for path in found.photos] == ["a/x.jpg", "b/x.jpg"]
    assert set(found.broken) == {"a/gone.jpg", "a/self.jpg", "b/gone.jpg", "b/self.jpg"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_with_the_name_of_a_photo_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trap.jpg")
    assert not find_photos(tmp_path).photos


def test_names_are_found_in_either_unicode_form() -> None:
    find = index_names({"Zo\u00e9.jpg", "a.jpg"})
    assert find("Zoe\u0301.jpg") == "Zo\u00e9.jpg"
    assert find("a.jpg") == "a.jpg"
    assert find("b.jpg") == "b.jpg"
    assert is_photo("x.JPEG")
    assert not is_photo("jpg")
