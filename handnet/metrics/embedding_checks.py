"""What embeddings and labels must satisfy before any figure is computed from them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handnet.data.example import VIEWS
from handnet.errors import EvaluationError, printable

NORM_TOLERANCE = 1e-3

FloatArray = npt.NDArray[np.floating]
Labels = Sequence[str] | Sequence[int] | npt.NDArray[np.generic]


def list_some(values: Sequence[object] | npt.NDArray[np.generic], limit: int = 5) -> str:
    """Return the first few values as text that is safe to print, with the count of the others.

    Args:
        values: what to list.
        limit: how many to name.
    """
    shown = ", ".join(printable(str(value)) for value in values[:limit])
    return shown + (f" and {len(values) - limit} more" if len(values) > limit else "")


def check_embeddings(embeddings: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the embeddings as float32 rows of exactly unit norm, or say what is wrong with them.

    Args:
        embeddings: (N, D), each row of unit norm to within 1e-3.

    Returns:
        float32 (N, D), a copy; rows off by more than 1e-6 are renormalised, so that a dot product is the cosine.

    Raises:
        EvaluationError: wrong shape, no rows, NaN or infinity, or rows that are not of unit norm.
    """
    array = np.asarray(embeddings)
    if array.ndim != 2 or array.shape[1] == 0:
        raise EvaluationError(f"Embeddings must have the shape (photos, dimensions). Received: shape {array.shape}.")
    if array.shape[0] == 0:
        raise EvaluationError("Embeddings must have at least one row. Received none: is the part of the split empty?")
    if not (np.issubdtype(array.dtype, np.floating) or str(array.dtype) == "bfloat16"):
        raise EvaluationError(f"Embeddings must be floating-point numbers. Received: dtype {array.dtype}.")
    array = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"Embeddings must be finite. Received: NaN or infinity in {len(bad)} of {len(array)} rows "
            f"(rows {list_some(bad)}). The model diverged or a photo is damaged: train again with a lower rate, or "
            "look at those photos."
        )
    norms = np.linalg.norm(array, axis=1)
    off = np.flatnonzero(np.abs(norms - 1.0) > NORM_TOLERANCE)
    if len(off):
        raise EvaluationError(
            f"Embeddings must have unit norm. Received: norms from {norms.min():.4g} to {norms.max():.4g}, "
            f"{len(off)} of {len(array)} rows off (rows {list_some(off)}). Divide each row by its norm, or ask for it "
            "with --normalize."
        )
    # Rows that are as near to one as float32 gets stay bit for bit what they were.
    return np.where(np.abs(norms - 1.0)[:, None] > 1e-6, array / norms[:, None], array)


def normalize_rows(vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return each row divided by its norm.

    Args:
        vectors: (N, D), finite, no row of zeros.

    Raises:
        EvaluationError: a row whose norm is zero has no direction.
    """
    array = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(array, axis=1)
    zero = np.flatnonzero(norms < 1e-12)
    if len(zero):
        raise EvaluationError(
            f"Every vector must have a direction. Received: norm 0 in {len(zero)} of {len(array)} rows "
            f"(rows {list_some(zero)})."
        )
    return np.asarray(array / norms[:, None], dtype=np.float32)


def check_lengths(num_rows: int, **columns: Labels) -> None:
    """Raise where a column of labels does not have one entry per embedding.

    Args:
        num_rows: rows of the embeddings.
        columns: name and values of each column.

    Raises:
        EvaluationError: naming the first column that does not fit.
    """
    for name, values in columns.items():
        if len(values) != num_rows:
            raise EvaluationError(
                f"`{name}` must have one entry per embedding, {num_rows}. Received: {len(values)} entries. "
                "Are the labels those of another data set or part?"
            )


def check_views(views: Labels) -> npt.NDArray[np.str_]:
    """Return the views as an array of text, or name the values that are no views.

    Args:
        views: "dorsal" or "palmar" each; or "" each, of photos that have no views.

    Raises:
        EvaluationError: some other value, or views of some photos only.
    """
    array = np.asarray(views).astype(str)
    if len(array) and (array == "").all():
        return array
    unknown = sorted(set(array.tolist()) - set(VIEWS))
    if unknown:
        raise EvaluationError(
            f"A view must be one of: {', '.join(VIEWS)}. Received: {list_some([*map(repr, unknown)])}."
        )
    return array


def find_two_view_people(identities: npt.NDArray[np.generic], views: npt.NDArray[np.str_]) -> npt.NDArray[np.generic]:
    """Return the people with both a dorsal and a palmar photo, sorted.

    Args:
        identities: (N,) person of each photo.
        views: (N,) "dorsal" or "palmar".

    Raises:
        EvaluationError: fewer than two such people, with whom nothing can be mistaken.
    """
    people = np.intersect1d(identities[views == "dorsal"], identities[views == "palmar"])
    if len(people) < 2:
        total = len(np.unique(identities))
        raise EvaluationError(
            f"Retrieval needs at least two people with both dorsal and palmar photos. Received: {len(people)} such, of "
            f"{total} {'person' if total == 1 else 'people'} with {int((views == 'dorsal').sum())} dorsal and "
            f"{int((views == 'palmar').sum())} palmar photos. Evaluate another part of the split, or add photos."
        )
    return people
