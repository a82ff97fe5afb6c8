"""The key of what is kept of a run changes with all that decides its vectors, and with nothing else."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.config.settings import Config
from handnet.embedding import run_identity
from handnet.embedding.run_identity import describe_run

PACKAGE = Path(run_identity.__file__).parents[1]


def test_weights_settings_and_versions_count_and_the_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / WEIGHTS_FILE).write_bytes(b"weights")
    run = Run(tmp_path / "one", config, {})
    before = describe_run(run)
    assert describe_run(Run(tmp_path / "other", config, {"a": 1})) == before
    for changed in (
        replace(config, image=replace(config.image, size_px=96)),
        replace(config, model=replace(config.model, arch="hand")),
        replace(config, pairs=replace(config.pairs, features="backbone")),
    ):
        assert describe_run(run._replace(config=changed)) != before
    (tmp_path / "other" / WEIGHTS_FILE).write_bytes(b"Weights")
    assert describe_run(Run(tmp_path / "other", config, {})) != before
    monkeypatch.setattr(run_identity, "_find_version", lambda package: "0")
    assert describe_run(run) != before


@pytest.mark.parametrize("name", ["embedding/encode.py", "images/decode.py", "networks/encoder.py", "data/checks.py"])
def test_code_that_makes_vectors_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (*run_identity._FOLDERS, "data", "config"):
        shutil.copytree(PACKAGE / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "synthetic*"))
    monkeypatch.setattr(run_identity, "_PACKAGE", tmp_path)
    digest = run_identity.digest_code.__wrapped__
    before = digest()
    with (tmp_path / "config/settings.py").open("a") as file:
        file.write("# other\n")
    assert digest() == before
    with (tmp_path / name).open("a") as file:
        file.write("# other\n")
    assert digest() != before
