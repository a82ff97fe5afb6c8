"""Discriminant analysis for single photos of two views, one for each source of features. NumPy only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.metrics.lda import fit_discriminant

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# A vector's length is measured along each direction in proportion to this power of the people's variance there.
LENGTH_POWER = 0.8
# The median length of a photo's vector before the two coordinates of the view are added; longer than 1 is cut.
_MEDIAN_LENGTH = 0.6
# So steep that a photo has one view or the other: half a view would lie close to the photos of both.
_VIEW_SHARPNESS = 300.0


class Source(NamedTuple):
    """Features that belong together and get a discriminant analysis of their own.

    Attributes:
        name: where they come from.
        widths: of its groups, e.g. one for each depth of a network; each is brought to the same root mean square.
        tells_view: whether its features help to tell the views apart.
        score_weight: what its scores count against those of a source of weight 1, > 0.
    """

    name: str
    widths: tuple[int, ...]
    tells_view: bool = True
    score_weight: float = 1.0


class SourceMap(NamedTuple):
    """What a source's features are turned into.

    Attributes:
        kernel: float32 (F, K).
        bias: float32 (K,), which brings the mean of the second view to zero.
        shift: float32 (K,), the mean of the first view after that; zero without views.
        importance: float32 (K,), ≥ 0: the length of a row z is sqrt(sum(importance · z²)).
    """

    kernel: Floats
    bias: Floats
    shift: Floats
    importance: Floats


class JoinedDiscriminant(NamedTuple):
    """The maps of all sources, and what tells the views apart.

    Attributes:
        maps: one for each source.
        view_kernel: float32 (F, 1) of all features; sigmoid(x · kernel + bias) is near 1 for the first view.
        view_bias: float32 (1,).
        has_views: 1 where the vectors carry the two coordinates of the view, else 0.
    """

    maps: tuple[SourceMap, ...]
    view_kernel: Floats
    view_bias: Floats
    has_views: float


def fit_joined_discriminant(
    features: npt.NDArray[np.floating],
    sources: Sequence[Source],
    identities: Sequence[str],
    views: Sequence[str] | None,
    num_directions: int,
    penalty: float,
    view_penalty: float = 1.0,
) -> JoinedDiscriminant:
    """Return the maps under which a photo of one view lies close to the photos of the same person in the other view.

    For each source: its groups are brought to one scale, the mean of each view is taken off, and `fit_discriminant` finds the
    directions z. The score of two photos is the sum over sources of z · w / (|z| |w|), where lengths are measured by the
    people's variance along each direction to the power 0.8: of a stranger's photo, directions that hardly told the training
    people apart are mostly noise, and noise must not decide how long a vector is. Each source's scores are divided by their
    spread between the training photos, so that sources weigh what `score_weight` says.

    Args:
        features: (N, F), finite; the sources' columns one after another.
        sources: what the columns are.
        identities: of each row.
        views: of each row, two different ones; None, or another number of them: the mean of all is taken off.
        num_directions: columns of each source.
        penalty: see `fit_discriminant`.
        view_penalty: of the ridge regression that tells the views apart, in shares of the features' mean variance. One photo
            with the wrong view lies close to everybody's of the other, so the worst photo counts, and which penalty leaves
            none there depends on the features.

    Raises:
        DataError: as `fit_discriminant`.

    Reference:
        Separate analyses that are summed: Ho 1998, "The random subspace method" (here the subspaces are the sources). Length
        normalisation before scoring: Garcia-Romero and Espy-Wilson 2011, whose length counts all directions equally.
    """
    x = np.asarray(features, np.float64)
    names = np.asarray(identities)
    kinds = np.zeros(len(x), bool)
    has_views = views is not None and len(set(views)) == 2
    if views is not None and has_views:
        kinds = np.array([view == min(views) for view in views], bool)
    view_kernel, view_bias = np.zeros((x.shape[1], 1)), np.zeros(1)
    if has_views:
        view_kernel, view_bias = _fit_view(x, sources, kinds, view_penalty)
    found, begin = [], 0
    for source in sources:
        columns = x[:, begin : begin + sum(source.widths)]
        begin += columns.shape[1]
        found.append(_fit_source(columns, source, names, kinds, views if has_views else None, num_directions, penalty))
    # One factor for all, so that half of the photos are shorter than the wanted length.
    lengths = np.sqrt(np.sum([np.sum(np.square(rows), axis=1) for _, rows in found], axis=0))
    factor = _MEDIAN_LENGTH / max(float(np.median(lengths)), 1e-12)
    maps = tuple(SourceMap(m.kernel, m.bias, m.shift, (m.importance / factor**2).astype(np.float32)) for m, _ in found)
    return JoinedDiscriminant(
        maps, view_kernel.astype(np.float32), view_bias.astype(np.float32), 1.0 if has_views else 0.0
    )


def _fit_source(
    x: Doubles,
    source: Source,
    names: npt.NDArray[np.str_],
    kinds: npt.NDArray[np.bool_],
    views: Sequence[str] | None,
    num_directions: int,
    penalty: float,
) -> tuple[SourceMap, Doubles]:
    """Return a source's map, and the training photos' rows under it."""
    if views:
        first, second = (_average_people(x[rows], names[rows]) for rows in (kinds, ~kinds))
    else:
        first = second = x.mean(axis=0)
    centred = x - np.where(kinds[:, None], first, second)
    scale = _find_scale(centred, source.widths)
    centred *= scale
    kernel, bias = fit_discriminant(centred, names.tolist(), views, num_directions, penalty)
    z = centred @ kernel + bias
    middles = np.stack([z[names == name].mean(axis=0) for name in np.unique(names)])
    importance = np.square(middles - middles.mean(axis=0)).mean(axis=0) ** LENGTH_POWER
    # The columns beyond the people less one are zero, and so is their variance.
    rows = z / np.sqrt(np.maximum(np.square(z) @ importance, 1e-12))[:, None]
    scores = rows[kinds] @ rows[~kinds].T if views else rows @ rows.T
    spread = max(float(scores.std()), 1e-12) / source.score_weight
    whole = scale[:, None] * kernel.astype(np.float64)
    return (
        SourceMap(
            whole.astype(np.float32),
            (bias - second @ whole).astype(np.float32),
            ((first - second) @ whole).astype(np.float32),
            (importance * spread).astype(np.float32),
        ),
        rows / np.sqrt(spread),
    )


def _find_scale(centred: Doubles, widths: Sequence[int]) -> Doubles:
    """Return for each column what brings its group's rows to a root mean square length of 1; 0 where a group is constant."""
    scale, begin = np.zeros(centred.shape[1]), 0
    for width in widths:
        group = slice(begin, begin + width)
        begin += width
        rms = np.sqrt(np.mean(np.sum(np.square(centred[:, group]), axis=1)))
        scale[group] = 1.0 / rms if rms > 0 else 0.0
    return scale


def _average_people(x: Doubles, names: npt.NDArray[np.str_]) -> Doubles:
    """Return the mean over people of each person's mean."""
    return np.asarray(np.mean([x[names == name].mean(axis=0) for name in np.unique(names)], axis=0))


def _fit_view(
    x: Doubles, sources: Sequence[Source], kinds: npt.NDArray[np.bool_], penalty: float
) -> tuple[Doubles, Doubles]:
    """Return a ridge regression on +1 and -1, sharpened for a sigmoid, in the space of the rows: they are fewer than columns."""
    mean = x.mean(axis=0)
    scale = _find_scale(x - mean, [width for source in sources for width in source.widths])
    telling = np.repeat([source.tells_view for source in sources], [sum(source.widths) for source in sources])
    if telling.any():
        scale = scale * telling
    centred = (x - mean) * scale
    gram = centred @ centred.T
    target = np.where(kinds, 1.0, -1.0)
    gram[np.diag_indices_from(gram)] += penalty * max(np.trace(gram) / len(gram), 1e-12)
    kernel = _VIEW_SHARPNESS * scale[:, None] * (centred.T @ np.linalg.solve(gram, target - target.mean()))[:, None]
    return kernel, _VIEW_SHARPNESS * target.mean() - mean @ kernel
