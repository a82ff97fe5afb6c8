"""report.html: the whole evaluation on one page that needs nothing but itself."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from handnet.evaluation.report import plots
from handnet.evaluation.report.embedding_map import draw_map
from handnet.evaluation.report.errors import show_look_alikes, show_worst_queries
from handnet.evaluation.report.html import (
    build_details,
    build_facts,
    build_figure,
    build_page,
    build_paragraph,
    build_table,
)
from handnet.files import write_bytes
from handnet.metrics.all_figures import describe_part
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.figures import DIRECTION_NAMES, FIGURE_NAMES, cell, format_percent


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
        part: the photos it was computed from; their files, where they are at hand, become thumbnails.
        title: of the page.
        about: facts about run, data and program.
        seed: of the embedding map.

    Raises:
        DiskError: a folder that cannot be written.
    """
    write_bytes(Path(path), build_report(metrics, part, title, about or {}, seed).encode("utf-8", "replace"))


def build_report(
    metrics: Mapping[str, Any], part: EmbeddedPart, title: str, about: Mapping[str, str], seed: int = 0
) -> str:
    """Return the page of `write_report` as text.

    Args:
        metrics: what `evaluate_part` returned.
        part: the photos.
        title: of the page.
        about: facts.
        seed: of the embedding map.
    """
    sections = [
        ("retrieval", "Retrieval", _show_retrieval(metrics)),
        ("verification", "Verification", _show_verification(metrics["verification"])),
        ("open-set", "Open set", _show_open_set(metrics["open_set"])),
        ("calibration", "Calibration", _show_calibration(metrics.get("calibration"))),
        ("baselines", "Baselines without learning", _show_baselines(metrics)),
        ("audit", "Shortcut audit", _show_audit(metrics.get("audit"))),
        ("slices", "Slices", _show_slices(metrics["slices"])),
        ("worst", "Worst queries", show_worst_queries(part)),
        ("look-alikes", "People who look alike", show_look_alikes(part)),
        ("map", "Embedding map", _show_map(part, seed)),
        ("reading", "How to read this", _explain(metrics)),
    ]
    return build_page(title, sections, _introduce(metrics, about))


def _introduce(metrics: Mapping[str, Any], about: Mapping[str, str]) -> str:
    part = metrics["part"]
    figures = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    photo = metrics["protocols"]["photo"]["dorsal_to_palmar"]
    heads = "".join(
        f'<div class="head"><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(note)}</span></div>'
        for name, value, note in (
            ("R@1, person templates", *_head(figures, "recall_at_1")),
            ("Mean rank, person templates", *_head(figures, "mean_rank")),
            ("R@1, single photos", *_head(photo, "recall_at_1")),
            (
                "EER, pairs of photos",
                f"{100 * metrics['verification']['eer']:.1f} %",
                f"95 %: {_bounds(metrics['verification']['interval']['eer'])}; chance 50",
            ),
        )
    )
    counts = {
        "People": f"{part['num_people']}, of them {part['num_people_both_views']} with both views",
        "Photos": f"{part['num_dorsal']:,} dorsal and {part['num_palmar']:,} palmar",
        "Embedding": f"{part['embedding_dimensions']} numbers a photo",
    }
    left_out = len(part["one_view_only"])
    who = (
        "1 person has one view only, asks nothing and stays"
        if left_out == 1
        else (f"{left_out:,} people have one view only, ask nothing and stay")
    )
    note = f"{who} in galleries of photos as a wrong answer." if left_out else ""
    return f'{build_facts({**about, **counts})}<div class="heads">{heads}</div>{build_paragraph(note, "soft")}'


