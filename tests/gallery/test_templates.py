"""Templates: the weighted mean direction of a hand's photos."""

import numpy as np
import pytest

from handnet.gallery.records import HandKind, Photo
from handnet.gallery.templates import MIN_WEIGHT, average_vectors, build_templates

X, Y = np.eye(2, dtype=np.float32)
PALM, BACK = HandKind("palmar", "left"), HandKind("dorsal", "left")


def photo(person: str, kind: HandKind, vector: np.ndarray, quality: float = 1.0) -> Photo:
    return Photo("id", person, "digest", kind, quality, "hand", "2026-01-01", vector)


def test_the_mean_is_weighted_and_no_photo_counts_for_nothing() -> None:
    np.testing.assert_allclose(average_vectors(np.stack([X, Y])), [0.5**0.5, 0.5**0.5], atol=1e-6)
    expected = np.array([1.0, MIN_WEIGHT]) / np.hypot(1.0, MIN_WEIGHT)
    np.testing.assert_allclose(average_vectors(np.stack([X, Y]), [1.0, 0.0]), expected, atol=1e-6)
    np.testing.assert_array_equal(average_vectors(np.stack([X, -X])), X)


def test_each_person_and_kind_of_hand_has_one_template_in_order() -> None:
    photos = [photo("b", PALM, X), photo("a", BACK, Y), photo("b", BACK, Y), photo("b", PALM, Y, quality=0.5)]
    templates = build_templates(photos)
    assert [(t.person, t.kind, t.num_photos) for t in templates] == [("b", PALM, 2), ("a", BACK, 1), ("b", BACK, 1)]
    assert templates[0].vector == pytest.approx(np.array([1.0, 0.5]) / np.hypot(1.0, 0.5), abs=1e-6)
