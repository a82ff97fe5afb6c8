"""The plot of compared runs."""

from typing import Any

from handnet.evaluation.report.plots.difference_plot import chart_differences, plot_differences
from handnet.metrics.figures import list_means


def make_run(name: str) -> dict[str, Any]:
    figures = list_means()
    return {
        "name": name,
        **dict.fromkeys(figures, 0.5),
        "interval": {key: [0.4, 0.6] for key in figures},
        "chance": dict.fromkeys(figures, 0.1),
    }


def make_differences(*clear: bool) -> list[dict[str, Any]]:
    return [
        {"name": f"b{number}"}
        | {key: {"difference": 0.1, "interval": [0.05, 0.15], "clear": found} for key in list_means()}
        for number, found in enumerate(clear)
    ]


def test_the_charts_have_a_row_for_each_figure_and_run_and_say_what_is_clear() -> None:
    runs = [make_run("a"), make_run("b0"), make_run("b1")]
    values, changes = chart_differences({"runs": runs, "differences": make_differences(True, False)})
    assert values["rows"][:3] == ["R@1, a", "R@1, b0", "R@1, b1"]
    assert [series["name"] for series in values["series"]] == ["a", "b0", "b1", "chance"]
    assert values["series"][1]["y"] == list(range(1, len(values["rows"]), 3))
    assert values["series"][1]["labels"][0] == "R@1 50.0 [40.0–60.0]"
    assert set(values["series"][-1]["x"]) == {10.0}
    clear, unclear = changes["series"]
    assert changes["rows"][:2] == ["R@1, b0 minus a", "R@1, b1 minus a"]
    assert (clear["y"][0], unclear["y"][0]) == (0, 1)
    assert (clear["low"][0], clear["x"][0], clear["high"][0]) == (5.0, 10.0, 15.0)
    assert changes["x"]["min"] < 0 < 15 < changes["x"]["max"]


def test_long_names_of_runs_are_cut_at_their_beginning_and_do_not_widen_the_picture():
    def plot(name: str) -> str:
        return plot_differences({"runs": [make_run("runs/a"), make_run(name)], "differences": make_differences(True)})

    long, longer = plot("x" * 40 + "/the-end"), plot("y" * 400 + "/the-end")
    width = 'width="'
    assert long.split(width)[1].split('"')[0] == longer.split(width)[1].split('"')[0]
