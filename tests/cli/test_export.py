"""`handnet export` after training and evaluation."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command_line import (
    CommandLine,
    copy_run,
)


@pytest.mark.slow
def test_train_eval_export_are_three_commands(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    outcome = command.run("eval", run)
    assert (outcome.code, outcome.err) == (0, "")
    metrics = json.loads((run / "eval-test/metrics.json").read_text())["retrieval"]["person"]["dorsal_to_palmar"]
    # 20 people: 13 train, 2 val, 5 test.
    assert (metrics["num_queries"], metrics["num_gallery"]) == (5, 5)
    assert metrics["chance"]["mean_rank"] == 3.0
    outcome = command.run("export", run, "saved_models/hands")
    assert (outcome.code, outcome.err) == (0, "")
    assert "wrote saved_models/hands/1; max abs error on 16 photos: " in outcome.out
    data = json.loads((run / "eval-test/metrics.json").read_text())["data"]
    card = Path("saved_models/hands/1/MODEL_CARD.md").read_text()
    assert f"Computed on {data['num_photos']} test photos, fingerprint `{data['fingerprint']}`." in card


@pytest.mark.slow
def test_a_photo_that_was_damaged_since_is_named_by_eval_and_export(command: CommandLine, finished: Path) -> None:
    copy_run(finished, Path("run"))
    shutil.copytree(finished / "hands", "hands")
    for photo in Path("hands/Hands").iterdir():
        photo.write_bytes(b"")
    Path("saved_models/run").mkdir(parents=True)
    for arguments in (["eval", "run"], ["export", "run", "saved_models/run"]):
        line = command.fail(*arguments, "--data=hands")
        assert "photos cannot be used: " in line
        assert "empty file" in line
