"""Plots of errors and probabilities."""

from handnet.evaluation.report.plots import verification_plots


def test_plots_survive_extremes():
    assert "<svg" in verification_plots.plot_reliability(
        [{"probability": 0.5, "fraction": 0.5, "interval": [0.5, 0.5], "share": 1.0}]
    )
    curve = {"false_accept": [0.0, 0.0, 1.0], "true_accept": [0.0, 1.0, 1.0]}
    assert "<svg" in verification_plots.plot_det(curve, 0.1)
    assert "<svg" in verification_plots.plot_roc(curve, 3.0)
