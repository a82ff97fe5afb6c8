"""One entry of FIGURES is one figure: added in a test, it is found everywhere that figures are written or shown."""

import json
from pathlib import Path

import numpy as np
import pytest

from handnet.cli.compare import format_comparison
from handnet.evaluation.audit import format_audit
from handnet.evaluation.report.page import write_report
from handnet.evaluation.report.terminal import format_metrics
from handnet.export.card import write_card_text
from handnet.metrics.all_figures import evaluate_part, write_metrics
from handnet.metrics.chance import compute_chance
from handnet.metrics.figures import FIGURES, Figure, format_figure, format_interval, list_means
from handnet.metrics.ranking import Ranking
from handnet.metrics.ranking_summary import merge_folds
from handnet.metrics.run_comparison import ComparedRun, compare_runs
from tests.metrics.test_protocols import draw_hands

RANKING = Ranking(np.array([1, 3, 1, 8]), np.array([1.0, 0.5, 0.75, 0.125]), np.array([1, 2, 2, 1]), np.full(4, 9))


def find_reciprocal_chance(chance):
    """E[1 / T] of the rank T of the first right entry, from P(T ≤ k)."""
    return float(np.sum(np.diff(chance.cmc, prepend=0.0) / np.arange(1, len(chance.cmc) + 1)))


RECIPROCAL_RANK = Figure("MRR", 1, "higher", lambda ranking: 1 / ranking.ranks, find_reciprocal_chance)


@pytest.mark.parametrize("key", FIGURES)
def test_every_figure_is_whole(key):
    figure = FIGURES[key]
    values = figure.tabulate(RANKING)
    assert values.shape == (4,)
    low, high = figure.bound(compute_chance(9, RANKING.num_relevant))
    assert low < high
    assert low <= figure.summarize(RANKING)
    assert format_figure(key, figure.summarize(RANKING)) in format_interval(key, [low, figure.summarize(RANKING)])
    assert (figure.heading.endswith(" %"), figure.better) == (
        figure.unit == "fraction",
        "lower" if figure.unit == "rank" else "higher",
    )


def test_figures_by_hand():
    shown = {key: figure.summarize(RANKING) for key, figure in FIGURES.items()}
    assert shown == {
        "mean_rank": 13 / 4,
        "median_rank": 2.0,
        "recall_at_1": 0.5,
        "recall_at_5": 0.75,
        "recall_at_10": 1.0,
        "mean_average_precision": 2.375 / 4,
    }
    assert [format_figure(key, value) for key, value in shown.items()] == [
        "3.25",
        "2.0",
        "50.0",
        "75.0",
        "100.0",
        "59.4",
    ]
    assert format_figure("recall_at_1", 0.125, signed=True) == "+12.5"
    assert format_interval("mean_rank", None) == ""
    assert "median_rank" not in list_means()


def test_a_new_figure_is_one_entry(monkeypatch, tmp_path):
    monkeypatch.setitem(FIGURES, "mean_reciprocal_rank", RECIPROCAL_RANK)
    part = draw_hands(num_people=8, noise=2.0)
    metrics = evaluate_part(part, num_replicates=40, baselines={"raw pixels": part})
    figures = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    value, (low, high) = figures["mean_reciprocal_rank"], figures["interval"]["mean_reciprocal_rank"]
    assert 0 < low <= value <= high <= 1
    # Eight templates, one of them right: (1 + 1/2 + … + 1/8) / 8.
    assert figures["chance"]["mean_reciprocal_rank"] == pytest.approx(sum(1 / k for k in range(1, 9)) / 8)
    assert metrics["retrieval"]["person"]["dorsal_to_palmar"]["mean_reciprocal_rank"] == value
    assert "mean_reciprocal_rank" in metrics["slices"]["dorsal_to_palmar"][0]["interval"]

    shown = format_figure("mean_reciprocal_rank", value)
    table = format_metrics(metrics)
    assert "MRR %" in table
    assert shown in table
    write_report(tmp_path / "report.html", metrics, part, "title")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("MRR %") >= 3
    assert shown in page
    runs = [ComparedRun(name, "net", "loss", part) for name in ("one", "other")]
    comparison = compare_runs(runs, num_replicates=40)
    assert comparison["differences"][0]["mean_reciprocal_rank"]["difference"] == 0
    assert format_comparison(comparison).count("MRR") == 3
    audit = {"conditions": {"whole": {"title": "Whole photo", **metrics["protocols"]}}}
    assert "MRR %" in format_audit(audit)
    folds = merge_folds([part.select(part.identities < "p04"), part.select(part.identities >= "p04")], 40)
    assert "mean_reciprocal_rank" in folds["protocols"]["photo"]["dorsal_to_palmar"]["folds"][0]

    card = write_card(metrics, audit)
    assert f"| {shown} % (" in card
    assert card.count("| MRR |") == 2


def test_a_new_figure_in_ranks_is_one_entry_too(monkeypatch, tmp_path):
    """An example to copy: the rank of which no query counts for more than 5, lower is better, chance in closed form."""
    clipped = Figure(
        "rank to 5",
        2,
        "lower",
        lambda ranking: np.minimum(ranking.ranks, 5),
        # E[min(T, 5)] = Σ P(T > k), k from 0 to 4.
        lambda chance: 1 + float(np.sum(1 - chance.cmc[:4])),
        unit="rank",
    )
    monkeypatch.setitem(FIGURES, "clipped_rank", clipped)
    better, worse = draw_hands(num_people=8, noise=0.5), draw_hands(num_people=8, noise=4.0)
    write_metrics(tmp_path / "metrics.json", evaluate_part(worse, num_replicates=40))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    figures = metrics["retrieval"]["person"]["dorsal_to_palmar"]
    # Of eight templates one is right: (1 + 2 + 3 + 4 + 5 · 4) / 8.
    assert figures["chance"]["clipped_rank"] == pytest.approx(30 / 8)
    assert 1 < figures["clipped_rank"] <= 5

    shown = f"{figures['clipped_rank']:.2f}"
    heading, *rows = [line for line in format_metrics(metrics).splitlines() if "rank to 5" in line or shown in line]
    assert "rank to 5 %" not in heading
    assert rows
    comparison = compare_runs([ComparedRun("a", "net", "loss", worse), ComparedRun("b", "net", "loss", better)])
    change = comparison["differences"][0]["clipped_rank"]
    assert change["difference"] < 0
    assert change["improvement"] > 0
    assert f"rank to 5    {change['difference']:+.2f} [" in format_comparison(comparison)
    assert f"| {shown} (3.75)" in write_card(metrics, None)


def test_an_evaluation_from_before_a_figure_still_has_a_card(monkeypatch):
    metrics = evaluate_part(draw_hands(num_people=8), num_replicates=20)
    monkeypatch.setitem(FIGURES, "mean_reciprocal_rank", RECIPROCAL_RANK)
    assert "| – |" in write_card(metrics, None)


def write_card(metrics, audit):
    from handnet.config.run_folder import Run
    from handnet.config.split import Split
    from tests.tiny import tiny_config

    run = Run(Path("runs/x"), tiny_config(), {})
    return write_card_text("hands", run, Split(("a",), ("b",), ("c",)), metrics, None, audit)