def _head(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    value, small = cell(figures, name)
    unit = "" if "rank" in name else " %"
    interval, chance = small.split("\n")
    return f"{value}{unit}", f"95 %: {interval}; {chance}; dorsal → palmar"


def _bounds(interval: Sequence[float]) -> str:
    return "–".join(f"{100 * value:.1f}" for value in interval)


def _show_retrieval(metrics: Mapping[str, Any]) -> str:
    rows, refused = [], []
    for protocol in metrics["protocols"].values():
        if "refused" in protocol:
            refused.append(build_paragraph(f"{protocol['title']}: {protocol['refused']}", "soft"))
            continue
        rows += [_protocol_row(f"{protocol['title']}, {DIRECTION_NAMES[d]}", protocol[d]) for d in DIRECTION_NAMES]
    same = metrics["same_view"]
    if "refused" in same:
        refused.append(build_paragraph(f"Same view: {same['refused']}", "soft"))
    else:
        rows += [_protocol_row(f"Same view, {aspect}", figures) for aspect, figures in same.items()]
    curves = "".join(
        build_figure(
            plots.plot_cmc({d: metrics["protocols"][name][d] for d in DIRECTION_NAMES}),
            f"{metrics['protocols'][name]['title']}: queries whose person is among the first k; band: 95 % interval over people.",
        )
        for name in ("person_template", "photo", "one_shot")
    )
    return (
        build_paragraph(
            "Under each figure: its 95 % interval from a bootstrap over people, and chance for that gallery."
        )
        + build_table(["Protocol", *FIGURE_NAMES.values()], rows)
        + "".join(refused)
        + f'<div class="plots">{curves}</div>'
    )


def _protocol_row(name: str, figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes = f"{figures['num_queries']:,} queries of {figures['num_people']} people against {figures['num_gallery']:,g}"
    return [(name, sizes), *(cell(figures, figure) for figure in FIGURE_NAMES)]


def _show_verification(figures: Mapping[str, Any]) -> str:
    interval, chance = figures["interval"], figures["chance"]
    rows = [
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
    refused = "".join(
        build_paragraph(f"False accept rate {100 * float(rate):g} % not stated: {reason}.", "soft")
        for rate, reason in figures["refused"].items()
    )
    thresholds = {name: at["threshold"] for name, at in figures["thresholds"].items()}
    marked = " Dotted: thresholds from validation people." if thresholds else ""
    figures_html = "".join(
        build_figure(svg, caption)
        for svg, caption in (
            (plots.plot_histogram(figures["histogram"], thresholds), f"Similarity of pairs of photos.{marked}"),
            (plots.plot_roc(figures["curve"], smallest), "ROC, as far as the number of people carries it."),
            (plots.plot_det(figures["curve"], smallest), "DET: both kinds of error on normal deviate scales."),
        )
    )
    counts = (
        f"All {figures['num_genuine']:,} cross-view pairs of photos of one person and {figures['num_impostor']:,} of different "
        f"people, {figures['num_person_pairs']:,} pairs of people."
    )
    return (
        build_paragraph(counts)
        + build_table(["Figure", "Value", "Chance"], rows)
        + refused
        + _show_thresholds(figures["thresholds"])
        + f'<div class="plots">{figures_html}</div>'
    )


def _show_thresholds(thresholds: Mapping[str, Any]) -> str:
    if not thresholds:
        return build_paragraph(
            "Without validation people no threshold was chosen: none may be chosen on these.", "soft"
        )
    names = {"equal_error": "Equal errors", "best_f1": "Best F1"}
    shown = ("false_accept_rate", "false_reject_rate", "f1", "accuracy", "balanced_accuracy")
    rows, confusion = [], []
    for name, at in thresholds.items():
        values = []
        for figure in shown:
            chance = f"\nchance {100 * at['chance'][figure]:.1f}" if figure in at["chance"] else ""
            values.append((f"{100 * at[figure]:.1f}", _bounds(at["interval"][figure]) + chance))
        rows.append([(names[name], f"similarity from {at['threshold']:.3f} on"), *values])
        counts = at["confusion"]
        confusion.append(
            [(names[name], "")]
            + [(f"{counts[key]:,}", "") for key in ("true_accepts", "false_rejects", "false_accepts", "true_rejects")]
        )
    headings = ["Threshold", "False accepts %", "False rejects %", "F1 %", "Accuracy %", "Balanced accuracy %"]
    matrix = [
        "Threshold",
        "Same person, accepted",
        "Same person, rejected",
        "Different, accepted",
        "Different, rejected",
    ]
    return (
        "<h3>At thresholds chosen on validation people</h3>"
        + build_table(headings, rows)
        + build_paragraph(
            "Chance here is the best that deciding without looking reaches; nearly all pairs are of different people, so "
            "rejecting every pair has a high accuracy.",
            "soft",
        )
        + build_table(matrix, confusion)
    )


def _show_open_set(directions: Mapping[str, Any]) -> str:
    rows: list[list[tuple[str, str]]] = []
    refused: dict[str, str] = {}
    for direction, figures in directions.items():
        for rate, value in figures["false_negative_rate"].items():
            name = f"{DIRECTION_NAMES[direction]}, at {100 * float(rate):g} % false alarms"
            small = f"{figures['num_gallery']} of {figures['num_people']} people enrolled"
            missed = (format_percent(value), _bounds(figures["interval"][rate]))
            rows.append([(name, small), missed, (format_percent(figures["chance"][rate]), "")])
        refused |= figures["refused"]
    text = (
        "A random half of the people is enrolled, twenty times over, and every photo is searched for. A false alarm (FPIR) is "
        "a search for somebody who is not enrolled that still finds an entry; missed (FNIR) is a search for an enrolled person "
        "whose entry is not the first or is below the threshold."
    )
    table = build_table(["Search", "Missed", "Chance"], rows) if rows else ""
    lines = [f"False alarm rate {100 * float(rate):g} % not stated: {reason}." for rate, reason in refused.items()]
    return build_paragraph(text) + table + "".join(build_paragraph(line, "soft") for line in lines)


def _show_calibration(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return ""
    low, high = figures["interval"]["cllr"]
    isotonic = figures["isotonic"]
    second = isotonic.get("refused") or f"Cllr {isotonic['cllr']:.3f}, ECE {format_percent(isotonic['ece'])}"
    facts = {
        "Cllr": f"{figures['cllr']:.3f} [{low:.3f}–{high:.3f}]; 0 is perfect, 1 says nothing",
        "Best Cllr": f"{figures['min_cllr']:.3f}, had the calibration been fitted to these pairs themselves",
        "ECE": format_percent(figures["ece"], figures["interval"]["ece"]),
        "Isotonic": second,
        "Logistic": f"log likelihood ratio = {figures['slope']:.3f} · cosine {'+' if figures['intercept'] >= 0 else '−'} "
        f"{abs(figures['intercept']):.3f}, from "
        f"{figures['num_validation_people']} validation people",
    }
    text = "The probability that two photos show one person, where nothing else is known (prior 50 %)."
    plot = build_figure(
        plots.plot_reliability(figures["reliability"]),
        "Stated probability against how often it was right; bars: 95 % interval.",
    )
    return build_paragraph(text) + build_facts(facts) + f'<div class="plots">{plot}</div>'


def _show_baselines(metrics: Mapping[str, Any]) -> str:
    if not metrics.get("baselines"):
        return ""
    rows = []
    for name in ("person_template", "photo"):
        title, model = metrics["protocols"][name]["title"], metrics["protocols"][name]["dorsal_to_palmar"]
        entries = [("This model", model)]
        entries += [
            (k.replace("_", " ").capitalize(), b[name]["dorsal_to_palmar"]) for k, b in metrics["baselines"].items()
        ]
        rows += [[(label, title), *(cell(figures, figure) for figure in FIGURE_NAMES)] for label, figures in entries]
    text = (
        "What needs no learning at all, dorsal → palmar. Photos of one session share light, background and pose: a model "
        "that does no better than raw pixels has learnt nothing about hands."
    )
    return build_paragraph(text) + build_table(["Embedding", *FIGURE_NAMES.values()], rows)


def _show_audit(audit: Mapping[str, Any] | None) -> str:
    if not audit:
        return ""
    rows, labels, values, intervals, chance = [], [], [], [], []
    for condition in audit["conditions"].values():
        if "refused" in condition:
            rows.append([(condition["title"], condition["refused"]), *[("–", "")] * len(FIGURE_NAMES)])
            continue
        figures = condition["person_template"]["dorsal_to_palmar"]
        rows.append(
            [(condition["title"], condition["definition"]), *(cell(figures, figure) for figure in FIGURE_NAMES)]
        )
        labels.append(condition["title"])
        values.append(figures["recall_at_1"])
        intervals.append(figures["interval"]["recall_at_1"])
        chance.append(figures["chance"]["recall_at_1"])
    plot = build_figure(
        plots.plot_rows(labels, values, intervals, chance, "person found first (R@1), %"),
        "What the model still finds when part of the photo is taken away.",
    )
    text = (
        "The published protocol, dorsal → palmar, on altered photos. Whatever is found on the background alone was found by "
        "the session and not by the hand."
    )
    return (
        build_paragraph(text)
        + f'<div class="plots">{plot}</div>'
        + build_table(["Photos", *FIGURE_NAMES.values()], rows)
    )


def _show_slices(directions: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    figures, tables = [], []
    for direction, rows in directions.items():
        if not rows:
            continue
        name = DIRECTION_NAMES[direction]
        svg = plots.plot_rows(
            [f"{row['attribute']}: {row['value']}" for row in rows],
            [row["recall_at_1"] for row in rows],
            [row.get("interval", {}).get("recall_at_1") for row in rows],
            [row["chance"]["recall_at_1"] for row in rows],
            "person found first (R@1), %",
        )
        caption = f"{name}, the worst first; slices of fewer than five people at the end: there one person decides."
        figures.append(build_figure(svg, caption))
        table = build_table(["Queries", *FIGURE_NAMES.values()], [_slice_row(row) for row in rows])
        tables.append(build_details(f"All figures, {name}", table))
    text = "Single photos as queries, by what the data set says of them, against the whole gallery."
    return f'{build_paragraph(text)}<div class="plots">{"".join(figures)}</div>{"".join(tables)}' if figures else ""


def _slice_row(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    few = ", too few to tell" if row["few_people"] else ""
    people = f"{row['num_people']} {'person' if row['num_people'] == 1 else 'people'}"
    photos = f"{row['num_queries']:,} {'photo' if row['num_queries'] == 1 else 'photos'}"
    name = (f"{row['attribute']}: {row['value']}", f"{people}, {photos}{few}")
    return [name, *(cell(row, figure) for figure in FIGURE_NAMES)]


def _show_map(part: EmbeddedPart, seed: int) -> str:
    drawn = draw_map(part, seed)
    text = (
        "Each person twice, by the average of all dorsal and of all palmar photos, with a line between. t-SNE keeps "
        "neighbours together; distances between far points mean nothing."
    )
    everybody = describe_part(part)["num_people_both_views"]
    more = f" {len(drawn.people):,} of {everybody:,} people, drawn at random." if len(drawn.people) < everybody else ""
    return (
        f'<div class="plots">{build_figure(plots.plot_map(drawn.dorsal, drawn.palmar, drawn.found), text + more)}</div>'
    )


def _explain(metrics: Mapping[str, Any]) -> str:
    facts = {p["title"]: p["definition"] for p in metrics["protocols"].values()}
    facts["Same view"] = (
        "Photos without accessories, each aspect (as dorsal right) for itself: one random photo of each person is gallery, "
        "the others ask; the other aspects' galleries are added as wrong answers; ten draws."
    )
    facts["Rank"] = "Place of the first right entry when the gallery is sorted by cosine. Ties count against the query."
    facts["Chance"] = "What a random order of the same gallery is expected to score, computed exactly."
    facts["Interval"] = (
        f"95 %, from {metrics['num_replicates']:,} bootstrap draws of people with all of their photos; the gallery is held. "
        "Two imaginary people, one always right and one at chance, are among those drawn from, so that no figure looks "
        "certain that is not."
    )
    facts["Not stated"] = (
        "A rate is refused where fewer than three errors would be expected among independent trials (rule of three): people "
        "or pairs of people, however many photos they have."
    )
    return build_facts(facts)
