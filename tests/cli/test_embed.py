"""`handnet embed`; the job behind it: tests/embedding/test_job.py."""

from pathlib import Path

import numpy as np

from handnet.networks.weights.manifest import hash_file
from tests.cli.command_line import CommandLine
from tests.photos import write_jpeg
from tests.web_server import serve_web


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


def test_photos_that_lie_elsewhere_are_found_by_a_table(command: CommandLine, finished: Path) -> None:
    run = finished / "run"
    photo = write_jpeg(Path("a.jpg")).read_bytes()
    Path("a.jpg").unlink()
    with serve_web() as web:
        web.files["/a.jpg?sig=SECRET"] = photo
        Path("labels.csv").write_text(f"path,identity,view\n{web.address}/a.jpg?sig=SECRET,1,dorsal\n")
        outcome = command.run("embed", run, "labels.csv", "-o", "vectors.npz", "--engine=tensorflow")
        assert outcome.code == 0
        with np.load("vectors.npz") as file:
            assert file["paths"].tolist() == [f"{web.address}/a.jpg"]
            assert file["identities"].tolist() == ["0000001"]
        web.files["/far/labels.csv"] = b"path\nabsent.jpg\n"
        outcome = command.run("embed", run, f"{web.address}/far/labels.csv", "-o", "bad.npz", "--engine=tensorflow")
        assert outcome.code == 1
        assert f"'{web.address}/far/absent.jpg': the server has no such file (404). Nothing was written." in outcome.err
        assert "A web server cannot be listed" in command.fail("embed", run, f"{web.address}/far", "-o", "more.npz")
    assert "scheme 'file'" in command.fail("embed", run, "file:///etc/passwd", "-o", "more.npz")
    assert "given alone" in command.fail("embed", run, "s3://bucket/a", "b.jpg", "-o", "more.npz")


def test_options_of_a_cluster_are_checked_before_any_work(command: CommandLine, finished: Path) -> None:
    run = finished / "run"
    write_jpeg(Path("a.jpg"))
    assert "belong to --cluster" in command.fail("embed", run, "a.jpg", "-o", "a.npz", "--workers=2", code=2)
    line = command.fail("embed", run, "a.jpg", "-o", "out", "--cluster=http://head", code=2)
    assert "--cluster must be local, auto, ray://HOST:10001 or HOST:6379" in line
    assert "Unknown engine 'no'" in command.fail(
        "embed", run, "a.jpg", "-o", "out", "--cluster=local", "--engine=no", code=2
    )
