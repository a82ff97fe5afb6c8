"""`handnet.train`, and the settings that it takes."""

from pathlib import Path

import pytest

import handnet
from handnet.config.split import Split
from handnet.config.toml import config_to_tree
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.errors import ConfigError, RunError
from handnet.library.train_run import advise_evaluation, complete_settings
from handnet.networks.backbones import BACKBONES
from tests.tiny import tiny_backbone, tiny_config, write_tiny


def make_dataset(*people: str) -> DataSet:
    examples = [Example(f"/{person}-{view}.jpg", person, view) for person in people for view in ("dorsal", "palmar")]
    return DataSet("hands11k", "/", examples, examples)


@pytest.mark.parametrize(
    ("split", "advice"),
    [
        (Split(("a",), ("b", "c"), ("d", "e")), "next: handnet eval 'my run'"),
        # Nobody is tested, or none of them has a photo here, or one alone, who would always be found.
        (Split(("a",), ("b", "c"), ()), "next: handnet eval 'my run' --part val"),
        (Split(("a",), ("b", "c"), ("x", "y")), "next: handnet eval 'my run' --part val"),
        (Split(("a",), ("b", "c"), ("d",)), "next: handnet eval 'my run' --part val"),
        (Split(("a", "b", "c"), (), ()), ""),
    ],
)
def test_only_a_part_that_can_be_evaluated_is_offered(split: Split, advice: str) -> None:
    assert advise_evaluation(split, make_dataset("a", "b", "c", "d", "e"), Path("my run")) == advice


def test_settings_are_laid_over_a_file_or_sections(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 3\nseed = 5\n")
    for config in (file, str(file), {"train": {"epochs": 3, "seed": 5}}):
        found = complete_settings(config, {"train.epochs": 7, "loss.options.margin": 0.3})
        assert (found.train.epochs, found.train.seed, found.loss.options["margin"]) == (7, 5, 0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train.epocs": 3}, "Unknown config key 'train.epocs'. Did you mean 'train.epochs'?"),
        ({"train.epochs": "three"}, "`train.epochs` must be a whole number. Received: 'three'."),
        ({"epochs": 3}, "Expected a setting by its section and name, e.g. train.epochs. Received: 'epochs'."),
    ],
)
def test_a_wrong_setting_is_one_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(handnet.HandnetError) as error:
        handnet.train(settings=settings)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_run_is_trained_and_not_trained_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    data, lines = write_tiny(tmp_path / "data", 12, photos_per_view=1), list[str]()
    settings = {"train.epochs": 1, "sampler.passes_per_epoch": 1, "data.split": "fractions"}
    options = {"train": 0.5, "val": 0.25, "test": 0.25}
    config = config_to_tree(tiny_config(data={"split_options": options}))
    run = handnet.train(config, data=data, run=tmp_path / "run", settings=settings, echo=lines.append)
    assert (run.folder, run.facts["status"]) == (tmp_path / "run", "finished")
    assert f"next: handnet eval {tmp_path / 'run'}" in lines
    with pytest.raises(RunError, match="exists already"):
        handnet.train(config, data=data, run=tmp_path / "run", settings=settings)
    assert handnet.train(run=run.folder, resume=True, echo=lines.append).facts == run.facts
    assert "is finished: 1 epochs" in lines[-1]
    with pytest.raises(ConfigError, match="resume=True takes all settings from the run"):
        handnet.train(run=run.folder, resume=True, settings=settings)
