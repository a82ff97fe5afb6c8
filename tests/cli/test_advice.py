"""What commands say: photos after RUN, units that cannot be mistaken, commands that can be pasted."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from handnet.cli.compare import format_comparison
from handnet.cli.main import cli
from handnet.config.run_folder import create_run
from handnet.config.split import Split
from handnet.errors import HandnetError, quote
from handnet.evaluation.report.plots import plot_differences
from handnet.evaluation.thresholds import load_thresholds
from handnet.metrics.comparison import ComparedRun, compare_runs
from handnet.metrics.embedded import make_part
from tests.tiny import tiny_config, write_tiny


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def fail(*arguments: object) -> str:
    error = invoke(*arguments).exception
    assert isinstance(error, HandnetError), error
    return str(error)


def test_verify_takes_the_photos_after_the_run_or_says_what_to_type(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    wanted = f"Expected RUN and two photos: handnet verify '{run}' A.jpg B.jpg. Received: "
    assert fail("verify", run) == wanted + "0 photos."
    assert fail("verify", run, "a.jpg") == wanted + "1 photo."
    assert fail("verify", run, "-i1", "a.jpg") == wanted + "1 photo."
    assert fail("verify", run, "a.jpg", "b.jpg", "c.jpg") == wanted + "3 photos."
    assert fail("verify", run, "a.jpg", "-i1", "b.jpg") == wanted + "2 photos."
    for photos in (("a.jpg", "b.jpg"), ("-i1", "a.jpg", "-i2", "b.jpg")):
        assert "There is no run folder" in fail("verify", run, *photos)


def test_augment_preview_takes_its_data_as_the_other_commands_do(tmp_path: Path) -> None:
    assert "There is no data folder" in fail("data", "augment-preview", "--data", tmp_path / "gone")
    assert fail("data", "augment-preview", tmp_path, "--data", tmp_path) == "Give DIR or --data DIR, not both."


def make_comparison(names: tuple[str, ...]) -> dict[str, object]:
    rng = np.random.default_rng(0)
    people, views = np.repeat([f"p{i}" for i in range(12)], 2), np.tile(["dorsal", "palmar"], 12)
    runs = []
    for name in names:
        vectors = np.repeat(rng.normal(size=(12, 8)), 2, axis=0) + 0.8 * rng.normal(size=(24, 8))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        runs.append(ComparedRun(name, "hand", "triplet", make_part(vectors, people, views)))
    return compare_runs(runs, num_replicates=50)


def test_differences_are_in_points_and_shares_in_percent() -> None:
    text = format_comparison(make_comparison(("one", "two")))
    changes = text[text.index("two minus one") :].splitlines()[1:]
    for line in changes:
        assert (" points [" in line) == ("mean rank" not in line)
        assert " % [" not in line
    assert "relative improvement" in text


def test_the_picture_of_a_comparison_has_a_row_for_every_run_and_no_empty_box() -> None:
    # Whatever a folder is called.
    svg = plot_differences(make_comparison(("one", "$two$", "a/long/path" * 9)))
    assert svg.startswith("<?xml")
    assert plot_differences(make_comparison(("one", "$two$", "a/long/path" * 9))) == svg


def test_commands_that_are_printed_can_be_pasted(tmp_path: Path) -> None:
    assert quote("runs/first") == "runs/first"
    assert quote(Path("my runs/first")) == "'my runs/first'"
    data = write_tiny(tmp_path / "data", num_people=4, photos_per_view=1)
    facts = {"status": "finished", "data": {"directory": str(data), "fingerprint": "x"}, "epochs_done": 1}
    split = Split(train=("0000000", "0000001"), val=("0000002",), test=("0000003",))
    run = create_run(tmp_path / "my run", tiny_config(), facts, split)
    assert f"handnet eval '{run.folder}'" in invoke("train", "--resume", "--run", run.folder).output
    with pytest.raises(HandnetError, match=f"handnet eval '{run.folder}'"):
        load_thresholds(run)
