"""report.html: the whole evaluation on one page that needs nothing but itself. Figures from here, words from the template."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handnet.evaluation.report import plots
from handnet.evaluation.report.embedding_map import draw_map
from handnet.evaluation.report.error_browser import show_look_alikes, show_worst_queries
from handnet.evaluation.report.render import Cell, Plot, Table, render
from handnet.files import write_bytes
from handnet.metrics.all_figures import describe_part
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.figures import DIRECTION_NAMES, FIGURES, cell, format_percent

# Anchor → heading. The page has those of which there is something to say.
_SECTIONS = {
    "retrieval": "Retrieval",
    "verification": "Verification",
    "open-set": "Open set",
    "calibration": "Calibration",
    "baselines": "Baselines without learning",
    "audit": "Shortcut audit",
    "slices": "Slices",
    "worst": "Worst queries",
    "look-alikes": "People who look alike",
    "map": "Embedding map",
    "reading": "How to read this",
}


def write_report(
    path: Path,
    metrics: Mapping[str, Any],
    part: EmbeddedPart,
    title: str,
    about: Mapping[str, str] | None = None,
    seed: int = 0,
) -> None:
    """Write the report of an evaluation, whole or not at all.

    Args:
        path: report.html.
        metrics: what `evaluate_part` returned, with the key "audit" where there was one.
        part: the photos it was computed from; their files, where there are any, become thumbnails.
        title: of the page.
        about: facts about run, data and program.
        seed: random seed for the embedding map.

    Raises:
        DiskError: a folder that cannot be written.
    """
    slices = {name: rows for name, rows in metrics["slices"].items() if rows}
    present = {"calibration": metrics.get("calibration"), "baselines": metrics.get("baselines")}
    present |= {"audit": metrics.get("audit"), "slices": slices}
    page = render(
        "report.html.j2",
        title=title,
        sections={anchor: heading for anchor, heading in _SECTIONS.items() if present.get(anchor, True)},
        about={**(about or {}), **_count_part(metrics["part"])},
        heads=_list_heads(metrics),
        num_one_view=len(metrics["part"]["one_view_only"]),
        retrieval=_show_retrieval(metrics),
        verification=_show_verification(metrics["verification"]),
        open_set=_show_open_set(metrics["open_set"]),
        calibration=_show_calibration(metrics["calibration"]) if present["calibration"] else {},
        baselines=_show_baselines(metrics) if present["baselines"] else {},
        audit=_show_audit(metrics["audit"]) if present["audit"] else {},
        slices=_show_slices(slices),
        worst=show_worst_queries(part, metrics["worst_queries"]["dorsal_to_palmar"]),
        look_alikes=show_look_alikes(part),
        map=_show_map(part, seed),
        reading=_explain(metrics),
    )
    write_bytes(Path(path), page)


def _count_part(part: Mapping[str, Any]) -> dict[str, str]:
    return {
        "People": f"{part['num_people']}, of them {part['num_people_both_views']} with both views",
        "Photos": f"{part['num_dorsal']:,} dorsal and {part['num_palmar']:,} palmar",
        "Embedding": f"{part['embedding_dimensions']} numbers a photo",
    }


def _list_heads(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, value, note) of the figures at the top."""
    person, photo = (metrics["protocols"][name]["dorsal_to_palmar"] for name in ("person_template", "photo"))
    verification = metrics["verification"]
    return [
        ("R@1, person templates", *_head(person, "recall_at_1")),
        ("Mean rank, person templates", *_head(person, "mean_rank")),
        ("R@1, single photos", *_head(photo, "recall_at_1")),
        (
            "EER, pairs of photos",
            f"{100 * verification['eer']:.1f} %",
            f"95 %: {_bounds(verification['interval']['eer'])}; chance 50",
        ),
    ]


def _head(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    value, small = cell(figures, name)
    interval, chance = small.split("\n")
    return f"{value}{FIGURES[name].suffix}", f"95 %: {interval}; {chance}; dorsal → palmar"


def _bounds(interval: Sequence[float]) -> str:
    return "–".join(f"{100 * value:.1f}" for value in interval)


def _figures_table(heading: str, rows: Sequence[tuple[Cell, Mapping[str, Any] | None]]) -> Table:
    """Return a table of all figures of retrieval, a row for each (name, figures), dashes where there are none."""
    dashes: list[Cell] = [("–", "")] * len(FIGURES)
    return Table(
        [heading, *(figure.heading for figure in FIGURES.values())],
        [[name, *([cell(figures, key) for key in FIGURES] if figures else dashes)] for name, figures in rows],
    )


def _show_retrieval(metrics: Mapping[str, Any]) -> dict[str, Any]:
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
            plots.plot_cmc({d: metrics["protocols"][name][d] for d in DIRECTION_NAMES}),
            f"{metrics['protocols'][name]['title']}: queries whose person is among the first k; band: 95 % interval over people.",
        )
        for name in ("person_template", "photo", "one_shot")
    ]
    return {"table": _figures_table("Protocol", rows), "refused": refused, "plots": curves}


