"""The embeddings of one part of a data set with all that is known of each photo, and the one form of their files."""

import importlib.util
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.data.dataset import normalise_identity
from handnet.data.example import SIDES, Example
from handnet.data.photo_files import escape_name
from handnet.data.remote.addresses import is_address
from handnet.data.remote.any_folder import Folder
from handnet.data.table import is_missing
from handnet.errors import ConfigError, EvaluationError
from handnet.files import parse_json, write_with
from handnet.metrics.embedding_checks import check_embeddings, check_lengths, check_views, list_some, normalize_rows
from handnet.metrics.vector_folder import read_vector_folder

Attributes = Mapping[str, str]
Columns = Mapping[str, npt.NDArray[Any]]
_REQUIRED = ("embeddings", "identities", "views")
# What is known of each photo, and its name in a table with a row for each.
_SINGULAR = {"paths": "path", "identities": "identity", "views": "view", "sides": "side", "attributes": "attributes"}
# What was seen in each photo, whether it has labels or not.
_SEEN = {
    "hand_scores": "hand_score",
    "seen_sides": "seen_side",
    "seen_views": "seen_view",
    "seen_confidences": "seen_confidence",
    "qualities": "quality",
    "findings": "finding",
}
_OF_THE_FILE = ("name", "model", "photos")


