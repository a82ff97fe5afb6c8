"""Plots of decisions on pairs."""

import numpy as np

from handnet.evaluation.report.plots import pair_plots


def test_scores_that_are_all_one_value_are_drawn():
    same = np.array([True, False, False])
    assert "<svg" in pair_plots.plot_scores(np.full(3, 0.5), same, None)


def test_more_systems_than_colours_are_drawn():
    curve = {"false_accept": [0.0, 1.0], "true_accept": [0.0, 1.0]}
    systems = {f"system {k}": {"curve": curve, "auc": 0.5} for k in range(9)}
    assert "<svg" in pair_plots.plot_roc_curves(systems)
