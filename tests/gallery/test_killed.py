"""kill -9 in the middle of each kind of writing: what was acknowledged is there, nothing is half there, it opens."""

import os
from pathlib import Path

import pytest

from handnet.gallery.pairings import Matching
from tests.gallery.killing import OPERATIONS, kill_once
from tests.gallery.simulated import fit_simulated

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="takes fork")


@pytest.fixture(scope="module")
def matchings() -> dict[str, Matching]:
    return {"first": fit_simulated(12), "second": fit_simulated(12, width=16)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed(operation: str, seed: int, tmp_path: Path, matchings: dict[str, Matching]) -> None:
    assert kill_once(operation, tmp_path, matchings, seed) == ""


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_a_hundred_times_in_all(operation: str, tmp_path: Path, matchings: dict[str, Matching]) -> None:
    problems = [kill_once(operation, tmp_path, matchings, seed) for seed in range(100, 120)]
    assert [problem for problem in problems if problem] == []
