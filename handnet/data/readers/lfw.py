"""Labeled Faces in the Wild: people's folders of photos, and the files that pair them, View 1 and View 2.

Reference: Huang et al., Labeled Faces in the Wild, 2007, https://vis-www.cs.umass.edu/lfw/README.txt: View 1 is for
choosing models, View 2, ten folds, for the one figure that is reported. Nobody is in two folds of View 2, or in both
parts of View 1.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from handnet.data.dataset import DataSet, PhotoPair, normalise_identity
from handnet.data.example import Example
from handnet.data.photo_files import FoundPhotos, scan_folder
from handnet.errors import DataError, count_and_name, name_few, printable

TRAIN_FILE, TEST_FILE, FOLDS_FILE = "pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"
# Where the archives unpack their people's folders, when not next to the pairs files.
PHOTO_FOLDERS = (".", "lfw", "lfw-deepfunneled", "lfw_funneled")
WHERE_TO_GET = (
    f"LFW can be downloaded from https://vis-www.cs.umass.edu/lfw; expected layout: DIR/{TRAIN_FILE} (and {TEST_FILE}) or "
    f"DIR/{FOLDS_FILE}, and DIR/Aaron_Peirsol/Aaron_Peirsol_0001.jpg and so on"
)


class PairLine(NamedTuple):
    """One line of a pairs file: its number, two (person, photo number) and the group it belongs to."""

    line: int
    first: tuple[str, int]
    second: tuple[str, int]
    group: str


def read_lfw(directory: Path) -> DataSet:
    """Read View 1: `pairsDevTrain.txt` (group "train"), `pairsDevTest.txt` (group "test"), or one of them.

    Args:
        directory: the folder of the pairs files, with the people's folders in it or in `lfw`, `lfw-deepfunneled` or
            `lfw_funneled` below it. Raw, funneled and deep-funneled photos have one layout.

    Returns:
        All photos of the people whom the pairs name, by person and number, and the pairs whose two photos are there.

    Raises:
        DataError: no pairs file, a malformed line (its number is said), a person in both parts, or no photo.
    """
    directory = Path(directory).absolute()
    files = {"train": directory / TRAIN_FILE, "test": directory / TEST_FILE}
    found = {group: file for group, file in files.items() if file.is_file()}
    if not found:
        raise DataError(f"There is neither {TRAIN_FILE} nor {TEST_FILE} in {directory}. {WHERE_TO_GET}.")
    parts = [read_pairs_file(file, group) for group, file in found.items()]
    return _collect("lfw", directory, parts, list(found.values()))


def read_lfw_folds(directory: Path) -> DataSet:
    """Read View 2: `pairs.txt`; the group of a pair is the number of its fold, "1" to "10".

    Args:
        directory: as for `read_lfw`.

    Returns:
        As `read_lfw`.

    Raises:
        DataError: as `read_lfw`; a person in two folds.
    """
    directory = Path(directory).absolute()
    file = directory / FOLDS_FILE
    if not file.is_file():
        raise DataError(f"There is no {FOLDS_FILE} in {directory}. {WHERE_TO_GET}.")
    lines = read_pairs_file(file, "")
    folds = list(dict.fromkeys(line.group for line in lines))
    parts = [[line for line in lines if line.group == fold] for fold in folds]
    return _collect("lfw-folds", directory, parts, [file] * len(folds))


def read_pairs_file(file: Path, group: str) -> list[PairLine]:
    """Read the lines of a pairs file.

    The first line is the number of pairs of one person, which is also that of different people; or, in View 2, the number
    of folds and then the number of either in each fold.

    Args:
        file: the file.
        group: the group of its pairs; where the file has folds, their number is the group instead.

    Raises:
        DataError: the file cannot be read, or a line is malformed.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.") from None
    header = lines[0].split() if lines else []
    if len(header) not in (1, 2) or not all(cell.isdecimal() and len(cell) < 7 and int(cell) for cell in header):
        received = printable(lines[0][:60]) if lines else "an empty file"
        raise DataError(f"{file}, line 1: expected the number of pairs, or of folds and pairs. Received: '{received}'.")
    num_folds, num_pairs = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    rows = [(number, text) for number, text in enumerate(lines[1:], start=2) if text.strip()]
    expected = 2 * num_folds * num_pairs
    if len(rows) != expected:
        raise DataError(
            f"{file}: line 1 announces {expected:,} pairs ({num_pairs:,} of one and {num_pairs:,} of two people"
            f"{f' in each of {num_folds} folds' if num_folds > 1 else ''}). Received: {len(rows):,} lines."
        )
    parsed = []
    for index, (number, text) in enumerate(rows):
        fold, place = divmod(index, 2 * num_pairs)
        parsed.append(_parse_line(file, number, text, place < num_pairs, str(fold + 1) if len(header) == 2 else group))
    return parsed


