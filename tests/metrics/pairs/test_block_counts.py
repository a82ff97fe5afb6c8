"""All pairs in blocks: the figures are those of the exact computation, with ties, on any number of processes."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

import handnet.metrics.pairs.block_counts
import handnet.metrics.pairs.block_workers
from handnet.errors import EvaluationError
from handnet.metrics.embedded import EmbeddedPart, make_part
from handnet.metrics.large_part import evaluate_large, rank_large
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.block_counts import NUM_FINE_BINS, bin_edges, bin_scores, lay_out
from handnet.metrics.pairs.block_workers import count_pairs
from handnet.metrics.pairs.verification import summarize_pairs
from handnet.metrics.protocols import rank_photos
from handnet.metrics.ranking import DIRECTIONS
from handnet.metrics.ranking_summary import summarize_outcome


def draw(num_people: int, seed: int, noise: float = 0.9, ties: bool = False) -> EmbeddedPart:
    """Draw people with one to five photos a view; some have one view only. With ties there are few different vectors."""
    generator = np.random.default_rng(seed)
    people, views, vectors = [], [], []
    for person in range(num_people):
        centre = generator.normal(size=8)
        for view in ("dorsal", "palmar"):
            if person % 7 == 3 and view == "palmar":
                continue
            for _ in range(generator.integers(1, 6)):
                people.append(f"{(person * 13) % num_people:04d}")
                views.append(view)
                vectors.append(centre + noise * generator.normal(size=8))
    table = np.array(vectors)
    if ties:
        table = np.sign(np.round(table[:, :3])) + np.array([0.0, 0.0, 0.1])
    order = generator.permutation(len(people))
    table = table[order] / np.linalg.norm(table[order], axis=1, keepdims=True)
    return make_part(table, np.array(people)[order], np.array(views)[order])


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handnet.metrics.pairs.block_counts, "_TILE_ROWS", 7)
    monkeypatch.setattr(handnet.metrics.pairs.block_counts, "_TILE_COLUMNS", 5)
    monkeypatch.setattr(handnet.metrics.pairs.block_counts, "MAX_GROUPS", 6)


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_are_exact_and_rates_within_their_bounds(ties: bool, tmp_path: Path) -> None:
    part = draw(40, seed=1, ties=ties)
    layout = lay_out(part)
    counts = count_pairs(layout, tmp_path / "work", 1)
    outcomes = rank_large(part, layout, counts)
    for direction in DIRECTIONS:
        exact = rank_photos(part, direction)
        found = outcomes[direction]
        assert (found.rows == exact.rows).all()
        assert (found.people == exact.people).all()
        assert (found.ranking.ranks == exact.ranking.ranks).all()
        assert (found.ranking.num_relevant == exact.ranking.num_relevant).all()
        assert (found.ranking.num_gallery == exact.ranking.num_gallery).all()
        np.testing.assert_allclose(found.ranking.average_precisions, exact.ranking.average_precisions, atol=1e-12)
    figures = evaluate_large(part, tmp_path / "work", 1, num_replicates=50)
    assert not (tmp_path / "work").exists()
    pairs = score_pairs(part)
    exact_figures = summarize_pairs(pairs)
    found_figures, error = figures["verification"], figures["verification"]["error"]
    for name in ("num_people", "num_genuine", "num_impostor", "num_person_pairs", "chance", "refused"):
        assert found_figures[name] == exact_figures[name]
    rounding = 1e-9
    for name in ("auc", "eer"):
        assert abs(found_figures[name] - exact_figures[name]) <= error[name] + rounding
        low, high = found_figures["interval"][name]
        assert 0 <= low < high <= 1
    assert found_figures["true_accept_rate"].keys() == exact_figures["true_accept_rate"].keys()
    for rate, value in exact_figures["true_accept_rate"].items():
        assert value - found_figures["true_accept_rate"][rate] + rounding >= 0
        assert value - found_figures["true_accept_rate"][rate] <= error["true_accept_rate"][rate] + rounding
    if not ties:
        assert error["auc"] < 1e-3, "bins are narrow"
    one = figures["protocols"]["photo"]["dorsal_to_palmar"]
    whole = summarize_outcome(rank_photos(part, "dorsal_to_palmar"), 50)
    assert one["recall_at_1"] == whole["recall_at_1"]
    assert one["interval"]["recall_at_1"] == whole["interval"]["recall_at_1"], "few people are drawn as people"


@pytest.mark.slow
def test_two_processes_count_the_same_and_a_stopped_count_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = draw(30, seed=2)
    layout = lay_out(part)
    expected = count_pairs(layout, tmp_path / "one", 1)

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 10:
            raise KeyboardInterrupt

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        count_pairs(layout, tmp_path / "two", 2, lambda name: stop)
    counted: list[tuple[int, int]] = []
    count_block = handnet.metrics.pairs.block_workers.count_block
    with monkeypatch.context() as patch:
        patch.setattr(
            handnet.metrics.pairs.block_workers,
            "count_block",
            lambda layout, g, h: (counted.append((g, h)), count_block(layout, g, h))[1],
        )
        found = count_pairs(layout, tmp_path / "two", 1)
    assert len(counted) == 36 - 10
    for one, other in zip(expected, found, strict=True):
        assert (one == other).all()
    # Other photos are not continued.
    other = lay_out(draw(30, seed=3))
    calls[:] = []
    with pytest.raises(KeyboardInterrupt):
        count_pairs(other, tmp_path / "two", 1, lambda name: stop)
    (tmp_path / "two/state.npz").write_bytes(b"")
    assert (count_pairs(layout, tmp_path / "two", 1).histogram == expected.histogram).all()


def test_more_people_than_are_drawn_are_drawn_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handnet.metrics.large_part._MAX_DRAWN", 10)
    figures = evaluate_large(draw(40, seed=1), tmp_path / "work", 1, num_replicates=50)
    one = figures["protocols"]["photo"]["palmar_to_dorsal"]
    low, high = one["interval"]["recall_at_1"]
    assert low < one["recall_at_1"] < high
    assert one["num_people"] == 34


def test_bins_and_edges_agree() -> None:
    edges = bin_edges(NUM_FINE_BINS)
    assert (np.flatnonzero(bin_scores(edges[[0, 1, 40_000, 65_535]])) == [0, 1, 40_000, 65_535]).all()
    assert bin_scores(np.float32([1.0000001, -1.0000001])).tolist()[-1] == 1
    part = draw(10, seed=1)
    alone = replace(part, identities=np.full(len(part.identities), "a"))
    with pytest.raises(EvaluationError, match="at least two people"):
        evaluate_large(alone, Path("work"), 1)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
import psutil
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.block_counts import lay_out
from handnet.metrics.pairs.block_workers import count_pairs

def kill(done, total):
    print(*(child.pid for child in psutil.Process().children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

part = make_part(np.eye(8), [str(k // 2) for k in range(8)], ["dorsal", "palmar"] * 4)
count_pairs(lay_out(part), Path(sys.argv[1]), 2, lambda name: kill)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "work")],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    workers = [psutil.Process(int(pid)) for pid in killed.stdout.split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(workers, timeout=20)
    for process in alive:
        process.kill()
    assert not alive
