"""`handnet eval`: a run, or vectors of any model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command_line import (
    CommandLine,
    copy_run,
)

pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.mark.slow
def test_a_part_that_cannot_be_evaluated_is_one_line(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("run"))
    assert "Unknown part 'tset'. Did you mean 'test'?" in command.fail("eval", "run", "--part=tset", code=2)
    people = [line.split(",")[0] for line in (run / "split.csv").read_text().splitlines()[1:]]
    (run / "split.csv").write_text("identity,part\n" + "".join(f"{person},train\n" for person in people))
    assert "The test part of this split is empty." in command.fail("eval", "run")
    (run / "split.csv").write_text("identity,part\n0000000,train\nabsent,test\n")
    assert "The test part has 1 people and 0 rows in the table, and none of their photos is in" in command.fail(
        "eval", "run"
    )
    shutil.copytree(finished / "hands", "hands")
    table = Path("hands/HandInfo.csv")
    kept = [line for line in table.read_text().splitlines() if "palmar" not in line]
    table.write_text("\n".join(kept) + "\n")
    shutil.copy(finished / "run/split.csv", run / "split.csv")
    assert "palmar" in command.fail("eval", "run", "--data=hands")


@pytest.mark.slow
def test_embeddings_of_any_model_are_evaluated_and_normalised_on_request(command: CommandLine, tmp_path: Path) -> None:
    people = np.repeat([f"p{k}" for k in range(6)], 2)
    views = np.asarray(["dorsal", "palmar"] * 6)
    views[-1] = "dorsal"
    rows = np.repeat(np.eye(6, dtype=np.float32), 2, axis=0)
    file = tmp_path / "vectors.npz"
    np.savez(file, embeddings=3.0 * rows, identities=people, views=views)
    assert "unit norm" in command.fail("eval", "--embeddings", file)
    assert "belong to --embeddings" in command.fail("eval", "run", "--normalize", code=2)
    outcome = command.run("eval", "--embeddings", file, "--normalize", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "1 with one view only are never queries (p5)" in outcome.out
    figures = json.loads((tmp_path / "out/metrics.json").read_text())["protocols"]["person_template"][
        "dorsal_to_palmar"
    ]
    assert figures["recall_at_1"] == 1.0
    assert (tmp_path / "out/report.html").read_text().startswith("<!doctype html>")
    outcome = command.run("eval", "--embeddings", file, "--normalize", "--large", "--processes=1", "--output", "large")
    assert outcome.code == 0, outcome.err
    assert "1 with one view only are never queries (p5)" in outcome.out
    assert "exact to" in outcome.out
    large = json.loads(Path("large/metrics.json").read_text())
    whole = json.loads((tmp_path / "out/metrics.json").read_text())
    for direction in ("dorsal_to_palmar", "palmar_to_dorsal"):
        assert large["protocols"]["photo"][direction] == whole["protocols"]["photo"][direction]
    assert not Path("large/work").exists()
    assert "belong to --embeddings" in command.fail("eval", "run", "--large", code=2)
    line = command.fail("eval", "--embeddings", file, "--large", "--val-embeddings", file, code=2)
    assert "leave out --val-embeddings" in line


def test_validation_vectors_of_another_model_are_refused(command: CommandLine, tmp_path: Path) -> None:
    for name, width in (("test", 128), ("val", 512)):
        people = np.repeat([f"{name}{k}" for k in range(6)], 2)
        rows = np.repeat(np.eye(6, width, dtype=np.float32), 2, axis=0)
        np.savez(tmp_path / f"{name}.npz", embeddings=rows, identities=people, views=["dorsal", "palmar"] * 6)
    line = command.fail("eval", "--embeddings", tmp_path / "test.npz", "--val-embeddings", tmp_path / "val.npz")
    assert "vectors of 512 numbers for validation and of 128 for the test" in line
