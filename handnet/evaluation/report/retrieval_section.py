"""Tables and plots of who is found: every protocol, the baselines, the audit, the slices."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.evaluation.report.plots import charts, ranking_plots
from handnet.evaluation.report.render import Cell, Plot, Table
from handnet.metrics.figures import DIRECTION_NAMES, FIGURES, cell, format_percent


def show_retrieval(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section of retrieval shows: `metrics` is the whole of metrics.json."""
    rows: list[tuple[Cell, Mapping[str, Any] | None]] = []
    refused = []
    for protocol in metrics["protocols"].values():
        if "refused" in protocol:
            refused.append(f"{protocol['title']}: {protocol['refused']}")
            continue
        rows += [
            (_name_row(f"{protocol['title']}, {DIRECTION_NAMES[d]}", protocol[d]), protocol[d]) for d in DIRECTION_NAMES
        ]
    same = metrics["same_view"]
    if "refused" in same:
        refused.append(f"Same view: {same['refused']}")
    else:
        rows += [(_name_row(f"Same view, {aspect}", figures), figures) for aspect, figures in same.items()]
    curves = [show_curve(metrics, name) for name in ("person_template", "one_shot")]
    return {"table": _figures_table("Protocol", rows), "refused": refused, "plots": curves}


def show_curve(metrics: Mapping[str, Any], name: str) -> Plot:
    """Return the plot of recall at each rank of one protocol, from the whole of metrics.json."""
    protocol = metrics["protocols"][name]
    directions = {d: protocol[d] for d in DIRECTION_NAMES}
    caption = f"{protocol['title']}: searches whose person is among the first k; band: 95 % interval over people."
    return Plot(ranking_plots.plot_cmc(directions), caption, charts.chart_cmc(directions))


def describe_curve(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the curve of single photos says at the ranks that are read most, a sentence for each direction."""
    words = {"dorsal_to_palmar": "From a back to the palms", "palmar_to_dorsal": "From a palm to the backs"}
    lines = []
    for direction, start in words.items():
        figures = metrics["protocols"]["photo"][direction]
        shares = [f"{format_percent(figures[f'recall_at_{k}'])} among the first {k}" for k in (5, 10)]
        first = format_percent(figures["recall_at_1"], figures["interval"]["recall_at_1"])
        lines.append(
            f"{start}: the right person is first in {first} of {figures['num_queries']:,} searches, in {' and '.join(shares)}; "
            f"the mean rank is {figures['mean_rank']:.1f} of {figures['num_gallery']:,g} "
            f"(chance {figures['chance']['mean_rank']:.1f})."
        )
    return lines


def show_baselines(metrics: Mapping[str, Any]) -> Table:
    """Return the table of the model and the baselines without learning, from the whole of metrics.json."""
    rows: list[tuple[Cell, Mapping[str, Any] | None]] = []
    for name in ("person_template", "photo"):
        title, model = metrics["protocols"][name]["title"], metrics["protocols"][name]["dorsal_to_palmar"]
        rows.append((("This model", title), model))
        rows += [
            ((baseline.replace("_", " ").capitalize(), title), figures[name]["dorsal_to_palmar"])
            for baseline, figures in metrics["baselines"].items()
        ]
    return _figures_table("Embedding", rows)


def show_audit(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section of the audit shows, from `audit_part`'s figures."""
    rows: list[tuple[Cell, Mapping[str, Any] | None]] = []
    for condition in audit["conditions"].values():
        if "refused" in condition:
            rows.append(((condition["title"], condition["refused"]), None))
            continue
        rows.append(((condition["title"], condition["definition"]), condition["person_template"]["dorsal_to_palmar"]))
    return {"table": _figures_table("Photos", rows)}


def _figures_table(heading: str, rows: Sequence[tuple[Cell, Mapping[str, Any] | None]]) -> Table:
    """Return a table of all figures of retrieval, a row for each (name, figures), dashes where there are none."""
    dashes: list[Cell] = [("–", "")] * len(FIGURES)
    return Table(
        [heading, *(figure.heading for figure in FIGURES.values())],
        [[name, *([cell(figures, key) for key in FIGURES] if figures else dashes)] for name, figures in rows],
    )


def _name_row(name: str, figures: Mapping[str, Any]) -> Cell:
    return (
        name,
        f"{figures['num_queries']:,} queries of {figures['num_people']} people against {figures['num_gallery']:,g}",
    )
