"""`handnet cv`."""

from pathlib import Path

import pytest

from handnet.cli.cv import format_folds
from handnet.config.settings import Config
from handnet.errors import DataError
from tests.cli.command_line import CommandLine


def test_wrong_folds_settings_and_data_are_said_before_any_training(command: CommandLine, finished: Path) -> None:
    data = f"--data={finished / 'hands'}"
    assert "1 is not in the range x>=2" in command.fail("cv", data, "--folds=1", code=2)
    assert "Unknown config key 'train.epoch'" in command.fail("cv", data, "--set=train.epoch=3", code=2)
    assert "There is no data folder 'gone'" in command.fail("cv", "--data=gone", "--set=model.arch=tiny")
    line = command.fail("cv", data, "--folds=30", "--set=model.arch=tiny", "--set=image.size_px=32")
    assert "30" in line


def test_the_option_to_skip_photos_without_a_hand_is_the_setting(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(config: Config, *_: object, **__: object) -> None:
        raise DataError(f"skip={config.data.skip_without_hand} reader={config.data.reader}")

    monkeypatch.setattr("handnet.evaluation.folds.cross_validate", stop)
    data = (f"--data={finished / 'hands'}", "--set=model.arch=tiny")
    assert "skip=False reader=hands11k" in command.fail("cv", *data)
    assert "skip=True reader=hands11k" in command.fail("cv", *data, "--skip-without-hand")


def test_every_direction_has_figure_interval_and_chance() -> None:
    figures = {
        "recall_at_1": 0.721,
        "mean_rank": 1.98,
        "interval": {"recall_at_1": [0.65, 0.79], "mean_rank": [1.7, 2.3]},
        "chance": {"recall_at_1": 0.024, "mean_rank": 21.0},
    }
    directions = {"dorsal_to_palmar": figures, "palmar_to_dorsal": figures}
    text = format_folds(
        {"num_people": 189, "num_folds": 4, "protocols": {"person_template": directions, "photo": directions}}
    )
    assert text.splitlines()[0].startswith("189 people, each tested once in 4 folds")
    assert "\nperson template  dorsal → palmar  R@1" in text
    assert text.count("R@1  72.1 % [65.0, 79.0] (2.4)   mean rank   1.98 [1.70, 2.30] (21.0)") == 4
