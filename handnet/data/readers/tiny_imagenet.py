"""Tiny ImageNet: a folder of images for each class, as downloaded; photos of things in place of people.

Reference: http://cs231n.stanford.edu/tiny-imagenet-200.zip: 200 classes, each with 500 training images of 64×64 pixels in
train/WNID/images, 50 more in val/images with val/val_annotations.txt, and test images without labels.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.readers.folder import read_folder
from handnet.errors import DataError, count_and_name, printable

CLASSES_FILE, WORDS_FILE = "wnids.txt", "words.txt"
VAL_FOLDER, VAL_FILE = Path("val") / "images", Path("val") / "val_annotations.txt"
WHERE_TO_GET = (
    "Tiny ImageNet can be downloaded from http://cs231n.stanford.edu/tiny-imagenet-200.zip; expected layout: "
    f"DIR/train/WNID/images/*.JPEG, and if you like DIR/{CLASSES_FILE}, DIR/{WORDS_FILE} and DIR/val"
)


def read_tiny_imagenet(directory: Path) -> DataSet:
    """Read the labelled images; the identity is the class's id, as "n01768244", and the attribute `words` its name.

    The attribute `split` is "train" or "val", as the data set itself divides each class's images.

    Args:
        directory: the folder with train/ in it.

    Returns:
        Images by part, class and file name; where `wnids.txt` is there, of its classes alone.

    Raises:
        DataError: missing folder, no image, or a table with a malformed line.
    """
    directory = Path(directory).absolute()
    if not (directory / "train").is_dir():
        raise DataError(f"There is no folder train in {directory}. {WHERE_TO_GET}.")
    words = _read_words(directory / WORDS_FILE)
    training = read_folder(directory / "train")
    val = _read_val(directory)
    rows = [(example, "train") for example in training.rows] + [(example, "val") for example in val]
    labelled = [
        replace(
            example,
            attributes={"split": part, **({"words": words[name]} if (name := example.identity) in words else {})},
        )
        for example, part in rows
    ]
    problems = list(training.problems)
    known = set(training.identities)
    if (directory / CLASSES_FILE).is_file():
        listed = [line for _, (line, *_) in _read_lines(directory / CLASSES_FILE, 1)]
        if empty := [name for name in listed if name not in known]:
            problems.append(f"{count_and_name(empty, 'class', 'classes')} of {CLASSES_FILE} without an image.")
        if other := sorted({example.identity for example in labelled} - set(listed)):
            problems.append(f"{count_and_name(other, 'class', 'classes')} not in {CLASSES_FILE}, left out.")
        labelled = [example for example in labelled if example.identity in set(listed)]
    examples = [example for example in labelled if os.path.isfile(example.path)]
    if missing := [os.path.relpath(e.path, directory) for e in labelled if not os.path.isfile(e.path)]:
        problems.append(f"{count_and_name(missing, 'image', 'images')} of {VAL_FILE} missing.")
    if not examples:
        raise DataError(f"There is no image to use in {directory}. {' '.join([*problems, WHERE_TO_GET])}.")
    return DataSet("tiny-imagenet", str(directory), examples, labelled, tuple(problems))


def _read_words(file: Path) -> Mapping[str, str]:
    """Return class id → name, where there is such a file."""
    return {cells[0]: cells[1] for _, cells in _read_lines(file, 2)} if file.is_file() else {}


def _read_val(directory: Path) -> list[Example]:
    if not (directory / VAL_FILE).is_file():
        return []
    examples = []
    for line, cells in _read_lines(directory / VAL_FILE, 2):
        if "/" in cells[0] or "\\" in cells[0] or cells[0].startswith("."):
            raise DataError(
                f"{directory / VAL_FILE}, line {line}: expected the plain name of a file. Received: '{printable(cells[0])}'."
            )
        examples.append(Example(str(directory / VAL_FOLDER / cells[0]), cells[1]))
    return examples


def _read_lines(file: Path, least: int) -> list[tuple[int, list[str]]]:
    """Return number and cells, between tabs, of each line that is not blank."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.") from None
    rows = [
        (number, [cell.strip() for cell in text.split("\t")]) for number, text in enumerate(lines, 1) if text.strip()
    ]
    for number, cells in rows:
        if len(cells) < least or not all(cells[:least]):
            received = printable(lines[number - 1][:60])
            raise DataError(
                f"{file}, line {number}: expected {least} or more cells between tabs. Received: '{received}'."
            )
    return rows