def _parse_line(file: Path, number: int, text: str, same: bool, group: str) -> PairLine:
    cells = text.split()
    kind, layout, count = ("one person", "NAME 1 2", 3) if same else ("two people", "NAME 1 OTHER 2", 4)
    numbers = cells[1:3] if same else cells[1::2]
    if len(cells) != count or not all(cell.isdecimal() and len(cell) < 5 for cell in numbers):
        raise DataError(
            f"{file}, line {number}: expected a pair of {kind}, as {layout}. Received: '{printable(text[:80])}'."
        )
    names = (cells[0], cells[0]) if same else (cells[0], cells[2])
    for name in names:
        if any(sign in name for sign in "/\\\0") or name.startswith("."):
            raise DataError(
                f"{file}, line {number}: a name must be that of a folder. Received: '{printable(name[:80])}'."
            )
    first, second = zip(names, map(int, numbers), strict=True)
    if first == second or (not same and names[0] == names[1]):
        raise DataError(f"{file}, line {number}: expected two photos of {kind}. Received: '{printable(text[:80])}'.")
    return PairLine(number, first, second, group)


def _collect(name: str, directory: Path, parts: Sequence[Sequence[PairLine]], files: Sequence[Path]) -> DataSet:
    """Match the pairs with the photos on disk."""
    _refuse_overlap(parts, files)
    lines = [line for part in parts for line in part]
    people = sorted({person for line in lines for person, _ in (line.first, line.second)})
    root = next((f for f in (directory / f for f in PHOTO_FOLDERS) if any((f / p).is_dir() for p in people)), directory)
    passed_over = FoundPhotos()
    present = {photo: person for person in people for photo in _list_photos(root, person, passed_over)}
    examples = [Example(photo, normalise_identity(person)) for photo, person in present.items()]
    pairs, missing = [], dict[str, str]()
    for line in lines:
        paths = [str(root / person / f"{person}_{number:04d}.jpg") for person, number in (line.first, line.second)]
        absent = {path: person for path, (person, _) in zip(paths, (line.first, line.second), strict=True)}
        absent = {path: person for path, person in absent.items() if path not in present}
        missing |= absent
        if not absent:
            pairs.append(PhotoPair(paths[0], paths[1], line.first[0] == line.second[0], line.group))
    if not pairs:
        raise DataError(f"None of the {len(lines):,} pairs has its two photos in {root}. {WHERE_TO_GET}.")
    problems = []
    if missing:
        names = [os.path.relpath(path, root) for path in missing]
        left_out = len(lines) - len(pairs)
        problems.append(
            f"{len(missing):,} photos that the pairs name are missing ({name_few(names)}); {left_out:,} of {len(lines):,} "
            "pairs left out."
        )
    if nobody := [person for person in people if person not in set(present.values())]:
        problems.append(f"{count_and_name(nobody, 'person', 'people')} without a photo.")
    rows = examples + [Example(path, normalise_identity(person)) for path, person in missing.items()]
    return DataSet(name, str(directory), examples, rows, (*problems, *passed_over.describe()), tuple(pairs))


def _refuse_overlap(parts: Sequence[Sequence[PairLine]], files: Sequence[Path]) -> None:
    seen: dict[str, tuple[Path, PairLine]] = {}
    for file, part in zip(files, parts, strict=True):
        for line in part:
            for person, _ in (line.first, line.second):
                first_file, first = seen.setdefault(person, (file, line))
                if first.group != line.group:
                    raise DataError(
                        f"{file}, line {line.line}: {printable(person)} is in {first_file.name}, line {first.line}, too: in "
                        f"the parts {first.group} and {line.group}. Each person belongs to one part."
                    )


def _list_photos(root: Path, person: str, passed_over: FoundPhotos) -> list[str]:
    folder = root / person
    if not folder.is_dir():
        return []
    files = [e for e, kind in scan_folder(folder, passed_over, str(root)) if kind == "file"]
    return [e.path for e in files if e.name.startswith(f"{person}_") and e.name.endswith(".jpg")]
