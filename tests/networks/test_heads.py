"""Each projection head by itself, and heads added by one entry: from the settings to a run that loads."""

from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.embedding.encode import embed_files
from handnet.errors import ConfigError
from handnet.images.photo_store import prepare_photos
from handnet.metrics.joined_lda import fit_joined_discriminant
from handnet.networks.backbones import BACKBONES
from handnet.networks.complete_config import complete_config
from handnet.networks.encoder import build_encoder, load_encoder
from handnet.networks.heads import HEADS, Head, name_objective, select_head
from handnet.training.train import train
from tests.metrics.test_joined_lda import SOURCES, draw
from tests.tiny import tiny_backbone, tiny_config, write_tiny


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path_factory.mktemp("data") / "hands"))


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.mark.parametrize("name", HEADS)
def test_each_head_gives_unit_vectors_and_shares_its_weights_with_the_encoder(name: str) -> None:
    config = tiny_config(model={"head": name, "trainable": "none"})
    encoder = build_encoder(config)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    vectors = keras.ops.convert_to_numpy(encoder.model(images))
    assert vectors.shape == (3, config.model.embedding_size)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    by_parts = keras.ops.convert_to_numpy(encoder.head(encoder.backbone(images)))
    np.testing.assert_array_equal(by_parts, vectors)
    encoder.head.set_weights([weight + 0.1 for weight in encoder.head.get_weights()])
    assert not np.allclose(keras.ops.convert_to_numpy(encoder.model(images)), vectors)


def test_a_source_counts_in_its_head_what_the_settings_say() -> None:
    features, people, views = draw()
    fit = HEADS["joined-lda"].fit
    assert fit is not None
    sources = {name: {"backbone": "mini", "score_weight": weight} for name, weight in (("one", 1.0), ("two", 0.25))}
    config = complete_config({"model": {"arch": "hand-lite2", "sources": sources, "embedding_size": 16}})
    found = fit(config.model, features, SOURCES, people.tolist(), views.tolist())
    lighter = (SOURCES[0], SOURCES[1]._replace(score_weight=0.25))
    expected = fit_joined_discriminant(features, lighter, people.tolist(), views.tolist(), 7, config.model.lda_penalty)
    np.testing.assert_array_equal(found[3], expected.maps[0].importance)
    np.testing.assert_array_equal(found[7], expected.maps[1].importance)


def test_the_view_is_told_under_the_penalty_of_the_settings() -> None:
    features, people, views = draw()
    fit = HEADS["joined-lda"].fit
    assert fit is not None
    model = {"arch": "hand", "head": "joined-lda", "embedding_size": 16, "lda_view_penalty": 100.0}
    found = fit(complete_config({"model": model}).model, features, SOURCES, people.tolist(), views.tolist())
    expected = fit_joined_discriminant(features, SOURCES, people.tolist(), views.tolist(), 7, 0.3, 100.0)
    np.testing.assert_array_equal(found[-3], expected.view_kernel)
    usual = fit_joined_discriminant(features, SOURCES, people.tolist(), views.tolist(), 7, 0.3)
    assert np.abs(expected.view_kernel).max() < 0.1 * np.abs(usual.view_kernel).max()


def test_an_unknown_head_is_refused_when_settings_are_completed() -> None:
    with pytest.raises(ConfigError, match=r"Unknown value of model\.head: 'lad'\. Did you mean 'lda'\?"):
        complete_config({"model": {"arch": "hand", "head": "lad"}})


def add_residual(_, features, _sources):
    """Add a branch to the features: a head whose layers are no chain."""
    branch = keras.layers.Dense(features.shape[-1], "relu", name="head_branch")(features)
    return keras.layers.Dense(8, name="head_out")(keras.layers.Add(name="head_add")([features, branch]))


def centre(_, features, sources, identities, views):
    """Take the mean off and keep what there is: eight features of `tiny` in eight dimensions."""
    assert [sum(source.widths) for source in sources] == [8]
    assert len(features) == len(identities) == len(views)
    return [np.eye(8, dtype=np.float32), -features.mean(axis=0)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient", "closed form"])
def test_a_head_is_added_by_one_entry(
    method: str, dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {
        "gradient": Head(add_residual),
        "closed form": Head(lambda _, x, _sources: keras.layers.Dense(8, name="head_linear")(x), fit=centre),
    }
    monkeypatch.setitem(HEADS, "example", entries[method])
    config = tiny_config(model={"head": "example", "trainable": "none"}, train={"epochs": 1})
    assert select_head(config.model).method == method
    assert name_objective(config) == ("triplet" if method == "gradient" else "example")
    run = train(config, tmp_path / "run", dataset, echo=lambda _: None, warn=lambda _: None)
    encoder = load_encoder(run)
    vectors = embed_files(encoder.model, prepare_photos([e.path for e in dataset.examples[:8]], config.image).files)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    if method == "closed form":
        np.testing.assert_array_equal(encoder.head.get_weights()[0], np.eye(8))
