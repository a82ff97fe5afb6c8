"""Files of vectors: photos' embeddings with all that is known of each, for handnet's own evaluation and other programs."""

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.data.example import Example
from handnet.errors import ConfigError
from handnet.files import write_with

Floats = npt.NDArray[np.float32]


def check_vector_file(path: Path) -> None:
    """Raise where vectors cannot be written to a file of that name.

    Raises:
        ConfigError: an unknown ending, or one whose package is not installed.
    """
    if path.suffix not in VECTOR_FORMATS:
        raise ConfigError(
            f"Expected a file of vectors that ends with {' or '.join(VECTOR_FORMATS)}. Received: {str(path)!r}."
        )
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("A .parquet file needs the package pyarrow: pip install pyarrow. Or give a .npz file.")


def write_vectors(path: Path, embeddings: Floats, examples: Sequence[Example], labelled: bool) -> None:
    """Write vectors and labels, whole or not at all.

    An .npz file holds `embeddings` (N, D) and `paths` (N,), and of labelled photos `identities`, `views`, `sides` and
    `attributes` (JSON objects): what `handnet eval --embeddings` reads. A .parquet file has a row for each photo: path,
    identity, view, side, attributes and embedding, a list of D numbers.

    Args:
        path: a file that `check_vector_file` accepts.
        embeddings: float32 (N, D).
        examples: N photos.
        labelled: whether their labels are known.

    Raises:
        DiskError: the file cannot be written.
    """
    columns = {"paths": [example.path for example in examples]}
    if labelled:
        columns |= {
            "identities": [example.identity for example in examples],
            "views": [example.view for example in examples],
            "sides": [example.side for example in examples],
            "attributes": [json.dumps(dict(example.attributes), sort_keys=True) for example in examples],
        }
    write_with(path, lambda temporary: VECTOR_FORMATS[path.suffix](temporary, embeddings, columns))


def _write_npz(path: Path, embeddings: Floats, columns: Mapping[str, Sequence[str]]) -> None:
    arrays = {name: np.asarray(values, dtype=np.str_) for name, values in columns.items()}
    with path.open("wb") as file:
        np.savez(file, embeddings=embeddings, **arrays)  # type: ignore[arg-type]


def _write_parquet(path: Path, embeddings: Floats, columns: Mapping[str, Sequence[str]]) -> None:
    import pyarrow
    import pyarrow.parquet

    singular = {"paths": "path", "identities": "identity", "views": "view", "sides": "side", "attributes": "attributes"}
    table = {singular[name]: pyarrow.array(list(values), pyarrow.string()) for name, values in columns.items()}
    values = pyarrow.array(embeddings.ravel(), pyarrow.float32())
    table["embedding"] = pyarrow.FixedSizeListArray.from_arrays(values, embeddings.shape[1])
    pyarrow.parquet.write_table(pyarrow.table(table), path)


VECTOR_FORMATS: Mapping[str, Callable[[Path, Floats, Mapping[str, Sequence[str]]], None]] = {
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}
