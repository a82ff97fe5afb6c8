"""`handnet embed`; the job behind it: tests/embedding/test_job.py."""

from pathlib import Path

import numpy as np

from handnet.networks.weights.manifest import hash_file
from tests.cli.command_line import CommandLine
from tests.photos import write_jpeg


def test_photos_become_vectors_with_the_digest_of_the_weights(command: CommandLine, finished: Path) -> None:
    write_jpeg(Path("a.jpg"))
    run = finished / "run"
    assert ".npz" in command.fail("embed", run, "a.jpg", "--output=vectors.txt", code=2)
    assert "There is no photo or folder 'b.jpg'" in command.fail("embed", run, "b.jpg", "--output=vectors.npz")
    Path("bad.jpg").write_bytes(b"")
    line = command.fail("embed", run, "bad.jpg", "--output=vectors.npz", "--engine=no", code=2)
    assert "Unknown engine 'no'" in line
    outcome = command.run("embed", run, "a.jpg", "bad.jpg", "--output=vectors.npz", "--engine=tensorflow", "--skip-bad")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: left out '")
    with np.load("vectors.npz") as file:
        assert file["embeddings"].shape[0] == 1
        assert str(file["model"]) == hash_file(run / "model.weights.h5")
