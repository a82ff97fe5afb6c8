"""The sanity check before a long training."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from handnet.cli.main import cli
from handnet.config.run_folder import Run
from handnet.data.pair_table import PairTable
from handnet.errors import ConfigError, RunError
from handnet.networks.backbones import BACKBONES
from tests.colours import SETTINGS, list_arguments
from tests.tiny import tiny_backbone, train_eagerly


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def test_a_few_pairs_are_learnt_exactly(pairs_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [*SETTINGS, "pairs.learning_rate=3e-2"]
    arguments = list_arguments(pairs_run.folder.parent / "data", "--overfit", "40", settings=settings)
    result = CliRunner().invoke(cli, [*arguments, "--run", str(tmp_path / "run")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "learning 20 pairs of one and 20 of two people exactly" in result.output
    assert "all pairs are classified correctly after" in result.output
    assert not (tmp_path / "run").exists(), "nothing is kept"
    with pytest.raises(ConfigError, match="--overfit is for the classifier of pairs"):
        CliRunner().invoke(cli, [*arguments, "--set=pairs.form=none"], catch_exceptions=False)
    # The same photos in either kind of pair: nothing can tell them apart.
    contradiction = PairTable([], np.asarray([(0, 1), (0, 1)]), np.asarray([True, False]))
    monkeypatch.setattr(
        "handnet.training.overfit.thin_pairs",
        lambda table, count: contradiction._replace(examples=table.examples),
    )
    monkeypatch.setattr("handnet.training.overfit._EPOCHS", 3)
    train_eagerly(monkeypatch)
    with pytest.raises(RunError, match="1 of 2 pairs are still classified wrongly after 3 epochs"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
