"""The pages of `handnet compare` and `handnet cv`, in the manner of the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handnet.evaluation.report.plots import charts, ranking_plots
from handnet.evaluation.report.plots.difference_plot import chart_differences, plot_differences
from handnet.evaluation.report.render import Cell, Plot, Table, render
from handnet.files import write_bytes
from handnet.metrics.figures import DIRECTION_NAMES, FIGURES, cell, format_figure, format_interval, list_means


def write_comparison(path: Path, comparison: Mapping[str, Any]) -> None:
    """Write the page of compared runs: a sentence for each, the plot of the paired differences, and their table.

    Args:
        path: the page.
        comparison: what `compare_runs` returned.

    Raises:
        DiskError: a folder that cannot be written.
    """
    figures, runs = list_means(), comparison["runs"]
    rows: list[list[Cell]] = [
        [(str(run["name"]), f"{run['backbone']}, {run['loss']}"), *(cell(run, key) for key in figures)] for run in runs
    ]
    for row in comparison["differences"]:
        changes: list[Cell] = [
            (
                format_figure(key, row[key]["difference"], signed=True),
                f"{format_interval(key, row[key]['interval'], ' to ')}\n{'clear' if row[key]['clear'] else 'not clear'}",
            )
            for key in figures
        ]
        rows.append([(f"{row['name']} minus {row['against']}", "paired"), *changes])
    caption = "Figures with chance, and paired differences from the first run: clear where the interval leaves out 0."
    searched = f"{comparison['protocol'].replace('_', ' ')}, {DIRECTION_NAMES[comparison['direction']]}"
    page = render(
        "comparison.html.j2",
        title="Runs compared",
        verdict=[_tell(row) for row in comparison["differences"]],
        note=f"{searched}; every run on the same photos.",
        plots=[],
        wide=Plot(plot_differences(comparison), caption),
        wide_charts=chart_differences(comparison),
        table=Table(["Run", *(figure.heading for figure in figures.values())], rows),
    )
    write_bytes(path, page)


def write_folds(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write the page of a cross-validation: pooled figures, and a curve for each protocol.

    Args:
        path: the page.
        metrics: what `cross_validate` returned.

    Raises:
        DiskError: a folder that cannot be written.
    """
    names = ("person_template", "photo")
    rows: list[list[Cell]] = []
    plots = []
    for name in names:
        protocol, shown = metrics["protocols"][name], name.replace("_", " ").capitalize()
        for direction, words in DIRECTION_NAMES.items():
            found = protocol[direction]
            counts = f"{found['num_queries']:,} queries of {found['num_people']} people"
            rows.append([(f"{shown}, {words}", counts), *(cell(found, key) for key in FIGURES)])
        if all("cmc" in protocol[direction] for direction in DIRECTION_NAMES):
            directions = {direction: protocol[direction] for direction in DIRECTION_NAMES}
            caption = f"{shown}: searches whose person is among the first k; band: 95 % interval over people."
            plots.append(Plot(ranking_plots.plot_cmc(directions), caption, charts.chart_cmc(directions)))
    first = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    value, interval = format_figure("recall_at_1", first["recall_at_1"]), first["interval"]["recall_at_1"]
    page = render(
        "comparison.html.j2",
        title=f"{path.parent.resolve().name}: cross-validation",
        verdict=[
            f"Each of {metrics['num_people']} people was tested once, in {metrics['num_folds']} folds: with all photos of a "
            f"person averaged, {value} % are found first [{format_interval('recall_at_1', interval)}]; chance is "
            f"{format_figure('recall_at_1', first['chance']['recall_at_1'])} %."
        ],
        note="Every fold has a gallery and a chance level of its own; the searches are pooled. Each fold alone: metrics.json.",
        plots=plots,
        wide=None,
        wide_charts=[],
        table=Table(["Protocol", *(figure.heading for figure in FIGURES.values())], rows),
    )
    write_bytes(path, page)


def _tell(row: Mapping[str, Any]) -> str:
    change = row["recall_at_1"]
    points = format_figure("recall_at_1", abs(change["difference"]))
    bounds = format_interval("recall_at_1", change["interval"], " to ")
    if not change["clear"]:
        return (
            f"Between {row['name']} and {row['against']} no difference is clear: R@1 differs by {points} points, and "
            f"the interval holds 0 ({bounds})."
        )
    way = "better" if change["difference"] > 0 else "worse"
    return f"{row['name']} is {way} than {row['against']}: R@1 by {points} points (95 % interval {bounds})."
