"""Which places of two photos make their similarity."""

import keras
import numpy as np
import pytest

from handnet.evaluation.evidence import (
    explain_pair,
    occlude_cells,
    paint_cells,
    share_score,
    split_encoder,
)
from handnet.evaluation.linear_account import COMMON, account_for, account_linear
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.taps import SOURCES_LAYER, GridPooling
from handnet.networks.encoder import Encoder, UnitNormalization
from handnet.networks.feature_places import GRID, list_feature_groups
from handnet.networks.joined_discriminant import JoinedDiscriminantLayer


def build(backbone: keras.Model, hidden: bool = False) -> Encoder:
    features = keras.Input((backbone.output_shape[-1],))
    x = keras.layers.Dense(6, activation="relu")(features) if hidden else features
    head = keras.Model(features, UnitNormalization()(keras.layers.Dense(5, bias_initializer="normal")(x)))
    images = keras.Input(backbone.input_shape[1:])
    return Encoder(keras.Model(images, head(backbone(images))), backbone, head)


# Each of the many small networks is asked once or twice.
pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    drawn = np.full((2, 64, 64, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for photo, top in zip(drawn, (10, 16), strict=True):
        photo[top : top + 40, 16:48] = rng.integers(60, 220, (40, 32, 3))
    return drawn


@pytest.fixture(scope="module")
def hand() -> Encoder:
    keras.utils.set_random_seed(1)
    return build(build_backbone("hand", image_size_px=64))


@pytest.mark.slow
@pytest.mark.parametrize("with_mean", [False, True])
def test_the_shares_add_up_to_the_score(hand: Encoder, photos: np.ndarray, with_mean: bool) -> None:
    features = np.asarray(hand.backbone.predict_on_batch(photos), float)
    mean = 0.9 * features.mean(axis=0) if with_mean else None
    found = explain_pair(hand, photos, mean)
    vectors = hand.model.predict_on_batch(photos)
    assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    shares = found.shares
    assert shares is not None
    assert sum(shares.groups.values()) == pytest.approx(found.score, abs=1e-5)
    for photo in (0, 1):
        assert shares.cells[photo].sum() + shares.common[photo] == pytest.approx(found.score, abs=1e-5)
    assert list(shares.groups) == ["light and shade", "texture", "outline", "colour", "network", COMMON]
    # What is left of a pair of cells' shares is what either has with the common part.
    assert shares.pairs.shape == (GRID**2, GRID**2)


def test_the_share_of_one_feature_is_the_product_that_it_makes() -> None:
    # Two features in the first and last cell of a network's 2 × 2 grid; kernel by hand, no mean, no bias.
    groups = list_feature_groups(build_backbone("mini", image_size_px=64))
    assert groups is not None
    (group,) = groups
    features = np.zeros((2, group.width))
    last = group.width - 1
    features[:, 0], features[:, last] = (3.0, 1.0), (4.0, 0.0)
    kernel = np.zeros((group.width, 2))
    kernel[0, 0], kernel[last, 1] = 1.0, 1.0
    shares = share_score(features, groups, account_linear(kernel, np.zeros(2), features), np.zeros(group.width))
    # Vectors (3, 4)/5 and (1, 0): the score 0.6 is the first cell's alone, which covers the upper left quarter.
    assert shares.groups["network"] == pytest.approx(0.6)
    np.testing.assert_allclose(shares.cells.sum(axis=(1, 2)), 0.6)
    np.testing.assert_allclose(shares.cells[0, :4, :4], 0.6 / 16)
    np.testing.assert_allclose(shares.cells[0, 4:], 0.0, atol=1e-12)
    assert shares.pairs.sum() == pytest.approx(0.6)


def test_the_cells_of_a_pooled_map_add_up_to_the_score(photos: np.ndarray) -> None:
    keras.utils.set_random_seed(3)
    images = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(6, 8, 8, activation="relu")(images / 255.0)
    encoder = build(keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps)))
    mean = np.asarray(encoder.backbone.predict_on_batch(photos), float).mean(axis=0) * 0.8
    found = explain_pair(encoder, photos, mean)
    assert found.shares is not None
    assert found.shares.cells is not None
    assert sum(found.shares.groups.values()) == pytest.approx(found.score, abs=1e-5)
    for photo in (0, 1):
        assert found.shares.cells[photo].sum() + found.shares.common[photo] == pytest.approx(found.score, abs=1e-5)
    # A place of the map is a place of the picture: the paper above the hand is the same in each cell, the hand is not.
    assert np.ptp(found.shares.cells[0, 0]) < 1e-6
    assert np.ptp(found.shares.cells[0, 3]) > 1e-4


