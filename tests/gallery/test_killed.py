"""kill -9 in the middle of each kind of writing: what was acknowledged is there, nothing is half there, it opens."""

import os
from pathlib import Path

import pytest

from handnet.gallery.pairings import Matching
from tests.gallery.killing import OPERATIONS, fill_gallery, kill_once
from tests.gallery.simulated import fit_simulated

# Kills of each operation besides the three below. A commit between the photos of a person is found by one kill in two.
NUM_KILLS = int(os.environ.get("HANDNET_TEST_KILLS", "3"))

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="takes fork")


@pytest.fixture(scope="module")
def matchings() -> dict[str, Matching]:
    return {"first": fit_simulated(12), "second": fit_simulated(12, width=16)}


@pytest.fixture(scope="module", params=OPERATIONS)
def begun(
    request: pytest.FixtureRequest, matchings: dict[str, Matching], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """An operation, and the gallery of which each kill gets a copy."""
    return request.param, fill_gallery(tmp_path_factory.mktemp("full") / "gallery", request.param, matchings)


@pytest.mark.parametrize("seed", range(3))
def test_killed(seed: int, begun: tuple[str, Path], tmp_path: Path, matchings: dict[str, Matching]) -> None:
    assert kill_once(*begun, tmp_path, matchings, seed) == ""


@pytest.mark.slow
def test_killed_again_and_again(begun: tuple[str, Path], tmp_path: Path, matchings: dict[str, Matching]) -> None:
    problems = [kill_once(*begun, tmp_path, matchings, seed) for seed in range(100, 100 + NUM_KILLS)]
    assert [problem for problem in problems if problem] == []
