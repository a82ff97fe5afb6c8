from pathlib import Path

import pytest

from handnet.config.presets import merge_trees
from handnet.config.settings import Config
from handnet.config.toml import config_to_tree, format_toml, parse_config, read_config, read_tree
from handnet.errors import ConfigError
from handnet.networks.complete import complete_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_valid_and_survives_a_round_trip(path: Path, tmp_path: Path) -> None:
    config = complete_config(read_tree(path))
    copy = tmp_path / "config.toml"
    copy.write_text(format_toml(config))
    assert read_config(copy) == config
    assert path.read_text().startswith("# "), "a config begins with a comment: command, time, result"


@pytest.mark.parametrize("arch", ["dino", "resnet50"])
@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_options_alone_give_the_published_config(arch: str, loss: str) -> None:
    path = next(path for path in CONFIGS if path.stem == f"{arch}_{loss}")
    from_options = complete_config({"model": {"arch": arch}, "loss": {"name": loss}})
    assert from_options == complete_config(read_tree(path))
    assert from_options == read_config(path), "the file says everything itself"


def test_published_main_system_has_the_published_settings() -> None:
    config = complete_config({"model": {"arch": "dino"}, "loss": {"name": "triplet"}})
    assert (config.model.trainable, config.model.hidden_size, config.model.embedding_size) == ("none", 512, 256)
    assert (config.sampler.people_per_batch, config.sampler.photos_per_view) == (8, 1)
    assert dict(config.loss.options) == {"margin": 0.5}
    assert (config.optimizer.name, config.optimizer.learning_rate, config.optimizer.weight_decay) == (
        "adamw",
        3e-4,
        1e-4,
    )
    assert (config.optimizer.schedule, config.train.epochs) == ("cosine", 30)


def test_overrides_come_last_and_are_typed() -> None:
    tree = read_tree(
        None,
        ["train.epochs=3", "optimizer.learning_rate=1", "model.arch=resnet50", 'loss.options.mining="hard"'],
        {"train": {"epochs": 9, "seed": 4}},
    )
    config = parse_config(tree)
    assert (config.train.epochs, config.train.seed, config.model.arch) == (3, 4, "resnet50")
    assert config.optimizer.learning_rate == 1.0
    assert isinstance(config.optimizer.learning_rate, float)
    assert dict(config.loss.options) == {"mining": "hard"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "Unknown config key 'train.epoch'. Did you mean 'train.epochs'"),
        ("trian.epochs=3", "Unknown config key 'trian'. Did you mean 'train'"),
        ("train.epochs=many", "`train.epochs` must be of type int. Received: 'many'"),
        ("train.epochs=true", "`train.epochs` must be of type int. Received: True"),
        ("train.epochs=-1", "`train.epochs` must lie between 0 and"),
        ("train.epochs", "Expected an override of the form section.key=value. Received: 'train.epochs'"),
        ("train.precision=fp16", "Unknown value of train.precision: 'fp16'"),
        ("sampler.positive_fraction=1.5", "`sampler.positive_fraction` must lie between 0 and 1. Received: 1.5"),
        ("train=3", "Expected a section for 'train'. Received: 3"),
        ("loss.options=3", "`loss.options` must be a section of plain values"),
        ("augment.rotation_degrees=500", "`augment.rotation_degrees` must lie between 0 and 180"),
    ],
)
def test_a_wrong_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")) as caught:
        parse_config(read_tree(None, [override]))
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_toml_or_not_there_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"[train\nepochs = 3")
    with pytest.raises(ConfigError, match="broken.toml' is not a readable TOML file"):
        read_tree(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a readable TOML file"):
        read_tree(broken)
    with pytest.raises(ConfigError, match="There is no configuration file"):
        read_tree(tmp_path / "absent.toml")


def test_merging_keeps_what_was_given() -> None:
    assert merge_trees({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": 4}) == {"a": {"x": 1, "y": 3}, "b": 4}
    given = {"model": {"arch": "dino", "trainable": "all"}, "image": {"size_px": 98}}
    config = complete_config(given)
    assert (config.model.trainable, config.image.size_px, config.model.embedding_size) == ("all", 98, 256)


def test_tree_is_plain_and_complete() -> None:
    tree = config_to_tree(Config())
    assert tree["train"]["epochs"] == 30
    assert parse_config(tree) == Config()


def test_mirrored_hands_cannot_be_told_left_from_right() -> None:
    with pytest.raises(ConfigError, match="hand-upright"):
        parse_config({"data": {"identity": "hand"}, "image": {"crop": "hand-canonical"}})


def test_the_sampler_may_be_named_or_left_out() -> None:
    named, without = parse_config({"sampler": {"name": "people"}}), parse_config({})
    assert named == without, "runs of before name it"
    with pytest.raises(ConfigError, match=r"Unknown value of sampler\.name: 'persons'"):
        parse_config({"sampler": {"name": "persons"}})


def test_keeping_the_last_weights_and_stopping_before_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"train\.patience=3"):
        parse_config({"train": {"keep": "last", "patience": 3}})