def _name_row(name: str, figures: Mapping[str, Any]) -> Cell:
    return (
        name,
        f"{figures['num_queries']:,} queries of {figures['num_people']} people against {figures['num_gallery']:,g}",
    )


def _show_verification(figures: Mapping[str, Any]) -> dict[str, Any]:
    interval, chance = figures["interval"], figures["chance"]
    rows: list[list[Cell]] = [
        [("AUC", ""), (format_percent(figures["auc"]), _bounds(interval["auc"])), ("50 %", "")],
        [("Equal error rate", ""), (format_percent(figures["eer"]), _bounds(interval["eer"])), ("50 %", "")],
    ]
    for rate, value in figures["true_accept_rate"].items():
        small = _bounds(interval["true_accept_rate"][rate])
        name = f"Same person accepted at {100 * float(rate):g} % false accepts"
        rows.append(
            [(name, ""), (format_percent(value), small), (format_percent(chance["true_accept_rate"][rate]), "")]
        )
    # Two people carry no rate at all; the axis still needs a length.
    smallest = min(3 / figures["num_person_pairs"], 0.3)
    thresholds = {name: at["threshold"] for name, at in figures["thresholds"].items()}
    marked = " Dotted: thresholds from validation people." if thresholds else ""
    return {
        **{name: figures[name] for name in ("num_genuine", "num_impostor", "num_person_pairs")},
        "table": Table(["Figure", "Value", "Chance"], rows),
        "refused": [
            f"False accept rate {100 * float(rate):g} % not stated: {reason}."
            for rate, reason in figures["refused"].items()
        ],
        "thresholds": _tabulate_thresholds(figures["thresholds"]) if thresholds else None,
        "confusion": _tabulate_confusion(figures["thresholds"]),
        "plots": [
            Plot(plots.plot_histogram(figures["histogram"], thresholds), f"Similarity of pairs of photos.{marked}"),
            Plot(plots.plot_roc(figures["curve"], smallest), "ROC, as far as the number of people carries it."),
            Plot(plots.plot_det(figures["curve"], smallest), "DET: both kinds of error on normal deviate scales."),
        ],
    }


_THRESHOLDS = {"equal_error": "Equal errors", "best_f1": "Best F1"}


def _tabulate_thresholds(thresholds: Mapping[str, Any]) -> Table:
    shown = {
        "false_accept_rate": "False accepts %",
        "false_reject_rate": "False rejects %",
        "f1": "F1 %",
        "accuracy": "Accuracy %",
        "balanced_accuracy": "Balanced accuracy %",
    }
    rows = []
    for name, at in thresholds.items():
        cells = [(_THRESHOLDS[name], f"similarity from {at['threshold']:.3f} on")]
        for figure in shown:
            chance = f"\nchance {100 * at['chance'][figure]:.1f}" if figure in at["chance"] else ""
            cells.append((f"{100 * at[figure]:.1f}", _bounds(at["interval"][figure]) + chance))
        rows.append(cells)
    return Table(["Threshold", *shown.values()], rows)


def _tabulate_confusion(thresholds: Mapping[str, Any]) -> Table:
    shown = {
        "true_accepts": "Same person, accepted",
        "false_rejects": "Same person, rejected",
        "false_accepts": "Different, accepted",
        "true_rejects": "Different, rejected",
    }
    rows = [
        [(_THRESHOLDS[name], ""), *((f"{at['confusion'][key]:,}", "") for key in shown)]
        for name, at in thresholds.items()
    ]
    return Table(["Threshold", *shown.values()], rows)


