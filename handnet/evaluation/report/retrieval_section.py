"""Tables and plots of who is found: every protocol, the baselines, the audit, the slices."""

from collections.abc import Mapping, Sequence
from typing import Any

from handnet.evaluation.report.plots import ranking_plots
from handnet.evaluation.report.render import Cell, Plot, Table
from handnet.metrics.figures import DIRECTION_NAMES, FIGURES, cell


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
    curves = [
        Plot(
            ranking_plots.plot_cmc({d: metrics["protocols"][name][d] for d in DIRECTION_NAMES}),
            f"{metrics['protocols'][name]['title']}: queries whose person is among the first k; band: 95 % interval over people.",
        )
        for name in ("person_template", "photo", "one_shot")
    ]
    return {"table": _figures_table("Protocol", rows), "refused": refused, "plots": curves}


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
    found: dict[str, Mapping[str, Any]] = {}
    for condition in audit["conditions"].values():
        if "refused" in condition:
            rows.append(((condition["title"], condition["refused"]), None))
            continue
        found[condition["title"]] = condition["person_template"]["dorsal_to_palmar"]
        rows.append(((condition["title"], condition["definition"]), found[condition["title"]]))
    svg = _plot_recall([*found], [*found.values()])
    caption = "What the model still finds when part of the photo is taken away."
    return {"table": _figures_table("Photos", rows), "plots": [Plot(svg, caption)]}


def show_slices(directions: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what the section of slices shows: direction → rows of figures, of each value of an attribute."""
    figures, tables = [], {}
    for direction, rows in directions.items():
        name = DIRECTION_NAMES[direction]
        svg = _plot_recall([f"{row['attribute']}: {row['value']}" for row in rows], rows)
        caption = f"{name}, the worst first; slices of fewer than five people at the end: there one person decides."
        figures.append(Plot(svg, caption))
        tables[name] = _figures_table("Queries", [(_name_slice(row), row) for row in rows])
    return {"plots": figures, "tables": tables}


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


def _name_slice(row: Mapping[str, Any]) -> Cell:
    few = ", too few to tell" if row["few_people"] else ""
    people = f"{row['num_people']} {'person' if row['num_people'] == 1 else 'people'}"
    photos = f"{row['num_queries']:,} {'photo' if row['num_queries'] == 1 else 'photos'}"
    return f"{row['attribute']}: {row['value']}", f"{people}, {photos}{few}"


def _plot_recall(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    return ranking_plots.plot_rows(
        labels,
        [row["recall_at_1"] for row in rows],
        [row.get("interval", {}).get("recall_at_1") for row in rows],
        [row["chance"]["recall_at_1"] for row in rows],
        "person found first (R@1), %",
    )
