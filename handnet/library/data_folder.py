"""Where data come from: the folder that was named, $HANDNET_DATA, data/hands11k, or synthetic hands drawn once."""

import os
from collections.abc import Sequence
from pathlib import Path

from handnet.console import Echo, Progress, hide_progress
from handnet.data.cache import find_drawn_folder, use_folder
from handnet.data.dataset import DataSet
from handnet.data.missing_labels import HandInPhoto, See
from handnet.data.readers import FILLING_READERS, hands11k, lfw, read_dataset, tiny_imagenet
from handnet.data.readers import folder as any_folder
from handnet.errors import DataError
from handnet.images.hand_models.model_files import has_hand_models
from handnet.library.start import start_tensorflow

DEFAULT_FOLDER = Path("data/hands11k")
SYNTHETIC = "synthetic"
_WHERE_TO_GET = {
    "lfw": lfw.WHERE_TO_GET,
    "lfw-folds": lfw.WHERE_TO_GET,
    "tiny-imagenet": tiny_imagenet.WHERE_TO_GET,
    "folder": any_folder.LAYOUT,
}
_SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED = 150, 4, 1


def find_data(data: str, reader: str = "hands11k", echo: Echo = print, progress: Progress = hide_progress) -> Path:
    """Return the data set's folder: `data` if given, else $HANDNET_DATA, else data/hands11k; "synthetic" is drawn once.

    Raises:
        DataError: there is no such folder; the message says where to download what the reader reads.
    """
    named = data or os.environ.get("HANDNET_DATA", "")
    if named == SYNTHETIC and not Path(SYNTHETIC).exists():
        return _draw_synthetic(echo, progress)
    folder = Path(named).expanduser() if named else DEFAULT_FOLDER
    if not folder.is_dir():
        where = _WHERE_TO_GET.get(reader, hands11k.WHERE_TO_GET)
        synthetic = " Or try synthetic hands: --data synthetic." if reader not in _WHERE_TO_GET else ""
        raise DataError(
            f"There is no data folder {str(folder)!r}. {where}; then give --data DIR or set HANDNET_DATA.{synthetic}"
        )
    return folder


def read_data(
    reader: str, data: str, fill_labels: bool = True, echo: Echo = print, progress: Progress = hide_progress
) -> DataSet:
    """Find and read a data set, and say what was left out of it; missing views and sides are filled as `choose_see` says."""
    folder = find_data(data, reader, echo, progress)
    return tell_notes(read_dataset(reader, folder, choose_see(reader, fill_labels, progress)), echo)


def tell_notes(dataset: DataSet, echo: Echo) -> DataSet:
    """Print a data set's notes and problems, one a line, and return it."""
    for line in (*dataset.notes, *dataset.problems):
        echo(f"data: {line}")
    return dataset


def choose_see(reader: str, fill_labels: bool, progress: Progress = hide_progress) -> See | None:
    """Return what looks into photos for the labels that they lack, or None: not wanted, not of this reader, or no hand models."""
    if not fill_labels or reader not in FILLING_READERS or not has_hand_models():
        return None

    def see(paths: Sequence[str]) -> Sequence[HandInPhoto | None]:
        start_tensorflow()
        from handnet.images.hand_survey import see_hands

        return see_hands(paths, progress)

    return see


def _draw_synthetic(echo: Echo, progress: Progress) -> Path:
    from handnet.data.synthetic import write_synthetic

    name = f"synthetic-{_SYNTHETIC_PEOPLE}x{_SYNTHETIC_PHOTOS}-{_SYNTHETIC_SEED}"
    folder = find_drawn_folder(name)
    use_folder(folder)
    if not folder.exists():
        echo(f"drawing {_SYNTHETIC_PEOPLE} synthetic people into {folder}")
        write_synthetic(folder, _SYNTHETIC_PEOPLE, _SYNTHETIC_PHOTOS, _SYNTHETIC_SEED, progress=progress)
    return folder
