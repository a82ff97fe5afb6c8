"""The classifier of a pair of feature vectors."""

import keras
import numpy as np
import pytest

from handnet.config.run_folder import Run
from handnet.config.settings import PairsConfig
from handnet.errors import ConfigError
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.networks.pair_classifier import EPSILON, PAIR_FORMS, build_pair_classifier, build_siamese
from tests.tiny import tiny_backbone

RNG = np.random.default_rng(0)


def test_chi_square_is_the_weighted_sum_of_its_terms() -> None:
    a, b = RNG.uniform(0, 1, (2, 5, 4)).astype(np.float32)
    terms = np.asarray(keras.ops.convert_to_numpy(PAIR_FORMS["chi-square"].join(a, b)))
    assert terms[:, :4] == pytest.approx((a - b) ** 2 / (a + b + EPSILON), abs=1e-6)
    assert (terms[:, 4:] == 0).all(), "nothing is negative"
    zeros = np.zeros((1, 4), np.float32)
    assert (np.asarray(PAIR_FORMS["chi-square"].join(zeros, zeros)) == 0).all()
    model = build_pair_classifier(4, PairsConfig(form="chi-square"))
    weights = {variable.path for variable in model.trainable_variables}
    assert not any("hidden" in path for path in weights)


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Unknown value of pairs.form: 'l1-sigmod'. Did you mean 'l1-sigmoid'"):
        build_pair_classifier(4, PairsConfig(form="l1-sigmod"))


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.mark.parametrize("features", ["cosine", "embedding", "backbone"])
def test_the_siamese_model_has_one_output_for_two_images(pairs_run: Run, features: str) -> None:
    encoder = load_encoder(pairs_run)
    size = encoder.backbone.output_shape[-1] if features == "backbone" else encoder.model.output_shape[-1]
    classifier = None if features == "cosine" else build_pair_classifier(size, PairsConfig(form="product"))
    siamese = build_siamese(encoder, classifier, features)
    images = RNG.integers(0, 256, (2, 5, 32, 32, 3)).astype(np.float32)
    scores, swapped = (
        np.asarray(siamese({"first": images[k], "second": images[1 - k]}, training=False)) for k in (0, 1)
    )
    assert scores.shape == (5, 1)
    assert (scores == swapped).all()
    if features == "cosine":
        one, two = (np.asarray(encoder.model(part, training=False)) for part in images)
        assert scores[:, 0] == pytest.approx((one * two).sum(axis=1), abs=1e-6)
