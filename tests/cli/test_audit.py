"""`handnet audit`."""

import json
from pathlib import Path

import pytest

from handnet.evaluation.alterations import ALTERATIONS
from handnet.networks.weights.manifest import hash_file
from tests.cli.command_line import CommandLine, copy_run


@pytest.mark.slow
def test_what_a_run_relies_on_is_written_with_its_weights(
    command: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of all of them tests/evaluation/test_audit.py: each is a graph that takes seconds to trace.
    few = {name: ALTERATIONS[name] for name in ("whole", "grey")}
    monkeypatch.setattr("handnet.evaluation.audit.ALTERATIONS", few)
    run = copy_run(finished, Path("run"))
    assert "Unknown part 'tset'" in command.fail("audit", run, "--part=tset", code=2)
    outcome = command.run("audit", run, "--output=found")
    assert outcome.code == 0, outcome.err
    found = json.loads(Path("found/audit.json").read_text())
    assert {*few, "bare"} == set(found["conditions"])
    assert found["weights"] == hash_file(run / "model.weights.h5")
    for condition in found["conditions"].values():
        assert condition["title"] in outcome.out
