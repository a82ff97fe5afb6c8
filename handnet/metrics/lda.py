"""Linear discriminant analysis between identities: a projection head in closed form, NumPy only."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from handnet.errors import DataError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def fit_discriminant(
    features: npt.NDArray[np.floating],
    identities: Sequence[str],
    views: Sequence[str] | None,
    num_directions: int,
    penalty: float,
) -> tuple[Floats, Floats]:
    """Return the linear map under which photos of one identity lie close and those of different ones far apart.

    The scatter within identities is whitened, and what then varies most between them is kept. Both views of a person
    weigh the same, however many photos each has; of a person with one view the photos' spread about their mean is used, at
    half the weight.

    Args:
        features: (N, F), finite.
        identities: of each row.
        views: of each row; None where photos have none, and all weigh the same.
        num_directions: columns of the result; those beyond the identities less one do not exist and are zero.
        penalty: the scatter within is enlarged by this times its mean eigenvalue, in every direction, > 0: few photos say
            little of directions in which they hardly vary.

    Returns:
        float32 (F, num_directions) and the bias (num_directions,), which brings the mean of the features to zero.

    Raises:
        DataError: fewer than two identities, or nobody with two different photos.

    Reference:
        Fisher 1936; Rao 1948. The penalty is Friedman's 1989 (regularised discriminant analysis, equation 18 with λ = 0).
    """
    names = np.asarray(identities)
    x = np.asarray(features, np.float64)
    mean = x.mean(axis=0)
    x = x - mean
    if len(np.unique(names)) < 2:
        raise DataError(f"Discriminant analysis needs at least two identities. Received: {len(np.unique(names))}.")
    z, lift = _find_coordinates(x)
    deviations, middles = _split_scatter(z, names, None if views is None else np.asarray(views))
    if not np.any(deviations):
        raise DataError("Discriminant analysis needs at least one person with two different photos.")
    within = deviations.T @ deviations
    within[np.diag_indices_from(within)] += penalty * np.trace(within) / len(within)
    whiten = np.linalg.inv(np.linalg.cholesky(within)).T
    _, _, directions = np.linalg.svd((middles - middles.mean(axis=0)) @ whiten, full_matrices=False)
    kept = directions[: min(num_directions, len(middles) - 1)]
    found = whiten @ kept.T
    # The scale is free: unit vectors follow.
    found /= np.sqrt(np.mean(np.sum(np.square(z @ found), axis=1)))
    kernel = np.zeros((x.shape[1], num_directions))
    kernel[:, : len(kept)] = _fix_signs(lift(found))
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def _find_coordinates(x: Doubles) -> tuple[Doubles, Callable[[Doubles], Doubles]]:
    """Return the centred rows in an orthonormal basis of their span, and what turns directions in it into columns of features.

    Of rows that are fewer than their features the basis itself, a large matrix, is never made.
    """
    rows, width = x.shape
    if width <= rows:
        return x, lambda directions: directions
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > 1e-10 * values[-1]
    lengths = np.sqrt(values[kept])
    vectors = vectors[:, kept]
    return np.asarray(vectors * lengths), lambda directions: np.asarray(x.T @ ((vectors / lengths) @ directions))


def _split_scatter(
    z: Doubles, identities: npt.NDArray[np.str_], views: npt.NDArray[np.str_] | None
) -> tuple[Doubles, Doubles]:
    """Return weighted deviations whose products sum to the mean scatter within, and the identities' middles."""
    deviations, middles, total = np.zeros_like(z), [], 0.0
    for identity in np.unique(identities):
        rows = np.flatnonzero(identities == identity)
        weights = np.full(len(rows), 1.0)
        if views is not None:
            seen, counts = np.unique(views[rows], return_counts=True)
            weights = 0.5 / counts[np.searchsorted(seen, views[rows])]
        middle = weights @ z[rows] / weights.sum()
        deviations[rows] = (z[rows] - middle) * np.sqrt(weights)[:, None]
        middles.append(middle)
        total += float(weights.sum())
    return deviations / np.sqrt(total), np.stack(middles)


def _fix_signs(kernel: Doubles) -> Doubles:
    """Return the columns, each with its largest entry positive: LAPACK's signs differ from build to build."""
    largest = np.take_along_axis(kernel, np.abs(kernel).argmax(axis=0)[None], axis=0)
    return np.asarray(kernel * np.where(largest < 0, -1.0, 1.0))
