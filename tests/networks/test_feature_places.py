"""Where in the picture the features of a backbone lie."""

import keras
import numpy as np
import pytest

from handnet.networks.backbones.build import build_backbone
from handnet.networks.feature_places import (
    GRID,
    find_described_picture,
    find_pooled_map,
    list_feature_groups,
    spread_cells,
)


@pytest.mark.parametrize("arch", ["hand", "mini", "small"])
def test_every_feature_has_a_place(arch: str) -> None:
    backbone = build_backbone(arch, image_size_px=64)
    groups = list_feature_groups(backbone)
    assert groups is not None
    assert sum(group.width for group in groups) == backbone.output_shape[-1]
    for group in groups:
        assert group.owner.shape == (group.width,)
        assert group.owner.max() == len(group.places) - 1
        np.testing.assert_allclose(group.places.sum(axis=1), 1.0)


@pytest.mark.slow
def test_features_change_where_the_picture_does() -> None:
    """A dot in one corner moves the features of that corner most, in every group whose cells are small."""
    keras.utils.set_random_seed(0)
    backbone = build_backbone("hand", image_size_px=64)
    groups = list_feature_groups(backbone)
    assert groups is not None
    plain = np.full((1, 64, 64, 3), 255, np.float32)
    dotted = plain.copy()
    dotted[0, 2:9, 50:60] = (190, 120, 90)
    change = np.abs(backbone.predict_on_batch(dotted) - backbone.predict_on_batch(plain))[0]
    start = 0
    for group in groups:
        own = np.zeros(len(group.places))
        np.add.at(own, group.owner, change[start : start + group.width])
        start += group.width
        if len(group.places) == GRID**2 and own.max() > 0:
            row, column = divmod(int(own.argmax()), GRID)
            # Skin colour fills cells without hand with that of the whole hand: all change alike.
            assert (row <= 1 and column >= 5) or np.ptp(own) < 0.2 * own.max(), group.name
    assert start == len(change)


def test_coarser_and_finer_cells_keep_their_sum() -> None:
    np.testing.assert_allclose(spread_cells(GRID), np.eye(GRID**2), atol=1e-12)
    halves = spread_cells(4)[0].reshape(GRID, GRID)
    np.testing.assert_allclose(halves[:2, :2], 0.25)
    assert halves.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(spread_cells(3).sum(axis=1), 1.0)


def test_features_that_are_pooled_over_all_places_come_from_a_map() -> None:
    backbone = build_backbone("resnet50", image_size_px=32)
    groups = list_feature_groups(backbone)
    assert groups is not None
    assert [(group.name, group.width) for group in groups] == [("network", 2048)]
    maps = find_pooled_map(backbone)
    assert maps.shape == (None, 1, 1, 2048)
    assert find_pooled_map(build_backbone("mini", image_size_px=64)) is None
    assert find_described_picture(backbone) is backbone.input
    assert find_described_picture(build_backbone("hand", image_size_px=64)) is not None


def test_sources_of_different_pictures_have_names_and_no_places() -> None:
    backbone = build_backbone("hand-photo", image_size_px=48)
    groups = list_feature_groups(backbone)
    assert groups is not None
    assert sum(group.width for group in groups) == backbone.output_shape[-1]
    assert [*dict.fromkeys(group.name for group in groups)][-2:] == ["network", "colours of the whole photo"]
    assert {group.places is None for group in groups} == {True}
    # The aligned hand is not all that the features describe.
    assert find_described_picture(backbone) is backbone.input


def test_features_that_are_no_map_are_not_described() -> None:
    images = keras.Input((8, 8, 3))
    features = keras.layers.Dense(4)(keras.layers.Flatten()(images))
    assert list_feature_groups(keras.Model(images, features)) is None
