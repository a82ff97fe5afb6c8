"""The embeddings of one part of a data set with all that is known of each photo: what every evaluation starts from."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handnet.data.example import SIDES, Example
from handnet.errors import EvaluationError
from handnet.files import write_bytes
from handnet.metrics.checks import check_embeddings, check_lengths, check_views, list_some, normalize_rows

if TYPE_CHECKING:
    pass


Attributes = Mapping[str, str]


_REQUIRED = ("embeddings", "identities", "views")


@dataclass(frozen=True, slots=True)
class EmbeddedPart:
    """Embeddings and labels, row by row.

    Attributes:
        embeddings: float32 (N, D), unit norm.
        identities: (N,) text, the person of each photo.
        views: (N,) "dorsal" or "palmar".
        sides: (N,) "left", "right", or "" where unknown.
        attributes: N mappings of text, empty where nothing is known.
        paths: N file names, "" where unknown.
        name: what the part is called, as "test".
    """

    embeddings: npt.NDArray[np.float32]
    identities: npt.NDArray[np.str_]
    views: npt.NDArray[np.str_]
    sides: npt.NDArray[np.str_]
    attributes: tuple[Attributes, ...]
    paths: tuple[str, ...]
    name: str = ""

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
        )

    def save(self, path: Path) -> None:
        """Write `embeddings.npz`, whole or not at all; `load_part` reads it.

        Raises:
            DiskError: a folder that cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            embeddings=self.embeddings,
            identities=self.identities,
            views=self.views,
            sides=self.sides,
            attributes=np.array([json.dumps(dict(row), sort_keys=True) for row in self.attributes], dtype=np.str_),
            paths=np.array(self.paths, dtype=np.str_),
            name=np.array(self.name),
        )
        write_bytes(Path(path), buffer.getvalue())


def make_part(
    embeddings: npt.ArrayLike,
    identities: Sequence[str] | npt.NDArray[np.generic],
    views: Sequence[str] | npt.NDArray[np.generic],
    sides: Sequence[str] | npt.NDArray[np.generic] | None = None,
    attributes: Sequence[Attributes] | None = None,
    paths: Sequence[str] | None = None,
    name: str = "",
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
    )


def label_embeddings(embeddings: npt.ArrayLike, examples: Sequence[Example], name: str = "") -> EmbeddedPart:
    """Put the embeddings of photos and the photos' labels together.

    Args:
        embeddings: float (N, D), unit norm, in the order of the examples.
        examples: N photos.
        name: what the part is called.

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
    )


def load_part(path: Path, normalize: bool = False) -> EmbeddedPart:
    """Read embeddings and labels that handnet or any other program wrote.

    Needed: `embeddings` (N, D), `identities` (N,), `views` (N,); optional: `sides`, `paths` (N,) and `attributes` (N,),
    the text of JSON objects. Nothing is unpickled.

    Args:
        path: an .npz file.
        normalize: divide each row by its norm, for models that do not.

    Raises:
        EvaluationError: no such file, another format, arrays missing, or as `make_part`.
    """
    columns = dict(_read_arrays(Path(path)))
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise EvaluationError(
            f"{path} must hold the arrays {', '.join(_REQUIRED)}. Missing: {', '.join(missing)}. "
            f"Found: {', '.join(sorted(columns)) or 'none'}."
        )
    vectors = columns["embeddings"]
    if normalize and vectors.ndim == 2 and np.isfinite(vectors.astype(np.float32)).all():
        vectors = normalize_rows(vectors)
    attributes = columns.get("attributes")
    try:
        rows = None if attributes is None else [json.loads(str(text)) for text in attributes]
        if rows is not None and not all(isinstance(row, dict) for row in rows):
            raise ValueError("an entry is no object")
    except ValueError as error:
        raise EvaluationError(f"`attributes` in {path} must be the text of JSON objects. Received: {error}.") from error
    return make_part(
        vectors,
        columns["identities"],
        columns["views"],
        columns.get("sides"),
        rows,
        None if "paths" not in columns else columns["paths"].tolist(),
        str(columns.get("name", path.stem if isinstance(path, Path) else "")),
    )


def _read_arrays(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise EvaluationError(f"{path} must be an .npz file with named arrays. Received: one array without a name.")
        with archive:
            for name in archive.files:
                yield name, archive[name]
    except OSError as error:
        raise EvaluationError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    # What numpy says of it is how to unpickle it, the last thing to do with a file of unknown origin.
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise EvaluationError(
            f"{str(path)!r} is not an .npz file of plain arrays, or is damaged. Write it with numpy.savez(path, embeddings=…, "
            "identities=…, views=…), text as str arrays and not as objects."
        ) from error


def check_disjoint(validation: EmbeddedPart, test: EmbeddedPart) -> None:
    """Raise where people of validation are in the test part too: what is fitted on them would be tested on them.

    Args:
        validation: the part on which thresholds and calibrations are fitted.
        test: the part on which they are judged.

    Raises:
        EvaluationError: people in both.
    """
    shared = np.intersect1d(validation.identities, test.identities)
    if len(shared):
        raise EvaluationError(
            "Thresholds and calibrations must be fitted on other people than they are tested on. "
            f"Received: {len(shared)} people in both ({list_some(shared)}). Give the validation people "
            "of the run's own split."
        )
