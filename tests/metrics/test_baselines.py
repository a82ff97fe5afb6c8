"""Baselines without learning."""

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.baselines import embed_raw_pixels, embed_skin_colour


def draw_photos():
    """Two skins at two places each, on white."""
    photos = np.full((4, 60, 80, 3), 255, np.uint8)
    for row, (colour, top) in enumerate(
        [((220, 170, 140), 5), ((220, 170, 140), 30), ((120, 70, 45), 5), ((120, 70, 45), 30)]
    ):
        photos[row, top : top + 25, 10:50] = colour
    return photos


def test_colour_tells_skins_apart_wherever_the_hand_lies():
    photos = draw_photos()
    for masks in (None, (photos != 255).any(axis=-1)):
        vectors = embed_skin_colour(photos, masks)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        similarities = vectors @ vectors.T
        assert similarities[0, 1] == pytest.approx(1)
        assert similarities[0, 2] < 0.1


def test_colour_does_not_depend_on_brightness():
    photos = draw_photos()
    dark = (photos[:1] * 0.7).astype(np.uint8)
    masks = np.repeat((photos[:1] != 255).any(axis=-1), 2, axis=0)
    vectors = embed_skin_colour(np.concatenate([photos[:1], dark]), masks)
    assert vectors[0] @ vectors[1] == pytest.approx(1)


def test_pixels_know_places_and_not_what_all_photos_share():
    vectors = embed_raw_pixels(draw_photos())
    similarities = vectors @ vectors.T
    assert vectors.shape == (4, 24 * 24 * 3)
    assert similarities[0, 2] > similarities[0, 3]
    np.testing.assert_allclose(vectors.sum(axis=0) @ vectors[0], similarities[0].sum(), atol=1e-5)


def test_photos_without_skin_still_have_a_vector():
    grey = np.full((2, 8, 8, 3), 90, np.uint8)
    np.testing.assert_allclose(np.linalg.norm(embed_skin_colour(grey), axis=1), 1)


def test_bad_photos_are_named():
    with pytest.raises(EvaluationError, match=r"uint8 \(N, H, W, 3\)\. Received: float64 of shape \(2, 4, 4, 3\)"):
        embed_raw_pixels(np.zeros((2, 4, 4, 3)))
    with pytest.raises(EvaluationError, match=r"Received: uint8 of shape \(4, 4, 3\)"):
        embed_skin_colour(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(EvaluationError, match=r"`masks` must have the shape \(4, 60, 80\)"):
        embed_skin_colour(draw_photos(), np.ones((4, 2, 2), bool))
    with pytest.raises(EvaluationError, match="norm 0 in 2 of 2"):
        embed_raw_pixels(np.zeros((2, 4, 4, 3), np.uint8))
