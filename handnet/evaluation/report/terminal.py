"""The terminal's table of an evaluation."""

import textwrap
from collections.abc import Mapping
from typing import Any

from handnet.errors import printable
from handnet.evaluation.report.slices_section import describe_slice
from handnet.evaluation.report.verdict import write_verdict
from handnet.metrics.embedding_checks import list_some
from handnet.metrics.figures import DIRECTION_NAMES, FIGURES, format_figure, format_interval, format_percent

_NAME_WIDTH = 24
_CELL_WIDTH = 12


# What the short table shows of the protocols.
_BRIEF = ("person_template", "photo")


def format_metrics(metrics: Mapping[str, Any], full: bool = False) -> str:
    """Return the figures of `evaluate_part` as text: under every figure its 95 % interval, and chance.

    Args:
        metrics: what `evaluate_part` returned.
        full: every protocol, rate and baseline; without it the verdict and the figures that are read first, about 30 lines.
    """
    lines = ([] if full else [*_wrap(write_verdict(metrics).finding), ""]) + _format_part(metrics["part"])
    headings = "".join(f"{figure.heading:>{_CELL_WIDTH}}" for figure in FIGURES.values())
    lines += ["", " " * _NAME_WIDTH + headings]
    for key, protocol in metrics["protocols"].items():
        if not full and key not in _BRIEF:
            continue
        if "refused" in protocol:
            lines += [f"{protocol['title']}: {protocol['refused']}"]
            continue
        sizes = dict.fromkeys((protocol[d]["num_queries"], protocol[d]["num_gallery"]) for d in DIRECTION_NAMES)
        counts = " / ".join(f"{queries:,} queries against {gallery:,g}" for queries, gallery in sizes)
        lines += [f"{protocol['title']}: {counts}"]
        for direction, name in DIRECTION_NAMES.items():
            lines += _format_rows(name, protocol[direction])
    lines += _format_baselines(metrics.get("baselines", {}), full)
    lines += ["", *_format_verification(metrics["verification"], full)]
    if full:
        lines += _format_open_set(metrics["open_set"])
    if "calibration" in metrics:
        figures = metrics["calibration"]
        low, high = figures["interval"]["cllr"]
        lines += [
            f"Calibration: Cllr {figures['cllr']:.3f} [{low:.3f}–{high:.3f}], chance 1, best possible "
            f"{figures['min_cllr']:.3f}; ECE {format_percent(figures['ece'], figures['interval']['ece'])}"
        ]
    lines += [*[""] * full, *_format_slices(metrics, 5 if full else 3)]
    if not full:
        lines += ["every figure: the report, or --full"]
    # Attributes, names and messages hold what a data set says: nothing of it may steer the terminal.
    return "\n".join(printable(line) for line in lines)


def format_large(metrics: Mapping[str, Any]) -> str:
    """Return the figures of `evaluate_large` as text, each with its 95 % interval, chance, and the bound of its error.

    Args:
        metrics: what `evaluate_large` returned, and "part".
    """
    protocol, rates = metrics["protocols"]["photo"], metrics["verification"]
    lines = _format_part(metrics["part"])
    lines += ["", " " * _NAME_WIDTH + "".join(f"{figure.heading:>{_CELL_WIDTH}}" for figure in FIGURES.values())]
    for direction, name in DIRECTION_NAMES.items():
        figures = protocol[direction]
        lines += [f"{protocol['title']}: {figures['num_queries']:,} queries against {figures['num_gallery']:,g}"]
        lines += _format_rows(name, figures)
    lines += [
        "",
        f"{rates['num_genuine']:,} pairs of the same person and {rates['num_impostor']:,} of different people",
    ]
    found = {"AUC": ("auc", rates["auc"]), "EER": ("eer", rates["eer"])}
    for label, (key, value) in found.items():
        low, high = rates["interval"][key]
        lines += [f"{label} {value:.6f} [{low:.6f}–{high:.6f}], exact to {rates['error'][key]:.1g}"]
    for rate, value in rates["true_accept_rate"].items():
        low, high = rates["interval"]["true_accept_rate"][rate]
        error = rates["error"]["true_accept_rate"][rate]
        lines += [f"TAR at FAR {rate}: {value:.6f} [{low:.6f}–{high:.6f}], exact to {error:.1g}"]
    lines += [f"not stated: {reason}." for reason in rates["refused"].values()]
    return "\n".join(lines)


def _wrap(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _NAME_WIDTH + _CELL_WIDTH * len(FIGURES))


