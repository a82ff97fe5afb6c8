"""Plots of errors and probabilities."""

from handnet.evaluation.report.plots import verification_plots


def test_plots_survive_extremes():
    assert "<svg" in verification_plots.plot_reliability(
        [{"probability": 0.5, "fraction": 0.5, "interval": [0.5, 0.5], "share": 1.0}]
    )
    curve = {"false_accept": [0.0, 0.0, 1.0], "true_accept": [0.0, 1.0, 1.0]}
    assert "<svg" in verification_plots.plot_det(curve, 0.1)
    assert "<svg" in verification_plots.plot_roc(curve, 3.0)


def test_thresholds_have_the_names_of_the_page():
    histogram = {"edges": [0.0, 0.5, 1.0], "genuine": [1, 3], "impostor": [4, 1]}
    drawn = verification_plots.plot_histogram(histogram, {"equal_error": 0.4, "best_f1": 0.6})
    assert "equal errors 0.400" in drawn
    assert "best F1 0.600" in drawn
