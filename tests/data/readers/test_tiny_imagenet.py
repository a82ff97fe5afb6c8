from pathlib import Path

import pytest

from handnet.data.readers.tiny_imagenet import read_tiny_imagenet
from handnet.errors import DataError
from tests.photos import find_real_data, write_bytes


def write_tree(folder: Path) -> Path:
    """Write empty files: readers decode nothing."""
    for wnid, count in (("n01", 2), ("n02", 1)):
        (folder / "train" / wnid / "images").mkdir(parents=True)
        for k in range(count):
            write_bytes(folder / "train" / wnid / "images" / f"{wnid}_{k}.JPEG", b"")
        write_bytes(folder / "train" / wnid / f"{wnid}_boxes.txt", b"")
    (folder / "wnids.txt").write_text("n01\nn02\n")
    (folder / "words.txt").write_text("n01\ttrilobite\nn02\tsea slug, nudibranch\nn99\tother\n")
    return folder


def test_classes_with_their_names(tmp_path: Path) -> None:
    dataset = read_tiny_imagenet(write_tree(tmp_path))
    assert [(Path(e.path).name, e.identity, dict(e.attributes)) for e in dataset.examples] == [
        ("n01_0.JPEG", "n01", {"split": "train", "words": "trilobite"}),
        ("n01_1.JPEG", "n01", {"split": "train", "words": "trilobite"}),
        ("n02_0.JPEG", "n02", {"split": "train", "words": "sea slug, nudibranch"}),
    ]
    assert dataset.pairs == ()


def test_val_images_have_their_class_from_the_table(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "val" / "images").mkdir(parents=True)
    write_bytes(tmp_path / "val" / "images" / "val_0.JPEG", b"")
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n")
    dataset = read_tiny_imagenet(tmp_path)
    assert [(e.identity, e.attributes["split"]) for e in dataset.examples[3:]] == [("n02", "val")]
    assert "1 image (val/images/val_1.JPEG) of val/val_annotations.txt missing." in dataset.problems
    for line, message in (
        ("../x.JPEG\tn01", "line 1: expected the plain name of a file"),
        ("x.JPEG", "line 1: expected 2"),
    ):
        (tmp_path / "val" / "val_annotations.txt").write_text(line)
        with pytest.raises(DataError, match=message):
            read_tiny_imagenet(tmp_path)


def test_empty_and_unlisted_classes_are_said(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "wnids.txt").write_text("n01\nn03\n")
    (tmp_path / "train" / "n04" / "images").mkdir(parents=True)
    dataset = read_tiny_imagenet(tmp_path)
    assert dataset.identities == ["n01"]
    assert dataset.problems == (
        "1 folder (n04) without a photo.",
        "2 files (n01/n01_boxes.txt, n02/n02_boxes.txt) of another kind than jpg, jpeg, png, gif, bmp, "
        "webp, tif, tiff, heic, heif, avif, pgm, ppm, left out.",
        "1 class (n03) of wnids.txt without an image.",
        "1 class (n02) not in wnids.txt, left out.",
    )


def test_no_folder_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder train in .*can be downloaded from"):
        read_tiny_imagenet(tmp_path)
    (tmp_path / "train" / "n01" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match="There is no photo to use in"):
        read_tiny_imagenet(tmp_path)
    write_tree(tmp_path / "other")
    (tmp_path / "other" / "wnids.txt").write_text("n77\n")
    with pytest.raises(DataError, match="There is no image to use in .*1 class .n77. of wnids.txt without an image"):
        read_tiny_imagenet(tmp_path / "other")


def test_real_classes_have_names() -> None:
    dataset = read_tiny_imagenet(find_real_data("tiny-imagenet-200"))
    assert (len(dataset.identities), len(dataset.examples), dataset.problems) == (40, 2_400, ())
    assert dataset.examples[0].attributes["words"] == "trilobite"