def _format_baselines(baselines: Mapping[str, Any], full: bool) -> list[str]:
    lines = []
    for name, baseline in baselines.items():
        if not full:
            figures = baseline["person_template"]["dorsal_to_palmar"]
            cells = [format_figure(key, figures[key]) for key in FIGURES]
            lines += [f"  {name.replace('_', ' ')[: _NAME_WIDTH - 4]:<{_NAME_WIDTH - 2}}" + _pad(cells)]
            continue
        lines += [f"Baseline without learning, {name.replace('_', ' ')}, {DIRECTION_NAMES['dorsal_to_palmar']}"]
        for protocol in baseline:
            lines += _format_rows(protocol.replace("_", " "), baseline[protocol]["dorsal_to_palmar"])
    if lines and not full:
        lines = [f"Without learning, person templates, {DIRECTION_NAMES['dorsal_to_palmar']}", *lines]
    return lines


def _pad(cells: list[str]) -> str:
    return "".join(f"{text:>{_CELL_WIDTH}}" for text in cells)


def _format_open_set(directions: Mapping[str, Any]) -> list[str]:
    lines = []
    for direction, figures in directions.items():
        lines += [
            f"Open set, {DIRECTION_NAMES[direction]}, {figures['num_gallery']} of {figures['num_people']} people enrolled"
        ]
        for rate, value in figures["false_negative_rate"].items():
            chance = format_percent(figures["chance"][rate])
            lines += [
                f"  FNIR at FPIR {100 * float(rate):g} %: {format_percent(value, figures['interval'][rate])}, chance {chance}"
            ]
        lines += [f"  FPIR {100 * float(rate):g} % not stated: {reason}" for rate, reason in figures["refused"].items()]
    return lines


def _format_part(part: Mapping[str, Any]) -> list[str]:
    name = f"{part['name']}: " if part["name"] else ""
    left_out = part["one_view_only"]
    note = f"; {len(left_out)} with one view only are never queries ({list_some(left_out)})" if left_out else ""
    return [
        f"{name}{part['num_people']} people, {part['num_dorsal']:,} dorsal and {part['num_palmar']:,} palmar photos{note}"
    ]


def _format_rows(name: str, figures: Mapping[str, Any]) -> list[str]:
    def row(label: str, texts: list[str]) -> str:
        return f"{label:<{_NAME_WIDTH}}" + _pad(texts)

    return [
        row(f"  {name}", [format_figure(key, figures[key]) for key in FIGURES]),
        row("    95 % interval", [format_interval(key, figures["interval"][key]) for key in FIGURES]),
        row("    chance", [format_figure(key, figures["chance"][key]) for key in FIGURES]),
    ]


def _format_verification(figures: Mapping[str, Any], full: bool) -> list[str]:
    interval = figures["interval"]
    auc, eer = format_percent(figures["auc"], interval["auc"]), format_percent(figures["eer"], interval["eer"])
    lines = [
        f"Verification: {figures['num_genuine']:,} genuine and {figures['num_impostor']:,} impostor pairs of photos "
        f"({figures['num_person_pairs']:,} pairs of people)",
        f"  AUC {auc}, chance 50; EER {eer}, chance 50",
    ]
    for rate, value in [*figures["true_accept_rate"].items()][: None if full else 1]:
        bounds = interval["true_accept_rate"][rate]
        lines += [
            f"  TAR at FAR {100 * float(rate):g} %: {format_percent(value, bounds)}, chance {100 * float(rate):g}"
        ]
    if full:
        lines += [f"  FAR {100 * float(rate):g} % not stated: {reason}" for rate, reason in figures["refused"].items()]
    for name, at in [*figures["thresholds"].items()][: None if full else 1]:
        counts = at["confusion"]
        lines += [
            f"  at {at['threshold']:.3f} ({name.replace('_', ' ')} on validation people): F1 "
            f"{format_percent(at['f1'], at['interval']['f1'])}, chance {100 * at['chance']['f1']:.1f}; accuracy "
            f"{format_percent(at['accuracy'], at['interval']['accuracy'])}, chance {100 * at['chance']['accuracy']:.1f}",
        ]
        if full:
            lines += [
                f"    same person: {counts['true_accepts']:,} accepted, {counts['false_rejects']:,} rejected; different people: "
                f"{counts['false_accepts']:,} accepted, {counts['true_rejects']:,} rejected"
            ]
    return lines


def _format_slices(metrics: Mapping[str, Any], num_rows: int) -> list[str]:
    rows = [row for row in metrics["slices"]["dorsal_to_palmar"] if not row["few_people"]][:num_rows]
    if not rows:
        return []
    lines = [f"Worst slices, photo, {DIRECTION_NAMES['dorsal_to_palmar']}, R@1:"]
    for row in rows:
        value = format_percent(row["recall_at_1"], row["interval"]["recall_at_1"])
        chance = format_figure("recall_at_1", row["chance"]["recall_at_1"])
        label = describe_slice(row["attribute"], row["value"])
        lines += [f"  {label:<36} {value}, chance {chance}, {row['num_people']} people, {row['num_queries']} photos"]
    return lines
