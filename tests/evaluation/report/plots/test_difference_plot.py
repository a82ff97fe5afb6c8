"""The plot of compared runs."""

from handnet.evaluation.report.plots.difference_plot import plot_differences
from handnet.metrics.figures import list_means


def test_long_names_of_runs_are_cut_at_their_beginning_and_do_not_widen_the_picture():
    figures = list_means()

    def compared(name: str):
        row = {"interval": {}, "chance": {}, "name": name}
        for key in figures:
            row |= {key: 0.5}
            row["interval"][key], row["chance"][key] = [0.4, 0.6], 0.1
        return row

    def plot(name: str) -> str:
        change = {key: {"difference": 0.1, "interval": [0.05, 0.15], "clear": True} for key in figures}
        return plot_differences({"runs": [compared("runs/a"), compared(name)], "differences": [change]})

    long, longer = plot("x" * 40 + "/the-end"), plot("y" * 400 + "/the-end")
    width = 'width="'
    assert long.split(width)[1].split('"')[0] == longer.split(width)[1].split('"')[0]