@dataclass(frozen=True, slots=True)
class EmbeddedPart:
    """Embeddings and labels, row by row.

    Attributes:
        embeddings: float32 (N, D), unit norm.
        identities: (N,) text, the person of each photo; "" each where nobody knows.
        views: (N,) "dorsal" or "palmar"; "" each where there are none.
        sides: (N,) "left", "right", or "" where unknown.
        attributes: N mappings of text, empty where nothing is known.
        paths: N file names, "" where unknown.
        name: what the part is called, e.g. "test".
        model: digest of the weights that made the vectors, "" where unknown.
        photos: digest of the bytes and labels of all these photos, "" where unknown.
    """

    embeddings: npt.NDArray[np.float32]
    identities: npt.NDArray[np.str_]
    views: npt.NDArray[np.str_]
    sides: npt.NDArray[np.str_]
    attributes: tuple[Attributes, ...]
    paths: tuple[str, ...]
    name: str = ""
    model: str = ""
    photos: str = ""

    @property
    def hands(self) -> npt.NDArray[np.str_]:
        """The hand of each photo: person and side as one text."""
        return np.char.add(np.char.add(self.identities, " "), self.sides)

    def select(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "EmbeddedPart":
        """Return some of the rows, by index or by mask."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return EmbeddedPart(
            self.embeddings[index],
            self.identities[index],
            self.views[index],
            self.sides[index],
            tuple(self.attributes[i] for i in index),
            tuple(self.paths[i] for i in index),
            self.name,
            self.model,
        )

    def save(self, path: Path, seen: Columns | None = None, *, private: bool = False) -> None:
        """Write a file of vectors, whole or not at all; `load_part` reads it.

        An .npz file holds the arrays `embeddings` and `paths`, `name`, `model` and `photos`, and of labelled photos
        `identities`, `views`, `sides` and `attributes` (the text of JSON objects). A .parquet file has a row for each photo:
        path, identity, view, side, attributes and embedding, a list of D numbers.

        Args:
            path: a file that `check_vector_file` accepts.
            seen: what was seen in the N photos, to be written as well: `hand_scores`, `seen_sides`, `seen_views`,
                `seen_confidences`, `qualities` and `findings`, each (N,); in a table `hand_score`, `seen_side` and so on.
                They are no labels: `load_part` passes them over.
            private: for its owner's eyes alone.

        Raises:
            ConfigError: as `check_vector_file`.
            DiskError: a folder that cannot be written.
        """
        check_vector_file(path)
        columns = {"paths": np.array(self.paths, dtype=np.str_)}
        if (self.identities != "").any():
            attributes = [json.dumps(dict(row), sort_keys=True) for row in self.attributes]
            columns |= {"identities": self.identities, "views": self.views, "sides": self.sides}
            columns["attributes"] = np.array(attributes, dtype=np.str_)
        columns |= dict(seen or {})
        facts = {"name": self.name, "model": self.model, **({"photos": self.photos} if self.photos else {})}
        write = VECTOR_FORMATS[path.suffix].write
        write_with(path, lambda temporary: write(temporary, self.embeddings, columns, facts), private=private)


def check_vector_file(path: Path) -> None:
    """Raise where vectors cannot be written to a file of that name, or read from it.

    Raises:
        ConfigError: an unknown ending, or one whose package is not installed.
    """
    if path.suffix not in VECTOR_FORMATS:
        raise ConfigError(
            f"Expected a file of vectors that ends with {' or '.join(VECTOR_FORMATS)}. Received: {str(path)!r}."
        )
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("A .parquet file needs the package pyarrow: pip install pyarrow. Or give a .npz file.")


def make_part(
    embeddings: npt.ArrayLike,
    identities: Sequence[str] | npt.NDArray[np.generic],
    views: Sequence[str] | npt.NDArray[np.generic],
    sides: Sequence[str] | npt.NDArray[np.generic] | None = None,
    attributes: Sequence[Attributes] | None = None,
    paths: Sequence[str] | None = None,
    name: str = "",
    model: str = "",
) -> EmbeddedPart:
    """Check embeddings and labels and put them together.

    Args:
        embeddings: float (N, D), unit norm.
        identities: (N,) person of each photo.
        views: (N,) "dorsal" or "palmar".
        sides: (N,) "left", "right" or "".
        attributes: N mappings of text.
        paths: N file names.
        name: what the part is called.
        model: digest of the weights that made the vectors.

    Raises:
        EvaluationError: NaN or unnormalised embeddings, mismatched lengths, unknown views or sides.
    """
    vectors = check_embeddings(embeddings)
    count = len(vectors)
    sides = [""] * count if sides is None else sides
    attributes = [{}] * count if attributes is None else attributes
    paths = [""] * count if paths is None else paths
    check_lengths(count, identities=identities, views=views, sides=sides, paths=paths)
    if len(attributes) != count:
        raise EvaluationError(f"`attributes` must have one entry per embedding, {count}. Received: {len(attributes)}.")
    side_array = np.asarray(sides).astype(str)
    unknown = sorted(set(side_array.tolist()) - {*SIDES, ""})
    if unknown:
        raise EvaluationError(
            f'A side must be one of: {", ".join(SIDES)}, or "" where unknown. '
            f"Received: {list_some([*map(repr, unknown)])}."
        )
    return EmbeddedPart(
        vectors,
        np.asarray(identities).astype(str),
        check_views(views),
        side_array,
        tuple({str(k): str(v) for k, v in row.items()} for row in attributes),
        tuple(str(path) for path in paths),
        name,
        model,
    )


def label_embeddings(
    embeddings: npt.ArrayLike, examples: Sequence[Example], name: str = "", model: str = ""
) -> EmbeddedPart:
    """Put the embeddings of photos and the photos' labels together.

    Args:
        embeddings: float (N, D), unit norm, in the order of the examples.
        examples: N photos.
        name: what the part is called.
        model: digest of the weights that made the vectors.

    Raises:
        EvaluationError: as `make_part`.
    """
    return make_part(
        embeddings,
        [example.identity for example in examples],
        [example.view for example in examples],
        [example.side for example in examples],
        [example.attributes for example in examples],
        [example.path for example in examples],
        name,
        model,
    )


def load_part(path: Path | str, normalize: bool = False, with_attributes: bool = True) -> EmbeddedPart:
    """Read embeddings and labels that handnet or any other program wrote.

    Needed: `embeddings` (N, D), `identities` (N,), `views` (N,); optional: `sides`, `paths` (N,) and `attributes` (N,),
    the text of JSON objects, `name`, `model` and `photos`. In a .parquet file these are the columns of `EmbeddedPart.save`.
    Nothing is unpickled.

    Args:
        path: an .npz or .parquet file; or a folder of `handnet embed --cluster`, which may be an address, s3://BUCKET/FOLDER.
        normalize: divide each row by its norm, for models that do not.
        with_attributes: without them a row takes a fraction of the memory.

    Raises:
        ConfigError: as `check_vector_file`.
        EvaluationError: no such file, another format, no labels, or as `make_part`.
    """
    if is_address(str(path)) or Path(path).is_dir():
        columns = read_vector_folder(Folder(str(path)), _read_parquet)
    elif not Path(path).exists() and not Path(path).suffix:
        raise EvaluationError(
            f"There are no vectors at {str(path)!r}. Expected a file that ends with {' or '.join(VECTOR_FORMATS)}, or the "
            "folder that `handnet embed --cluster` wrote."
        )
    else:
        check_vector_file(Path(path))
        columns = _read_columns(Path(path))
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise EvaluationError(
            f"{path} must hold the arrays {', '.join(_REQUIRED)}. Missing: {', '.join(missing)}. "
            f"Found: {', '.join(sorted(columns)) or 'none'}. Only vectors with labels can be evaluated: embed a folder whose "
            "photos have a table, HandInfo.csv or labels.csv."
        )
    vectors = columns["embeddings"]
    if normalize and vectors.ndim == 2 and np.isfinite(vectors.astype(np.float32)).all():
        vectors = normalize_rows(vectors)
    attributes = columns.get("attributes") if with_attributes else None
    try:
        rows = None if attributes is None else [parse_json(str(text)) for text in attributes]
        if rows is not None and not all(isinstance(row, dict) for row in rows):
            raise ValueError("an entry is no object")
    except ValueError as error:
        raise EvaluationError(f"`attributes` in {path} must be the text of JSON objects. Received: {error}.") from error
    part = make_part(
        vectors,
        _check_identities(path, columns["identities"]),
        columns["views"].ravel(),
        columns.get("sides"),
        rows,
        None if "paths" not in columns else columns["paths"].tolist(),
        str(columns.get("name", Path(path).stem)),
        str(columns.get("model", "")),
    )
    return replace(part, photos=str(columns.get("photos", "")))


def _check_identities(path: Path | str, identities: npt.NDArray[Any]) -> list[str]:
    names = [str(identity) for identity in identities.ravel()]
    if missing := [row for row, name in enumerate(names) if is_missing(name) and name]:
        raise EvaluationError(
            f"`identities` in {path} must name the person of each row. Received: {names[missing[0]]!r} in row {missing[0]} "
            f"(rows count from 0; {len(missing)} such)."
        )
    return names


def _read_columns(path: Path) -> Columns:
    try:
        return VECTOR_FORMATS[path.suffix].read(path)
    except OSError as error:
        raise EvaluationError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    # What numpy says of it is how to unpickle it, the last thing to do with a file of unknown origin.
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EvaluationError(
            f"{str(path)!r} is not an {path.suffix} file of plain arrays, or is damaged. Write it with numpy.savez(path, "
            "embeddings=…, identities=…, views=…), text as str arrays and not as objects."
        ) from error


def _read_npz(path: Path) -> Columns:
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise EvaluationError(f"{path} must be an .npz file with named arrays. Received: one array without a name.")
    with archive:
        return {name: archive[name] for name in archive.files}


def _write_npz(path: Path, embeddings: npt.NDArray[np.float32], columns: Columns, facts: Mapping[str, str]) -> None:
    arrays: dict[str, Any] = {**columns, **{name: np.array(fact) for name, fact in facts.items()}}
    with path.open("wb") as file:
        np.savez_compressed(file, embeddings=embeddings, **arrays)


def _read_parquet(path: Path | IO[bytes]) -> Columns:
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    columns: dict[str, npt.NDArray[Any]] = {
        name: np.asarray(["" if value is None else str(value) for value in table[column].to_pylist()], dtype=np.str_)
        for name, column in _SINGULAR.items()
        if column in table.column_names
    }
    if "embedding" in table.column_names:
        vectors = table["embedding"].combine_chunks()
        if not (pyarrow.types.is_list(vectors.type) or pyarrow.types.is_fixed_size_list(vectors.type)):
            raise ValueError("vectors that are no lists")
        if vectors.null_count or len(pyarrow.compute.unique(pyarrow.compute.list_value_length(vectors))) > 1:
            raise ValueError("vectors of different lengths")
        values = vectors.flatten().to_numpy(zero_copy_only=False)
        columns["embeddings"] = values.reshape(len(vectors), -1) if len(vectors) else np.zeros((0, 1), np.float32)
    known = table.schema.metadata or {}
    columns |= {fact: np.array(known[fact.encode()].decode()) for fact in _OF_THE_FILE if fact.encode() in known}
    return columns


def _write_parquet(path: Path, embeddings: npt.NDArray[np.float32], columns: Columns, facts: Mapping[str, str]) -> None:
    import pyarrow
    import pyarrow.parquet

    # Unlike numpy's text that of Parquet is UTF-8 always.
    table = {
        (_SINGULAR | _SEEN)[name]: pyarrow.array([escape_name(value) for value in values.tolist()], pyarrow.string())
        if values.dtype.kind == "U"
        else pyarrow.array(values.tolist(), pyarrow.float32())
        for name, values in columns.items()
    }
    values = pyarrow.array(embeddings.ravel(), pyarrow.float32())
    table["embedding"] = pyarrow.FixedSizeListArray.from_arrays(values, embeddings.shape[1])
    pyarrow.parquet.write_table(pyarrow.table(table, metadata=dict(facts)), path)


def check_disjoint(validation: EmbeddedPart, test: EmbeddedPart) -> None:
    """Raise where people of validation are in the test part too: what is fitted on them would be tested on them.

    Args:
        validation: the part on which thresholds and calibrations are fitted.
        test: the part on which they are tested.

    Raises:
        EvaluationError: people in both.
    """
    # As the readers spell them: ids that one program wrote as 1 and another as 1.0 are one person.
    one, other = ({normalise_identity(str(name)) for name in part.identities} for part in (validation, test))
    if shared := sorted(one & other):
        raise EvaluationError(
            "Thresholds and calibrations must be fitted on other people than they are tested on. "
            f"Received: {len(shared)} people in both ({list_some(shared)}). Give the validation people "
            "of the run's own split."
        )


def check_same_model(validation: EmbeddedPart, test: EmbeddedPart) -> None:
    """Raise where two parts hold vectors of different models: a threshold of one means nothing for the other.

    Args:
        validation: the part on which thresholds and calibrations are fitted.
        test: the part to which they are applied.

    Raises:
        EvaluationError: vectors of another width, or of other weights where both files say which.
    """
    widths = validation.embeddings.shape[1], test.embeddings.shape[1]
    if widths[0] != widths[1]:
        raise EvaluationError(
            "Validation and test vectors must come from the same model. "
            f"Received: vectors of {widths[0]} numbers for validation and of {widths[1]} for the test. Embed both with one run."
        )
    if validation.model and test.model and validation.model != test.model:
        raise EvaluationError(
            "Validation and test vectors must come from the same model. "
            f"Received: those of the weights {validation.model[:12]}… and {test.model[:12]}…. Embed both with one run."
        )


class VectorFormat(NamedTuple):
    """How vectors lie in a file.

    Attributes:
        write: (file, embeddings, columns, facts of the file).
        read: file → columns, "embeddings" and the facts among them; raises OSError or ValueError.
    """

    write: Callable[[Path, npt.NDArray[np.float32], Columns, Mapping[str, str]], None]
    read: Callable[[Path], Columns]


VECTOR_FORMATS: dict[str, VectorFormat] = {
    ".npz": VectorFormat(_write_npz, _read_npz),
    ".parquet": VectorFormat(_write_parquet, _read_parquet),
}
