"""Encoders, their heads and twins."""

from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.run_folder import WEIGHTS_FILE
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.errors import RunError, WeightsError
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import (
    PairDistance,
    UnitNormalization,
    build_encoder,
    build_twin,
    load_encoder,
    load_run_weights,
    merge_encoder,
)
from tests.evaluation.runs import build_run
from tests.tiny import tiny_backbone, tiny_config

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def test_the_parts_share_the_weights_of_the_whole() -> None:
    encoder = build_encoder(tiny_config())
    whole = np.asarray(encoder.model(IMAGES))
    np.testing.assert_allclose(np.asarray(encoder.head(encoder.backbone(IMAGES))), whole, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-5)
    assert whole.dtype == np.float32
    assert merge_encoder(encoder) is encoder


def test_a_zero_row_stays_zero_and_equal_rows_have_a_finite_gradient() -> None:
    import tensorflow as tf

    assert (np.asarray(UnitNormalization()(np.zeros((1, 4)))) == 0).all()
    rows = tf.Variable(np.ones((2, 4), np.float32))
    with tf.GradientTape() as tape:
        distance = tf.reduce_sum(PairDistance()(rows, tf.ones((2, 4))))
    assert np.isfinite(tape.gradient(distance, rows)).all()


def test_a_twin_measures_the_distance_of_the_embeddings() -> None:
    encoder = build_encoder(tiny_config())
    distance = np.asarray(build_twin(encoder.model)({"first": IMAGES, "second": IMAGES[::-1]}))
    vectors = np.asarray(encoder.model(IMAGES))
    np.testing.assert_allclose(distance[:, 0], np.linalg.norm(vectors - vectors[::-1], axis=1), atol=1e-5)


def test_weights_that_are_no_finite_numbers_are_refused(tmp_path: Path) -> None:
    model = build_encoder(tiny_config()).model
    file = tmp_path / WEIGHTS_FILE
    kernel = next(v for v in model.weights if v.path.endswith("kernel"))
    values = np.array(kernel)
    values.flat[3] = np.nan
    kernel.assign(values)
    model.save_weights(file)
    with pytest.raises(RunError, match=f"is damaged: it holds values that are no finite numbers .{kernel.path}."):
        load_run_weights(build_encoder(tiny_config()).model, file)


def test_weights_of_another_network_or_a_stopped_run_are_said(tmp_path: Path) -> None:
    dataset = DataSet("hands11k", "/", [Example(f"/{k}", f"p{k}") for k in range(10)], [])
    dataset = DataSet("hands11k", "/", dataset.examples, dataset.examples)
    run = build_run(tmp_path / "run", dataset)
    loaded, again = load_encoder(run), load_encoder(run)
    assert (np.asarray(loaded.model(IMAGES)) == np.asarray(again.model(IMAGES))).all()
    other = build_encoder(tiny_config(model={"hidden_size": 17}))
    with pytest.raises(RunError, match="does not fit the run's configuration or is damaged"):
        load_run_weights(other.model, run.folder / WEIGHTS_FILE)
    begun = build_encoder(tiny_config(model={"weights": str(run.folder)}))
    for mine, theirs in zip(begun.backbone.weights, loaded.backbone.weights, strict=True):
        assert (keras.ops.convert_to_numpy(mine) == keras.ops.convert_to_numpy(theirs)).all()
    with pytest.raises(WeightsError, match="has trained 'tiny'. Received: arch='small'"):
        build_encoder(tiny_config(model={"arch": "small", "weights": str(run.folder)}))
    (run.folder / WEIGHTS_FILE).unlink()
    with pytest.raises(RunError, match="has no model.weights.h5: the run was stopped before it began"):
        load_encoder(run)
