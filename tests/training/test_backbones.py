"""Every way of training a backbone through real, tiny runs: what a setting does to the weights, and what is exported."""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.config.run_folder import Run
from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.embedding.encode import embed_files
from handnet.errors import ConfigError, RunError, WeightsError
from handnet.export.archive import export_encoder
from handnet.export.card import find_licence
from handnet.images.photo_store import prepare_photos
from handnet.networks.backbones import BACKBONES
from handnet.networks.complete_config import complete_config
from handnet.networks.device import set_precision
from handnet.networks.encoder import build_encoder, load_encoder
from handnet.networks.weights.positions import resample_table
from handnet.training.train import train
from tests.goldens.drawn import draw_state
from tests.networks.backbones.sources import TINY_SHAPES, write_source
from tests.tiny import tiny_backbone, tiny_config, train_eagerly, write_tiny

State = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=24))


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def one_step(**sections: dict[str, object]) -> Config:
    """One step on all training people: with SGD a weight moves by rate times gradient, and nothing else moves it."""
    base: dict[str, dict[str, object]] = {
        "image": {"size_px": 42},
        "sampler": {"people_per_batch": 16, "passes_per_epoch": 1},
        "model": {"arch": "dino-tiny"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.0, "schedule": "constant"},
        "train": {"epochs": 1},
    }
    return tiny_config(**{name: {**base.get(name, {}), **sections.get(name, {})} for name in {**base, **sections}})


def run_quietly(config: Config, folder: Path, dataset: DataSet) -> Run:
    return train(config, folder, dataset, echo=lambda _: None, warn=lambda _: None)


def run_step(config: Config, folder: Path, dataset: DataSet) -> Run:
    """Train the one step without a graph."""
    with pytest.MonkeyPatch.context() as patch:
        train_eagerly(patch)
        return run_quietly(config, folder, dataset)


def read(model: keras.Model) -> State:
    return {v.path: keras.ops.convert_to_numpy(v.value).copy() for v in model.weights}


@pytest.fixture(scope="module")
def start() -> State:
    """The weights that every run of `one_step` begins with."""
    set_precision("float32")
    return read(build_encoder(one_step()).model)


