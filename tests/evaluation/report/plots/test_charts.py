"""Plots as numbers."""

import json

import numpy as np

from handnet.evaluation.report.plots import charts
from handnet.metrics.figures import DIRECTION_NAMES


def test_errors_at_the_edges_are_counted_exactly() -> None:
    histogram = {"edges": [0.0, 0.5, 1.0], "genuine": [1, 3], "impostor": [6, 2]}
    edges, false_accepts, false_rejects = charts.count_errors(histogram)
    assert edges.tolist() == [0.0, 0.5, 1.0]
    # From 0.5 on 2 of 8 different pairs are accepted, and 1 of 4 of the same is rejected.
    assert false_accepts.tolist() == [100, 25, 0]
    assert false_rejects.tolist() == [0, 25, 100]
    chart = charts.chart_errors(histogram, {"equal_error": 0.51234})
    assert chart["marks"] == [{"x": 0.5123, "label": "equal errors"}]


def test_charts_are_plain_and_finite(evaluation) -> None:
    metrics, _ = evaluation
    figures = metrics["verification"]
    drawn = [
        charts.chart_cmc({direction: metrics["protocols"]["photo"][direction] for direction in DIRECTION_NAMES}),
        charts.chart_histogram(figures["histogram"], {}),
        charts.chart_errors(figures["histogram"], {}),
        charts.chart_roc(figures["curve"], 0.1),
        charts.chart_reliability(metrics["calibration"]["reliability"]),
    ]
    for chart in drawn:
        json.dumps(chart, allow_nan=False)
        assert chart["x"]["min"] < chart["x"]["max"]
        for series in chart["series"]:
            assert len(series["x"]) == len(series["y"])
            assert series.get("points") or series["x"] == sorted(series["x"])


def test_det_lies_on_normal_deviates_of_both_errors() -> None:
    # One standard deviation below the middle, the middle, and what has no deviate.
    curve = {"false_accept": [0.0, 0.15866, 0.5, 1.0], "true_accept": [0.0, 0.5, 0.84134, 1.0]}
    chart = charts.chart_det(curve, 0.01)
    model, chance, _ = chart["series"]
    np.testing.assert_allclose([model["x"], model["y"]], [[-1, 0], [0, -1]], atol=1e-4)
    np.testing.assert_allclose(chance["x"], -np.array(chance["y"]))
    assert chart["x"]["deviate"]
    assert 0.0 not in chart["x"]["ticks"]
    json.dumps(chart, allow_nan=False)


def test_extremes_have_charts() -> None:
    everywhere = np.zeros((2, 2))
    chart = charts.chart_map(["a", "b"], everywhere, everywhere, np.array([True, False]))
    assert chart["x"]["min"] < chart["x"]["max"]
    assert [series["labels"] for series in chart["series"]] == [["a"], ["b"]]
    charts.chart_errors({"edges": [-1.0, 0.0, 1.0], "genuine": [0, 1], "impostor": [0, 1]}, {})
    curve = {"false_accept": np.linspace(0, 1, 5000), "true_accept": np.linspace(0, 1, 5000)}
    assert len(charts.chart_roc(curve, 0.01)["series"][0]["x"]) <= 400


def test_scores_of_pairs_and_many_systems_have_charts() -> None:
    same = np.array([True, False, False])
    chart = charts.chart_scores(np.full(3, 0.5), same, 0.25)
    assert chart["marks"] == [{"x": 0.25, "label": "threshold"}]
    assert [max(series["y"]) for series in chart["series"]] == [100, 100]
    curve = {"false_accept": [0.0, 1.0], "true_accept": [0.0, 1.0]}
    systems = {f"system {k}": {"curve": curve, "auc": 0.5} for k in range(9)}
    assert len(charts.chart_systems(systems)["series"]) == 10
