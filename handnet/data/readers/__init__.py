"""Readers: a folder on disk to a DataSet of labelled photos, nothing decoded."""

from collections.abc import Callable
from pathlib import Path

from handnet.data.dataset import DataSet
from handnet.data.missing_labels import See
from handnet.data.readers.folder import read_folder
from handnet.data.readers.hands11k import read_hands11k
from handnet.data.readers.lfw import read_lfw, read_lfw_folds
from handnet.data.readers.tiny_imagenet import read_tiny_imagenet
from handnet.errors import ConfigError, format_unknown


def read_dataset(name: str, directory: Path, see: See | None = None) -> DataSet:
    """Read a data set by its reader's name.

    Args:
        name: a key of READERS.
        directory: the folder that holds the data set.
        see: tells which hand photos show, for the readers in FILLING_READERS; without it missing labels stay open.

    Raises:
        ConfigError: an unknown reader.
        DataError: a data set that cannot be used as it is.
    """
    if name not in READERS:
        raise ConfigError(format_unknown("reader", name, list(READERS)))
    if see is not None and name in FILLING_READERS:
        return FILLING_READERS[name](directory, see)
    return READERS[name](directory)


READERS: dict[str, Callable[[Path], DataSet]] = {
    "hands11k": read_hands11k,
    "folder": read_folder,
    "lfw": read_lfw,
    "lfw-folds": read_lfw_folds,
    "tiny-imagenet": read_tiny_imagenet,
    # `write_synthetic` draws hands into the layout of 11k Hands.
    "synthetic": read_hands11k,
}
# Those whose data sets may leave views and sides open.
FILLING_READERS: dict[str, Callable[[Path, See], DataSet]] = {"folder": read_folder}
