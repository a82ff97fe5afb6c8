"""The table and the page of an evaluation on pairs of photos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from handnet.errors import printable
from handnet.evaluation.report.plots import BLUE, GREEN, GREY, ORANGE, draw_svg
from handnet.evaluation.report.render import Cell, Plot, Table, Thumbnail, render
from handnet.files import write_bytes

_COLUMNS = {"auc": "AUC", "f1": "F1", "accuracy": "accuracy", "false_accept_rate": "FAR", "false_reject_rate": "FRR"}
_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", GREY)
_NUM_SHOWN = 6
# Anchor → heading. The page has those of which there is something to say.
_SECTIONS = {
    "figures": "Figures",
    "plots": "Plots",
    "calibration": "Calibration",
    "errors": "Worst errors",
    "reading": "How to read this",
}


def format_pair_metrics(metrics: Mapping[str, Any]) -> str:
    """Return the figures of `evaluate_pairs` as text, a system a row, with 95 % intervals over people.

    Args:
        metrics: what it returned.
    """
    systems = metrics["systems"]
    first = next(iter(systems.values()))
    columns = _choose_columns(metrics)
    lines = [
        f"{metrics['part']}: {first['num_pairs']:,} pairs of {first['num_people']:,} people, {first['num_same']:,} of them of "
        "one person",
        *metrics["notes"],
        "",
        " " * 24 + "".join(f"{name:>22}" for name in columns.values()),
    ]
    for name, figures in systems.items():
        cells = [f"{figures[key]:.3f} [{_bounds(figures, key)}]" for key in columns]
        lines.append(f"{name:24}" + "".join(f"{cell:>22}" for cell in cells))
    chance = [f"{first['chance'][key]:.3f}" if key in first["chance"] else "" for key in columns]
    lines.append(f"{'chance':24}" + "".join(f"{cell:>22}" for cell in chance))
    for name, figures in metrics["calibration"].items():
        lines.append(
            f"calibration of the {name}: Cllr {figures['cllr']:.3f} (chance 1), ECE {100 * figures['ece']:.1f} %"
        )
    if "confusion" in first:
        counts = first["confusion"]
        lines += [
            f"{next(iter(systems))}: of one person {counts['true_accepts']:,} accepted, {counts['false_rejects']:,} rejected; "
            f"of two people {counts['false_accepts']:,} accepted, {counts['true_rejects']:,} rejected"
        ]
    return "\n".join(printable(line) for line in lines)


def _choose_columns(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures that these metrics have: without thresholds AUC alone."""
    first = next(iter(metrics["systems"].values()))
    return {key: name for key, name in _COLUMNS.items() if key in first}


def write_pair_report(
    path: Path,
    metrics: Mapping[str, Any],
    main: str,
    scores: npt.NDArray[np.floating],
    same: npt.NDArray[np.bool_],
    photos: Sequence[tuple[str, str]],
    title: str,
    about: Mapping[str, str],
) -> None:
    """Write the page: table, ROC curves, confusion matrix, scores, and the worst errors.

    Args:
        path: the page, as report.html.
        metrics: what `evaluate_pairs` returned.
        main: the system whose matrix, scores and errors are shown.
        scores: (N,) its scores.
        same: (N,) whether a pair is of one person.
        photos: (N,) the two files of each pair.
        title: of the page.
        about: facts about run and data.

    Raises:
        DiskError: a folder that cannot be written.
    """
    systems, figures = metrics["systems"], metrics["systems"][main]
    columns, threshold = _choose_columns(metrics), figures.get("threshold")
    rows: list[list[Cell]] = [
        [(name, ""), *((f"{row[key]:.3f}", _bounds(row, key)) for key in columns)] for name, row in systems.items()
    ]
    marked = "; dotted: the threshold" if threshold is not None else ""
    plots = [Plot(plot_roc_curves(systems), "ROC curves: pairs of one person accepted against those of two people.")]
    if threshold is not None:
        plots.append(Plot(plot_confusion(figures["confusion"]), f"Confusion matrix of the {main}, counts of pairs."))
    plots.append(Plot(plot_scores(scores, same, threshold), f"Scores of the {main}{marked}."))
    counts = {
        "Pairs": f"{figures['num_pairs']:,}, of them {figures['num_same']:,} of one person",
        "People": f"{figures['num_people']:,}",
    }
    page = render(
        "pairs.html.j2",
        title=title,
        sections={anchor: text for anchor, text in _SECTIONS.items() if anchor != "calibration" or metrics[anchor]},
        about={**about, **counts},
        notes=metrics["notes"],
        table=Table(["System", *columns.values()], rows),
        plots=plots,
        calibration={
            name: f"Cllr {row['cllr']:.3f}, expected calibration error {100 * row['ece']:.1f} %"
            for name, row in metrics["calibration"].items()
        },
        errors=_list_errors(scores, same, photos, threshold),
        reading=_explain(metrics),
    )
    write_bytes(Path(path), page)


