from pathlib import Path

import pytest

from handnet.config.settings import Config
from handnet.config.toml import config_to_tree, format_toml, parse_config, read_config, read_tree
from handnet.errors import ConfigError
from handnet.networks.complete_config import complete_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_valid_and_survives_a_round_trip(path: Path, tmp_path: Path) -> None:
    config = complete_config(read_tree(path))
    copy = tmp_path / "config.toml"
    copy.write_text(format_toml(config))
    assert read_config(copy) == config
    assert path.read_text().startswith("# "), "a config begins with a comment: command, time, result"


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
        (
            "train.batch_size=8",
            "Unknown config key 'train.batch_size'. The size of a batch follows from sampler.people",
        ),
        ("train.epochs=many", "`train.epochs` must be a whole number. Received: 'many'"),
        ("train.epochs=true", "`train.epochs` must be a whole number. Received: True"),
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


@pytest.mark.parametrize("value", ["nan", "-inf", "1e999", "0x1" + 4000 * "0"])
@pytest.mark.parametrize(
    "key",
    [
        "loss.options.margin",
        "data.split_options.fraction",
        "optimizer.learning_rate",
        "train.epochs",
        "model.taps.block4",
        "model.sources.mine.taps.block4",
    ],
)
def test_a_number_that_is_not_finite_is_refused_wherever_a_setting_is_read(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"`{key}` must be a finite number. Received: ") as caught:
        parse_config(read_tree(None, ["model.sources.mine.backbone=hand", f"{key}={value}"]))
    assert len(str(caught.value)) < 120


def test_a_file_that_is_not_toml_or_not_there_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"[train\nepochs = 3")
    with pytest.raises(ConfigError, match="broken.toml' is not a readable TOML file"):
        read_tree(broken)
    broken.write_bytes(b"[train]\nepochs = " + 5000 * b"1")
    with pytest.raises(ConfigError, match="is not a readable TOML file"):
        read_tree(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a readable TOML file"):
        read_tree(broken)
    with pytest.raises(ConfigError, match="There is no configuration file"):
        read_tree(tmp_path / "absent.toml")


def test_tree_is_plain_and_complete() -> None:
    tree = config_to_tree(Config())
    assert tree["train"]["epochs"] == 30
    assert parse_config(tree) == Config()


@pytest.mark.parametrize("override", ["train.epochs=" + 5_000 * "9", "data=0x1" + 4_000 * "0", 5_000 * "x"])
def test_a_long_value_is_not_repeated_whole(override: str) -> None:
    with pytest.raises(ConfigError, match="Received: ") as caught:
        parse_config(complete_config(read_tree(None, ["model.arch=mini", override])))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (b"a = " + 5_000 * b"[" + 5_000 * b"]", "its lists or sections are nested too deeply."),
        (b"[train]\nseed = \xff\n", "it is not text in UTF-8 (byte 15)."),
        (b"[model", "Expected ']' at the end of a table declaration (at end of document)."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, contents: bytes, why: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(contents)
    with pytest.raises(ConfigError) as refused:
        read_tree(path)
    assert str(refused.value) == f"{str(path)!r} is not a readable TOML file: {why}"


def test_a_folder_is_refused_as_a_file_of_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read_tree(tmp_path)
    assert str(refused.value) == f"{str(tmp_path)!r} is not a readable TOML file: is a directory."


def test_deep_nesting_in_an_override_is_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`train.seed` must be a whole number"):
        parse_config(read_tree(None, ["train.seed=" + 5_000 * "["]))


def test_the_mark_that_editors_on_windows_put_first_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[train]\r\nseed = 7\r\n")
    assert read_tree(path) == {"train": {"seed": 7}}


def test_an_option_over_a_file_with_a_value_for_a_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("data = 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Expected a section for 'data'. Received: 3."):
        read_tree(path, given={"data": {"reader": "folder"}})
