"""Where a command's data come from: --data, $HANDNET_DATA, data/hands11k, or drawn on the spot."""

import os
from collections.abc import Sequence
from pathlib import Path

from handnet.cli._console import echo, show_progress
from handnet.cli._tensorflow import start_tensorflow
from handnet.data import photo_files
from handnet.data.cache import find_drawn_folder, use_folder
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.missing_labels import HandInPhoto, See
from handnet.data.readers import FILLING_READERS, hands11k, lfw, read_dataset, tiny_imagenet
from handnet.data.readers import folder as any_folder
from handnet.errors import DataError
from handnet.images.hand_models.model_files import has_hand_models

DEFAULT_FOLDER = Path("data/hands11k")
SYNTHETIC = "synthetic"
_WHERE_TO_GET = {
    "lfw": lfw.WHERE_TO_GET,
    "lfw-folds": lfw.WHERE_TO_GET,
    "tiny-imagenet": tiny_imagenet.WHERE_TO_GET,
    "folder": any_folder.LAYOUT,
}
_SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED = 150, 4, 1


def find_data(data: str, reader: str = "hands11k") -> Path:
    """Return the data set's folder: `data` if given, else $HANDNET_DATA, else data/hands11k; "synthetic" is drawn once.

    Raises:
        DataError: there is no such folder; the message says where to download what the reader reads.
    """
    named = data or os.environ.get("HANDNET_DATA", "")
    if named == SYNTHETIC and not Path(SYNTHETIC).exists():
        return _draw_synthetic()
    folder = Path(named).expanduser() if named else DEFAULT_FOLDER
    if not folder.is_dir():
        where = _WHERE_TO_GET.get(reader, hands11k.WHERE_TO_GET)
        synthetic = " Or try synthetic hands: --data synthetic." if reader not in _WHERE_TO_GET else ""
        raise DataError(
            f"There is no data folder {str(folder)!r}. {where}; then give --data DIR or set HANDNET_DATA.{synthetic}"
        )
    return folder


def read_data(reader: str, data: str, fill_labels: bool = True) -> DataSet:
    """Find and read a data set, and say what was left out of it; missing views and sides are filled as `choose_see` says."""
    return _say(read_dataset(reader, find_data(data, reader), choose_see(reader, fill_labels)))


def choose_see(reader: str, fill_labels: bool) -> See | None:
    """Return what looks into photos for the labels that they lack, or None: not wanted, not of this reader, or no hand models."""
    if not fill_labels or reader not in FILLING_READERS or not has_hand_models():
        return None

    def see(paths: Sequence[str]) -> Sequence[HandInPhoto | None]:
        start_tensorflow()
        from handnet.images.hand_survey import see_hands

        return see_hands(paths, show_progress)

    return see


def _say(dataset: DataSet) -> DataSet:
    for line in (*dataset.notes, *dataset.problems):
        echo(f"data: {line}")
    return dataset


def find_photos(sources: tuple[Path, ...], reader: str) -> list[Example]:
    """Return the photos that files, a folder or a data set give, with their labels where there is a table.

    Args:
        sources: photos and folders of photos, or one folder with a data set.
        reader: how the data set is laid out; "" is seen from its table.

    Raises:
        DataError: there is no such file or folder, or no photo in it.
    """
    if len(sources) == 1 and sources[0].is_dir():
        folder = sources[0]
        if not reader:
            tables = {"HandInfo.csv": "hands11k", any_folder.TABLE_NAME: "folder"}
            reader = next((name for table, name in tables.items() if (folder / table).is_file()), "")
        if reader:
            return _say(read_dataset(reader, folder, choose_see(reader, fill_labels=True))).examples
    elif reader:
        raise DataError("--reader is for one folder, a data set. Leave it out for photos.")
    paths: list[str] = []
    for source in sources:
        if source.is_dir():
            found = photo_files.find_photos(source)
            for problem in found.describe():
                echo(f"data: {problem}")
            if not found.photos:
                kinds = ", ".join(suffix.removeprefix(".") for suffix in photo_files.PHOTO_SUFFIXES)
                raise DataError(f"There is no photo ({kinds}) in {str(source)!r}.")
            paths += found.photos
        elif source.is_file():
            paths.append(str(source.absolute()))
        else:
            raise DataError(f"There is no photo or folder {str(source)!r}.")
    return [Example(path, "") for path in paths]


def _draw_synthetic() -> Path:
    from handnet.data.synthetic import write_synthetic

    name = f"synthetic-{_SYNTHETIC_PEOPLE}x{_SYNTHETIC_PHOTOS}-{_SYNTHETIC_SEED}"
    folder = find_drawn_folder(name)
    use_folder(folder)
    if not folder.exists():
        echo(f"drawing {_SYNTHETIC_PEOPLE} synthetic people into {folder}")
        write_synthetic(folder, _SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED, progress=show_progress)
    return folder
