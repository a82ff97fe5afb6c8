"""Plots of who is found."""

import matplotlib as mpl

from handnet.evaluation.report.plots import ranking_plots


def test_rows_survive_extremes():
    assert "<svg" in ranking_plots.plot_rows(["a" * 100], [0.0], [None], [0.0], "x")


def test_plots_leave_the_callers_settings_alone():
    before = dict(mpl.rcParams)
    ranking_plots.plot_rows(["a"], [0.5], [[0.1, 0.9]], [0.2], "x")
    assert dict(mpl.rcParams) == before