def test_sources_have_exact_shares_by_name(photos: np.ndarray) -> None:
    keras.utils.set_random_seed(4)
    images = keras.Input((64, 64, 3))
    tapped = {}
    for name in ("near", "far"):
        inner = keras.Input((64, 64, 3))
        maps = keras.layers.Conv2D(4, 8, 8, activation="relu")(inner / 255.0)
        pooled = [GridPooling(cells)(maps) for cells in (2, 3)]
        tapped[name] = keras.Model(inner, keras.layers.Concatenate(name="features")(pooled))
    parts = [keras.layers.Identity(name=name)(network(images)) for name, network in tapped.items()]
    backbone = keras.Model(images, keras.layers.Concatenate(name=SOURCES_LAYER)(parts))
    features = keras.Input((2 * 4 * 13,))
    layer = JoinedDiscriminantLayer([52, 52], 3, 9)
    head = keras.Model(features, UnitNormalization()(layer(features)))
    rng = np.random.default_rng(0)
    layer.set_weights([np.asarray(0.3 * rng.random(weight.shape), np.float32) for weight in layer.get_weights()])
    found = explain_pair(Encoder(keras.Model(images, head(backbone(images))), backbone, head), photos)
    assert found.shares is not None
    assert list(found.shares.groups) == ["near", "far", COMMON]
    assert sum(found.shares.groups.values()) == pytest.approx(found.score, abs=1e-5)
    assert found.shares.cells is None
    assert np.abs(found.occlusion).max() > 0


def test_a_cell_that_is_painted_changes_its_own_place_only(hand: Encoder, photos: np.ndarray) -> None:
    cells = np.zeros(GRID**2, bool)
    cells[9] = True
    painted = paint_cells(photos[0], cells, 7)
    assert (painted[8:16, 8:16] == 7).all()
    painted[8:16, 8:16] = photos[0, 8:16, 8:16]
    assert (painted == photos[0]).all()


@pytest.mark.slow
def test_occlusion_is_what_the_encoder_says_of_a_painted_picture(hand: Encoder, photos: np.ndarray) -> None:
    pictures, describe = split_encoder(hand)
    seen = np.asarray(pictures.predict_on_batch(photos.astype(np.float32)))
    vectors = np.asarray(describe.predict_on_batch(seen), float)
    np.testing.assert_allclose(vectors, hand.model.predict_on_batch(photos), atol=1e-5)
    fallen = occlude_cells(describe, seen, 0, vectors, 255)
    cells = np.arange(GRID**2) == 27
    alone = np.asarray(describe.predict_on_batch(paint_cells(seen[0], cells, 255)[None]), float)[0]
    assert fallen.ravel()[27] == pytest.approx(float(vectors[0] @ vectors[1] - alone @ vectors[1]), abs=1e-5)
    # White paper painted white is no change.
    assert np.abs(fallen[0, 0]) < 1e-5
    assert np.abs(fallen).max() > 1e-3


def test_a_head_that_is_not_linear_has_occlusion_alone(photos: np.ndarray) -> None:
    encoder = build(build_backbone("mini", image_size_px=64), hidden=True)
    assert account_for(encoder.head, np.ones((2, encoder.head.input_shape[-1]))) is None
    found = explain_pair(encoder, photos)
    assert found.shares is None
    assert found.occlusion.shape == (2, GRID, GRID)