def _explain(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Thresholds": f"Where both error rates were equal on pairs of the validation people. {' '.join(metrics['notes'])}",
        "Interval": f"95 %, percentile bootstrap over people, {metrics['num_replicates']:,} draws; a pair weighs as often as "
        "both its people were drawn.",
        "FAR, FRR": "Pairs of two people accepted; pairs of one person rejected.",
        "Cllr": "Cost of the probabilities in bits: 0 is perfect, 1 says nothing.",
    }


def plot_roc_curves(systems: Mapping[str, Mapping[str, Any]]) -> str:
    """Plot the ROC curve of each system with its AUC.

    Args:
        systems: name → `evaluate_pair_list`'s figures.
    """

    def draw(axes: Axes) -> None:
        for k, (name, figures) in enumerate(systems.items()):
            curve = figures["curve"]
            axes.plot(
                np.array(curve["false_accept"]) * 100,
                np.array(curve["true_accept"]) * 100,
                color=_COLOURS[k % len(_COLOURS)],
                linewidth=2 if k == 0 else 1.2,
                label=f"{name}, {figures['auc']:.3f}",
            )
        axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=0.8)
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="two people accepted, %", ylabel="one person accepted, %")
        axes.legend(loc="lower right", title="AUC", fontsize=9)

    return draw_svg(draw, 4.4, 4.0)


def plot_confusion(confusion: Mapping[str, int]) -> str:
    """Plot a confusion matrix: rows are the truth, columns the verdict.

    Args:
        confusion: true_accepts, false_rejects, false_accepts, true_rejects.
    """
    cells = np.array(
        [
            [confusion["true_accepts"], confusion["false_rejects"]],
            [confusion["false_accepts"], confusion["true_rejects"]],
        ]
    )

    def draw(axes: Axes) -> None:
        shares = cells / cells.sum(axis=1, keepdims=True)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4)
        for (i, j), count in np.ndenumerate(cells):
            axes.text(j, i, f"{count:,}\n{100 * shares[i, j]:.1f} %", ha="center", va="center")
        axes.set_xticks([0, 1], ["same", "different"])
        axes.set_yticks([0, 1], ["same", "different"])
        axes.set(xlabel="verdict", ylabel="truth")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    return draw_svg(draw, 3.4, 3.0)


def plot_scores(scores: npt.NDArray[np.floating], same: npt.NDArray[np.bool_], threshold: float | None) -> str:
    """Plot how the scores of either kind of pair lie.

    Args:
        scores: (N,).
        same: (N,).
        threshold: marked, where there is one.
    """

    def draw(axes: Axes) -> None:
        edges = np.linspace(float(scores.min()), float(scores.max()) + 1e-6, 31)
        for kind, colour, label in ((~same, ORANGE, "two people"), (same, BLUE, "one person")):
            share = np.histogram(scores[kind], edges)[0] * 100 / kind.sum()
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(share, edges, color=colour, label=label)
        if threshold is not None:
            axes.axvline(threshold, color=GREY, linestyle=":")
        axes.set(xlabel="score", ylabel="pairs, %")
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
        axes.legend(loc="upper center", ncols=2)

    return draw_svg(draw)


def _list_errors(
    scores: npt.NDArray[np.floating],
    same: npt.NDArray[np.bool_],
    photos: Sequence[tuple[str, str]],
    threshold: float | None,
) -> dict[str, list[list[Thumbnail]]]:
    """Return the pairs with the worst scores of either kind: those on the wrong side of the threshold, where there is one."""
    lowest, highest = [i for i in np.argsort(scores) if same[i]], [i for i in np.argsort(-scores) if not same[i]]
    if threshold is None:
        shown = {"The same person, lowest scores": lowest, "Different people, highest scores": highest}
    else:
        shown = {
            "The same person, rejected": [i for i in lowest if scores[i] < threshold],
            "Different people, accepted": [i for i in highest if scores[i] >= threshold],
        }
    return {
        kind: [
            [Thumbnail(photo, "wrong", f"{Path(photo).stem}\n{scores[i]:.2f}") for photo in photos[i]]
            for i in rows[:_NUM_SHOWN]
        ]
        for kind, rows in shown.items()
    }


def _bounds(figures: Mapping[str, Any], name: str) -> str:
    low, high = figures["interval"][name]
    return f"{low:.3f}–{high:.3f}"
