"""`handnet compare`."""

import json
from pathlib import Path

import numpy as np

from tests.cli.command_line import CommandLine, copy_run


def write_vectors(run: Path, noise: float) -> None:
    """Write what `handnet eval` writes of eight people, by a model that confuses more of them the larger the noise."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(8, 16)), 2, axis=0) + noise * rng.normal(size=(16, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    (run / "eval-test").mkdir()
    people = np.repeat([f"p{k}" for k in range(8)], 2)
    np.savez(
        run / "eval-test/embeddings.npz",
        embeddings=rows.astype(np.float32),
        identities=people,
        views=["dorsal", "palmar"] * 8,
    )


def test_a_part_that_cannot_be_evaluated_is_not_advised(command: CommandLine, finished: Path) -> None:
    run = copy_run(finished, Path("one"))
    split = (run / "split.csv").read_text()
    (run / "split.csv").write_text(split.replace(",test", ",train"))
    line = command.fail("compare", run, run)
    assert "'one' has not been evaluated on its test part, and cannot be: fewer than two people are in it." in line
    assert line.endswith("Evaluate and compare another part: handnet eval one --part val")
    (run / "split.csv").write_text(split.replace(",test", ",train").replace(",val", ",train"))
    assert command.fail("compare", run, run).endswith("fewer than two people are in it.")
    assert "Unknown part 'tests'" in command.fail("compare", run, run, "--part=tests", code=2)


def test_what_rounds_to_zero_has_no_minus(command: CommandLine, finished: Path) -> None:
    runs = [copy_run(finished, Path(name)) for name in ("one", "other")]
    for run in runs:
        write_vectors(run, 0.05)
    out = command.run("compare", *runs).out
    assert "relative improvement +0.0 %" in out
    assert "-0.0" not in out


def test_runs_are_compared_on_what_was_evaluated(command: CommandLine, finished: Path) -> None:
    runs = [copy_run(finished, Path(name)) for name in ("one", "other")]
    line = command.fail("compare", *runs)
    assert "'one' has not been evaluated on its test part. Evaluate it: handnet eval one --part test" in line
    for run, noise in zip(runs, (0.05, 3.0), strict=True):
        write_vectors(run, noise)
    assert "Unknown protocol 'person'" in command.fail("compare", *runs, "--protocol=person", code=2)
    assert "Unknown direction 'back'" in command.fail("compare", *runs, "--direction=back", code=2)
    outcome = command.run("compare", *runs)
    assert outcome.code == 0, outcome.err
    change = json.loads(Path("comparison/comparison.json").read_text())["differences"][0]["recall_at_1"]
    assert change["difference"] < 0
    assert f"{100 * change['difference']:+.1f} points" in outcome.out
    page = Path("comparison/comparison.html").read_text()
    assert ("other is worse than one: R@1 by" in page) == change["clear"]
    assert "other minus one" in page
    assert Path("comparison/differences.svg").read_text().startswith("<?xml")
