"""The plots of the report."""

from handnet.evaluation.report import plots


def test_plots_survive_extremes():
    assert "<svg" in plots.plot_rows(["a" * 100], [0.0], [None], [0.0], "x")
    assert "<svg" in plots.plot_reliability(
        [{"probability": 0.5, "fraction": 0.5, "interval": [0.5, 0.5], "share": 1.0}]
    )
    curve = {"false_accept": [0.0, 0.0, 1.0], "true_accept": [0.0, 1.0, 1.0]}
    assert "<svg" in plots.plot_det(curve, 0.1)
    assert "<svg" in plots.plot_roc(curve, 3.0)


def test_plots_leave_the_callers_settings_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.plot_rows(["a"], [0.5], [[0.1, 0.9]], [0.2], "x")
    assert dict(mpl.rcParams) == before