def _show_open_set(directions: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[list[Cell]] = []
    refused: dict[str, str] = {}
    for direction, figures in directions.items():
        for rate, value in figures["false_negative_rate"].items():
            name = f"{DIRECTION_NAMES[direction]}, at {100 * float(rate):g} % false alarms"
            small = f"{figures['num_gallery']} of {figures['num_people']} people enrolled"
            missed = (format_percent(value), _bounds(figures["interval"][rate]))
            rows.append([(name, small), missed, (format_percent(figures["chance"][rate]), "")])
        refused |= figures["refused"]
    lines = [f"False alarm rate {100 * float(rate):g} % not stated: {reason}." for rate, reason in refused.items()]
    return {"table": Table(["Search", "Missed", "Chance"], rows), "refused": lines}


def _show_calibration(figures: Mapping[str, Any]) -> dict[str, Any]:
    low, high = figures["interval"]["cllr"]
    isotonic = figures["isotonic"]
    second = isotonic.get("refused") or f"Cllr {isotonic['cllr']:.3f}, ECE {format_percent(isotonic['ece'])}"
    facts = {
        "Cllr": f"{figures['cllr']:.3f} [{low:.3f}–{high:.3f}]; 0 is perfect, 1 says nothing",
        "Best Cllr": f"{figures['min_cllr']:.3f}, had the calibration been fitted to these pairs themselves",
        "ECE": format_percent(figures["ece"], figures["interval"]["ece"]),
        "Isotonic": second,
        "Logistic": f"log likelihood ratio = {figures['slope']:.3f} · cosine {'+' if figures['intercept'] >= 0 else '−'} "
        f"{abs(figures['intercept']):.3f}, from {figures['num_validation_people']} validation people",
    }
    caption = "Stated probability against how often it was right; bars: 95 % interval."
    return {"facts": facts, "plots": [Plot(plots.plot_reliability(figures["reliability"]), caption)]}


def _show_baselines(metrics: Mapping[str, Any]) -> Table:
    rows: list[tuple[Cell, Mapping[str, Any] | None]] = []
    for name in ("person_template", "photo"):
        title, model = metrics["protocols"][name]["title"], metrics["protocols"][name]["dorsal_to_palmar"]
        rows.append((("This model", title), model))
        rows += [
            ((baseline.replace("_", " ").capitalize(), title), figures[name]["dorsal_to_palmar"])
            for baseline, figures in metrics["baselines"].items()
        ]
    return _figures_table("Embedding", rows)


def _show_audit(audit: Mapping[str, Any]) -> dict[str, Any]:
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


def _plot_recall(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    return plots.plot_rows(
        labels,
        [row["recall_at_1"] for row in rows],
        [row.get("interval", {}).get("recall_at_1") for row in rows],
        [row["chance"]["recall_at_1"] for row in rows],
        "person found first (R@1), %",
    )


def _show_slices(directions: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    figures, tables = [], {}
    for direction, rows in directions.items():
        name = DIRECTION_NAMES[direction]
        svg = _plot_recall([f"{row['attribute']}: {row['value']}" for row in rows], rows)
        caption = f"{name}, the worst first; slices of fewer than five people at the end: there one person decides."
        figures.append(Plot(svg, caption))
        tables[name] = _figures_table("Queries", [(_name_slice(row), row) for row in rows])
    return {"plots": figures, "tables": tables}


def _name_slice(row: Mapping[str, Any]) -> Cell:
    few = ", too few to tell" if row["few_people"] else ""
    people = f"{row['num_people']} {'person' if row['num_people'] == 1 else 'people'}"
    photos = f"{row['num_queries']:,} {'photo' if row['num_queries'] == 1 else 'photos'}"
    return f"{row['attribute']}: {row['value']}", f"{people}, {photos}{few}"


def _show_map(part: EmbeddedPart, seed: int) -> Plot:
    drawn = draw_map(part, seed)
    text = (
        "Each person twice, by the average of all dorsal and of all palmar photos, with a line between. t-SNE keeps "
        "neighbours together; distances between far points mean nothing."
    )
    everybody = describe_part(part)["num_people_both_views"]
    more = f" {len(drawn.people):,} of {everybody:,} people, drawn at random." if len(drawn.people) < everybody else ""
    return Plot(plots.plot_map(drawn.dorsal, drawn.palmar, drawn.found), text + more)


def _explain(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{protocol["title"]: protocol["definition"] for protocol in metrics["protocols"].values()},
        "Same view": "Photos without accessories, each aspect (e.g. dorsal right) for itself: one random photo of each person "
        "is gallery, the others are queries; the other aspects' galleries are added as wrong answers; ten draws.",
        "Rank": "Place of the first right entry when the gallery is sorted by cosine. Ties count against the query.",
        "Chance": "What a random order of the same gallery is expected to score, computed exactly.",
        "Interval": f"95 %, from {metrics['num_replicates']:,} bootstrap draws of people with all of their photos; the gallery "
        "is held. Two imaginary people, one always right and one at chance, are among those drawn from, so that no figure "
        "looks certain that is not.",
        "Not stated": "A rate is refused where fewer than three errors would be expected among independent trials (rule of "
        "three): people or pairs of people, however many photos they have.",
    }
