"""docs/data.md has a section for each reader, and its examples are read as it says."""

import re
from pathlib import Path

import pytest
from PIL import Image

from handnet.data.readers import READERS, folder, hands11k, lfw, read_dataset, tiny_imagenet
from tests.documents import ROOT, find_blocks

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
# What each section must name: files, folders and columns, as the reader has them.
NAMED = {
    "hands11k": (hands11k.TABLE_NAME, hands11k.PHOTO_FOLDER, *hands11k.REQUIRED_COLUMNS),
    "folder": (folder.TABLE_NAME, "path", "identity", "view", "side", "dorsal", "palmar"),
    "synthetic": (hands11k.TABLE_NAME, hands11k.PHOTO_FOLDER),
    "lfw": (lfw.TRAIN_FILE, lfw.TEST_FILE, *lfw.PHOTO_FOLDERS[1:]),
    "lfw-folds": (lfw.FOLDS_FILE,),
    "tiny-imagenet": (tiny_imagenet.CLASSES_FILE, tiny_imagenet.WORDS_FILE, tiny_imagenet.VAL_FILE.name),
}


def find_section(name: str) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/data.md has no section {name}"
    return found[1]


@pytest.mark.parametrize("name", READERS)
def test_each_reader_has_a_tree_a_command_and_what_it_refuses(name: str) -> None:
    section = find_section(name)
    assert "├──" in find_blocks(section, "text")[0]
    assert any("handnet " in block for block in find_blocks(section, "console"))
    assert "efused" in section
    assert [word for word in NAMED[name] if word not in section] == []
    assert f"[`{name}`](#{name})" in PAGE


def test_the_example_of_hands11k_is_read(tmp_path: Path) -> None:
    table = find_blocks(find_section("hands11k"), "text")[1]
    (tmp_path / "HandInfo.csv").write_text(table)
    (tmp_path / "Hands").mkdir()
    for line in table.splitlines()[1:]:
        Image.new("RGB", (8, 8)).save(tmp_path / "Hands" / line.split(",")[7])
    found = read_dataset("hands11k", tmp_path)
    assert [(row.identity, row.view, row.side) for row in found.examples] == [
        ("0000000", "dorsal", "right"),
        ("0000000", "palmar", "right"),
    ]
    assert not found.problems


def test_the_tree_of_folders_is_read(tmp_path: Path) -> None:
    for name in (
        "ada/left back/IMG_1203.jpg",
        "ada/left palm/IMG_1210.jpg",
        "grace/dorsal/1.jpg",
        "grace/palmar/1.jpg",
    ):
        assert Path(name).name in find_section("folder") or name in find_section("folder")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    rows = read_dataset("folder", tmp_path).examples
    assert [(row.identity, row.view, row.side) for row in rows] == [
        ("ada", "dorsal", "left"),
        ("ada", "palmar", "left"),
        ("grace", "dorsal", ""),
        ("grace", "palmar", ""),
    ]


def test_the_example_of_a_table_is_read(tmp_path: Path) -> None:
    table = find_blocks(find_section("folder"), "text")[1]
    (tmp_path / "labels.csv").write_text(table)
    for line in table.splitlines()[1:]:
        Image.new("RGB", (8, 8)).save(tmp_path / line.split(",")[0])
    rows = read_dataset("folder", tmp_path).examples
    assert [(row.identity, row.view, row.attributes) for row in rows] == [
        ("ada", "dorsal", {"camera": "phone"}),
        ("ada", "palmar", {"camera": "phone"}),
    ]
