"""Which places of two photos make their similarity: each cell's share of the score, and occlusion, which needs no account of it.

For a linear head over features that lie on a grid the shares are exact. With features f of a photo, their mean f₀ over other
photos, the head's kernel W and bias b, and z = W(f − f₀) + (W f₀ + b), a photo's vector is z / |z|; z is a sum over cells, and
the cosine of two photos is bilinear in their vectors: the share of a pair of cells is the product of their parts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.image import ImageConfig
from handnet.config.settings import ModelConfig
from handnet.console import Progress, hide_progress
from handnet.embedding.features import compute_features
from handnet.evaluation.linear_account import COMMON, LinearAccount, account_for, list_rows
from handnet.evaluation.picture_landmarks import find_picture_landmarks
from handnet.images.photo_store import prepare_photos
from handnet.networks.encoder import Encoder
from handnet.networks.feature_places import (
    GRID,
    FeatureGroup,
    find_described_picture,
    find_pooled_map,
    lay_cells,
    list_feature_groups,
)

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
# Photos whose mean the shares are counted from.
_NUM_REFERENCE = 64


class Shares(NamedTuple):
    """The exact shares of a score; each photo's shares and what is common add up to it.

    Attributes:
        groups: what is described → its share of the score, the mean of both photos' accounts; `COMMON` among them.
        cells: (2, GRID, GRID) the share of each cell, in either photo; None where the places of some features are not known.
        pairs: (GRID², GRID²) the share of each cell of the first photo with each cell of the second; None as well.
        common: (2,) what the mean of other photos brings in, in either photo's account.
    """

    groups: dict[str, float]
    cells: Floats | None
    pairs: Floats | None
    common: Floats


class Evidence(NamedTuple):
    """What made the similarity of two photos.

    Attributes:
        score: their cosine.
        pictures: uint8 (2, S, S, 3), what the features describe: the aligned hands, or the photos as the encoder sees them.
        shares: exact; None for an encoder whose features are not described or whose head is not linear.
        occlusion: (2, GRID, GRID), by how much the score falls when a cell of one photo is painted over.
        landmarks: (2, 21, 2) as (y, x) in 0..1 of the pictures, the same place of the hand in both; None where a
            hand is not found, or the networks that find it are not in the cache (`handnet weights fetch mediapipe-hands`).
    """

    score: float
    pictures: Pixels
    shares: Shares | None
    occlusion: Floats
    landmarks: Floats | None = None


def explain_pair(
    encoder: Encoder, photos: Pixels, mean_features: Floats | None = None, background: int = 255
) -> Evidence:
    """Return which places of two photos make their similarity.

    Args:
        encoder: its features and head.
        photos: uint8 (2, S, S, 3), as the encoder takes them.
        mean_features: (F,) the mean of other photos' features, from which the shares are counted; None counts from zero,
            and what all hands have in common is then among the shares.
        background: grey level with which cells are painted over.
    """
    pictures, describe = split_encoder(encoder)
    described = np.asarray(keras.ops.convert_to_numpy(pictures(photos.astype(np.float32), training=False)), np.float32)
    vectors = embed_pictures(describe, described)
    score = float(vectors[0] @ vectors[1])
    shares = None
    groups = list_feature_groups(encoder.backbone)
    if groups is not None:
        features = np.asarray(encoder.backbone.predict_on_batch(photos), np.float64)
        account = account_for(encoder.head, features)
        mean = np.zeros(features.shape[1]) if mean_features is None else mean_features
        if account is not None and (maps := find_pooled_map(encoder.backbone)) is not None:
            features, groups, account, mean = _unpool(keras.Model(encoder.backbone.input, maps), photos, account, mean)
        shares = None if account is None else share_score(features, groups, account, mean)
    occlusion = np.stack([occlude_cells(describe, described, which, vectors, background) for which in (0, 1)])
    shown = np.clip(np.round(described), 0, 255).astype(np.uint8)
    return Evidence(score, shown, shares, occlusion, find_picture_landmarks(shown))


def average_features(
    encoder: Encoder, paths: Sequence[str], image: ImageConfig, model: ModelConfig, progress: Progress = hide_progress
) -> Floats:
    """Return the mean features (F,) of some photos, evenly chosen: what a photo is compared with when its shares are counted.

    Args:
        encoder: whose features.
        paths: e.g. of the training photos.
        image: how the run makes squares of photos.
        model: the run's settings of the model.
        progress: told of each piece of work.
    """
    some = paths[:: max(1, len(paths) // _NUM_REFERENCE)]
    features = compute_features(encoder.backbone, prepare_photos(some, image), image, model, progress=progress)
    return np.asarray(features.mean(axis=0, dtype=float))


def share_score(
    features: Floats,
    groups: Sequence[FeatureGroup],
    account: LinearAccount,
    mean: Floats,
) -> Shares:
    """Return the exact shares of the cosine of two photos.

    Args:
        features: (2, F).
        groups: what the features describe and where.
        account: how the two vectors come from the features.
        mean: (F,) the features from which the shares are counted.

    Raises:
        ConfigError: groups that do not make up the features.
    """
    names = list(dict.fromkeys(group.name for group in groups))
    common = account.constants.copy()
    placed = all(group.places is not None for group in groups)
    # What each group in each cell adds to the vector of each photo.
    parts = np.zeros((2, len(names), GRID**2 if placed else 1, account.kernel.shape[1]))
    for group, rows, source in list_rows(groups, account.widths):
        for photo in (0, 1):
            factor, kernel = account.factors[photo, source], account.kernel[rows]
            common[photo] += factor * (mean[rows] @ kernel)
            added = factor * (features[photo, rows] - mean[rows])
            if not placed or group.places is None:
                parts[photo, names.index(group.name), 0] += added @ kernel
                continue
            own = np.zeros((len(group.places), kernel.shape[1]))
            np.add.at(own, group.owner, added[:, None] * kernel)
            parts[photo, names.index(group.name)] += group.places.T @ own
    vectors = parts.sum(axis=(1, 2)) + common
    by_group = np.stack([parts[0] @ vectors[1], parts[1] @ vectors[0]])
    shared = np.array([common[0] @ vectors[1], common[1] @ vectors[0]])
    sums = by_group.sum(axis=2).mean(axis=0)
    cells = by_group.sum(axis=1).reshape(2, GRID, GRID) if placed else None
    pairs = parts[0].sum(axis=0) @ parts[1].sum(axis=0).T if placed else None
    found = {name: float(value) for name, value in zip(names, sums, strict=True)}
    return Shares({**found, COMMON: float(shared.mean())}, cells, pairs, shared)


def _unpool(
    maps: keras.Model, photos: Pixels, account: LinearAccount, mean: Floats
) -> tuple[Floats, list[FeatureGroup], LinearAccount, Floats]:
    """Return features, groups, account and mean of the map of places whose mean the features are: its cells as features."""
    cells = np.asarray(maps.predict_on_batch(photos), np.float64)
    num_places = cells.shape[1] * cells.shape[2]
    kernel = np.tile(account.kernel / num_places, (num_places, 1))
    groups = [lay_cells("network", cells.shape[1], cells.shape[3])]
    unpooled = account._replace(kernel=kernel, widths=(len(kernel),))
    return cells.reshape(len(cells), -1), groups, unpooled, np.tile(mean, num_places)


def split_encoder(encoder: Encoder) -> tuple[keras.Model, keras.Model]:
    """Return the encoder in two: photos → the pictures that the features describe, and these → vectors."""
    picture = find_described_picture(encoder.backbone)
    return keras.Model(encoder.backbone.input, picture), keras.Model(picture, encoder.head(encoder.backbone.output))


def embed_pictures(describe: keras.Model, pictures: npt.NDArray[np.floating]) -> Floats:
    """Return the unit vectors (N, D) of described pictures (N, S, S, 3)."""
    return np.asarray(describe.predict_on_batch(pictures), np.float64)


def occlude_cells(
    describe: keras.Model, pictures: npt.NDArray[np.float32], which: int, vectors: Floats, background: int
) -> Floats:
    """Return by how much the score falls when each cell of one picture is painted over, (GRID, GRID).

    Args:
        describe: pictures → vectors.
        pictures: (2, S, S, 3).
        which: 0 or 1, the picture that is painted.
        vectors: (2, D) of the whole pictures.
        background: grey level of the paint.
    """
    each = np.eye(GRID**2, dtype=bool)
    painted = np.stack([paint_cells(pictures[which], cells, background) for cells in each])
    fallen = float(vectors[0] @ vectors[1]) - embed_pictures(describe, painted) @ vectors[1 - which]
    return fallen.reshape(GRID, GRID)


def paint_cells(picture: npt.NDArray[Any], cells: npt.NDArray[np.bool_], background: int) -> npt.NDArray[Any]:
    """Return a picture (S, S, 3) with some cells of the grid painted over.

    Args:
        picture: the picture.
        cells: (GRID²,) which cells.
        background: grey level of the paint.
    """
    size = picture.shape[0]
    owner = np.arange(size) * GRID // size
    hidden = cells.reshape(GRID, GRID)[owner[:, None], owner[None, :]]
    return np.where(hidden[..., None], np.asarray(background, picture.dtype), picture)
