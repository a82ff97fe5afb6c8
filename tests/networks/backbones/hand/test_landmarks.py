"""The landmarks as features: nothing of the hand's place, size, turn and side is left in them."""

import keras
import numpy as np
import pytest

from handnet.images.hand.mean_palm import MEAN_PALM, PALM
from handnet.networks.backbones.hand.landmarks import (
    CROP_PX,
    LandmarkDistances,
    LandmarkPlaces,
    WhiteMargin,
    build_hand_landmarks,
)
from handnet.networks.backbones.taps import list_sources
from handnet.networks.feature_places import list_feature_groups


def draw_points(seed: int = 0) -> np.ndarray:
    """Return 21 landmarks as (y, x), in sides of the palm's square: the palm's near the mean palm, the others anywhere."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.0, 1.0, (21, 2))
    points[list(PALM)] = np.array(MEAN_PALM) + rng.normal(0.0, 0.01, (5, 2))
    return points


def measure(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places (21, 2) and distances (210,) of landmarks (21, 2) as (y, x)."""
    raw = np.concatenate([points[:, ::-1], np.full((21, 1), 5.0)], axis=1).reshape(1, 63).astype(np.float32)
    places = LandmarkPlaces()(raw)
    distances = LandmarkDistances()(places)
    return keras.ops.convert_to_numpy(places).reshape(21, 2), keras.ops.convert_to_numpy(distances)[0]


def test_places_lie_on_the_mean_palm() -> None:
    places, _ = measure(draw_points())
    middle = np.mean(MEAN_PALM, axis=0)
    np.testing.assert_allclose(places[list(PALM)].mean(axis=0), 0.0, atol=1e-5)
    assert np.abs(places[list(PALM)] + middle - np.array(MEAN_PALM)).max() < 0.03


@pytest.mark.parametrize(("angle", "scale", "mirrored"), [(0.4, 130.0, False), (-2.0, 40.0, True), (0.0, 224.0, True)])
def test_a_turned_enlarged_moved_and_mirrored_hand_is_the_same(angle: float, scale: float, mirrored: bool) -> None:
    points = draw_points()
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scale * points @ turn.T
    if mirrored:
        moved[:, 1] *= -1.0
    for one, other in zip(measure(points), measure(moved + np.array([30.0, -7.0])), strict=True):
        np.testing.assert_allclose(other, one, atol=2e-4)


def test_distances_are_logarithms_in_the_order_of_the_pairs() -> None:
    places, distances = measure(draw_points())
    first, second = np.triu_indices(21, 1)
    expected = np.log(np.linalg.norm(places[first] - places[second], axis=1) + 1e-3)
    np.testing.assert_allclose(distances, expected, atol=1e-4)


def test_landmarks_in_one_place_give_finite_features() -> None:
    places, distances = measure(np.full((21, 2), 112.0))
    assert np.isfinite(places).all()
    assert np.isfinite(distances).all()


def test_the_margin_is_white_and_the_picture_unchanged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    framed = keras.ops.convert_to_numpy(WhiteMargin(2)(picture))[0]
    np.testing.assert_array_equal(framed[2:-2, 2:-2], picture[0])
    framed[2:-2, 2:-2] = 255.0
    np.testing.assert_array_equal(framed, np.full((12, 12, 3), 255.0))


def test_places_and_distances_are_groups_of_one_source() -> None:
    backbone = build_hand_landmarks(CROP_PX)
    (source,) = list_sources(backbone)
    assert source.widths == (42, 210)
    assert not source.tells_view
    groups = list_feature_groups(backbone)
    assert groups is not None
    assert [(group.name, group.width, group.places) for group in groups] == [
        ("landmarks", 42, None),
        ("landmarks", 210, None),
    ]