@pytest.fixture(scope="module")
def plain(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> State:
    return read(load_encoder(run_step(one_step(), tmp_path_factory.mktemp("plain") / "run", dataset)).model)


@pytest.mark.slow
def test_layer_decay_slows_each_block_below_the_top_and_recomputation_changes_nothing(
    start: State, plain: State, dataset: DataSet, tmp_path: Path
) -> None:
    run = run_step(one_step(optimizer={"layer_decay": 0.5}, model={"recompute": True}), tmp_path / "run", dataset)
    encoder = load_encoder(run)
    assert encoder.backbone.get_layer("block0").recompute
    # Three blocks: the stem is four steps below the last norm.
    factors = {"tokens": 0.5**4, "block0": 0.5**3, "block1": 0.5**2, "block2": 0.5, "norm": 1.0, "head_embedding": 1.0}
    moved = set()
    for path, values in read(encoder.model).items():
        factor = factors.get(path.partition("/")[0], 1.0)
        whole = plain[path] - start[path]
        np.testing.assert_allclose(values - start[path], factor * whole, rtol=1e-3, atol=1e-6, err_msg=path)
        moved |= {path.partition("/")[0]} if np.abs(whole).max() > 1e-5 else set()
    assert moved >= factors.keys()


@pytest.mark.slow
def test_dropped_paths_change_training_and_not_what_is_kept(plain: State, dataset: DataSet, tmp_path: Path) -> None:
    run = run_step(one_step(model={"drop_path": 0.9}), tmp_path / "run", dataset)
    encoder = load_encoder(run).model
    assert not np.allclose(read(encoder)["block0/qkv/kernel"], plain["block0/qkv/kernel"], atol=1e-6)
    files = prepare_photos([example.path for example in dataset.examples[:4]], run.config.image).files
    np.testing.assert_array_equal(embed_files(encoder, files), embed_files(encoder, files))


@pytest.mark.slow
def test_the_position_table_follows_the_rule_of_the_run(dataset: DataSet, tmp_path: Path) -> None:
    state = draw_state(TINY_SHAPES)
    weights = os.fspath(write_source(tmp_path, "meta", state))
    model = {"weights": weights, "trainable": "last-1", "position_rule": "keras"}
    run = run_step(one_step(model=model), tmp_path / "run", dataset)
    table = read(load_encoder(run).model)["tokens/position_table"]
    rules = {rule: resample_table(state["pos_embed"], 3, rule, antialias=False) for rule in ("keras", "meta")}
    assert np.abs(rules["keras"] - rules["meta"]).max() > 1e-2
    np.testing.assert_array_equal(table, rules["keras"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "trainable"), [("float32", "all"), ("mixed_float16", "last-2"), ("mixed_bfloat16", "lora-2")]
)
def test_each_precision_trains_saves_reloads_and_exports(
    precision: str, trainable: str, dataset: DataSet, tmp_path: Path
) -> None:
    import tensorflow as tf

    config = one_step(
        model={"trainable": trainable},
        sampler={"people_per_batch": 4, "passes_per_epoch": 4},
        optimizer={"name": "adamw", "learning_rate": 3e-3, "layer_decay": 0.8, "ema_momentum": 0.5},
        train={"precision": precision, "epochs": 2},
    )
    run = run_quietly(config, tmp_path / "run", dataset)
    assert run.facts["precision"] == precision
    assert np.isfinite(run.facts["best"]["loss"])
    encoder = load_encoder(run)
    begun = read(build_encoder(config).model)
    moved = {path for path, values in read(encoder.model).items() if not np.array_equal(values, begun[path])}
    assert any(path.startswith("block2/") for path in moved)
    assert all(("_lora_" in path) == (trainable == "lora-2") for path in moved if path.startswith("block2/"))
    if precision == "float32":
        # As what tests/export exports.
        return
    paths = [example.path for example in dataset.examples[:6]]
    # Compared with the encoder as trained: for LoRA that is the unmerged one.
    export = export_encoder(encoder, config.image, tmp_path / "model", paths)
    assert export.max_error < 1e-5
    loaded = tf.saved_model.load(str(export.folder))
    vectors = loaded.signatures["embed"](photos=tf.constant([Path(path).read_bytes() for path in paths]))["embeddings"]
    expected = embed_files(encoder.model, prepare_photos(paths, config.image).files)
    np.testing.assert_allclose(vectors.numpy(), expected, atol=1e-5)
    num_merged = sum(np.size(values) for path, values in begun.items() if "_lora_" not in path)
    stored = tf.train.load_checkpoint(str(export.folder / "variables" / "variables"))
    types = stored.get_variable_to_dtype_map()
    sizes = [np.prod(shape) for name, shape in stored.get_variable_to_shape_map().items() if types[name].is_floating]
    assert sum(sizes) == num_merged, "LoRA's updates are in the matrices"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"model": {"trainable": "none", "drop_path": 0.1}}, "change nothing in a frozen backbone.*drop_path=0.1"),
        ({"model": {"trainable": "none", "recompute": True}}, "change nothing in a frozen backbone.*recompute=true"),
        ({"model": {"weights": "none", "position_rule": "keras"}}, "position table of published weights"),
        ({"model": {"position_rule": "metta"}}, r"'metta'\. Did you mean 'meta'\?"),
        ({"model": {"drop_path": 1.0}}, "`model.drop_path` must lie between 0 and 0.95"),
        ({"model": {"recompute": 1}}, "`model.recompute` must be true or false"),
        ({"model": {"trainable": "none"}, "optimizer": {"layer_decay": 0.7}}, "frozen backbone.*layer_decay=0.7"),
        ({"optimizer": {"layer_decay": 0.0}}, "`optimizer.layer_decay` must lie between 0.001 and 1"),
    ],
)
def test_settings_without_effect_or_out_of_range_are_one_line(tree: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        complete_config(tree)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"arch": "tiny"}, "optimizer": {"layer_decay": 0.7}}, "'tiny' has none. Received: 0.7"),
        ({"model": {"arch": "tiny", "drop_path": 0.2}}, "for the transformers .*arch='tiny'.*drop_path=0.2"),
        ({"model": {"arch": "tiny", "recompute": True}}, "for the transformers .*recompute=true"),
        ({"model": {"arch": "tiny", "weights": "x", "position_rule": "keras"}}, "networks with a position table"),
        ({"model": {"arch": "dino3-tiny", "weights": "x", "position_rule": "keras"}}, "networks with a position table"),
    ],
)
def test_options_that_a_network_does_not_have_are_refused_before_any_work(
    sections: dict, message: str, dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    with pytest.raises(ConfigError, match=message):
        run_quietly(one_step(**sections), tmp_path / "run", dataset)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def lora_run(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_step(one_step(model={"trainable": "lora-2"}), tmp_path_factory.mktemp("runs") / "first", dataset)


@pytest.mark.slow
def test_an_encoder_begins_with_the_backbone_of_a_run(lora_run: Run) -> None:
    config = one_step(model={"weights": str(lora_run.folder), "hidden_size": 7, "trainable": "none"})
    images = np.random.default_rng(0).integers(0, 256, (2, 42, 42, 3), dtype=np.uint8)
    encoders = (load_encoder(lora_run), build_encoder(config), build_encoder(config, weights="none"))
    trained, begun, drawn = (keras.ops.convert_to_numpy(encoder.backbone(images)) for encoder in encoders)
    np.testing.assert_allclose(begun, trained, atol=1e-6)
    assert np.abs(drawn - trained).max() > 1e-4, "random weights give other features"
    assert find_licence(config.model).startswith("those of the run 'first', whose weights had: none were used")


@pytest.mark.slow
def test_a_run_that_does_not_fit_gives_no_weights(lora_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(lora_run.folder, folder)
    given = {"weights": str(folder)}
    with pytest.raises(WeightsError, match=r"has trained 'dino-tiny'\. Received: arch='mini'\. Choose 'dino-tiny'"):
        build_encoder(one_step(model={"arch": "mini", **given}))
    with pytest.raises(WeightsError, match=r"1 of another shape \(tokens/position_table"):
        build_encoder(one_step(image={"size_px": 56}, model=given))
    file = folder / "model.weights.h5"
    with pytest.raises(WeightsError, match=r"is the weights of a run\. Give the run: --weights"):
        build_encoder(one_step(model={"weights": str(file)}))
    file.write_bytes(b"")
    with pytest.raises(RunError, match="is damaged"):
        build_encoder(one_step(model=given))
    file.unlink()
    with pytest.raises(RunError, match="was stopped before it began"):
        build_encoder(one_step(model=given))
