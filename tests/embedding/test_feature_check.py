"""How far an engine's features may be from the backbone's own."""

from types import SimpleNamespace

import numpy as np
import pytest

from handnet.embedding.engines import Engine
from handnet.embedding.feature_check import check_features
from handnet.errors import RunError

IMAGES = np.zeros((4, 8, 8, 3), np.uint8)
# Much in common, as photos of hands have: any two have a cosine of 0.9999.
FEATURES = (100.0 + np.random.default_rng(0).normal(size=(4, 16))).astype(np.float32)
BACKBONE = SimpleNamespace(predict_on_batch=lambda images: FEATURES[: len(images)])


def off_by(error: float) -> Engine:
    return Engine("openvino", "bf16", lambda images: FEATURES[: len(images)] + np.float32(error))


def test_the_error_is_of_what_photos_differ_by() -> None:
    spread = np.linalg.norm(FEATURES - FEATURES.mean(axis=0)) / np.sqrt(FEATURES.size)
    assert check_features(off_by(0.05), BACKBONE, IMAGES) == pytest.approx(0.05 / spread, rel=1e-3)


def test_wrong_features_are_refused_though_their_cosine_is_near_1() -> None:
    others = Engine("openvino", "bf16", lambda images: FEATURES[: len(images)][::-1])
    expected = r"openvino in bf16 gives other features than the backbone: the error is 1\.\d+ of what photos differ by"
    with pytest.raises(RunError, match=rf"{expected}, expected at most 0\.1\. Use --set features\.engine=tensorflow\."):
        check_features(others, BACKBONE, IMAGES)
    with pytest.raises(RunError, match="the error is nan"):
        check_features(off_by(float("nan")), BACKBONE, IMAGES)


def test_of_one_photo_the_error_is_of_its_length() -> None:
    assert check_features(off_by(1.0), BACKBONE, IMAGES[:1]) == pytest.approx(0.01, rel=0.05)
