"""The page of an evaluation on pairs of photos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.evaluation.report.pairs_terminal import choose_columns, format_bounds
from handnet.evaluation.report.plots.charts import chart_scores, chart_systems
from handnet.evaluation.report.plots.pair_plots import plot_roc_curves, plot_scores
from handnet.evaluation.report.render import Cell, Plot, Table, Thumbnail, render
from handnet.files import write_bytes

_NUM_SHOWN = 6
# Anchor → heading. The page has those of which there is something to say.
_SECTIONS = {
    "figures": "Figures",
    "plots": "Plots",
    "calibration": "Calibration",
    "errors": "Worst errors",
    "reading": "How to read this",
}


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
    """Write the page: table, ROC curves, scores, counts of right and wrong verdicts, and the worst errors.

    Args:
        path: the page, as report.html.
        metrics: what `evaluate_pairs` returned.
        main: the system whose counts, scores and errors are shown.
        scores: (N,) its scores.
        same: (N,) whether a pair is of one person.
        photos: (N,) the two files of each pair.
        title: of the page.
        about: facts about run and data.

    Raises:
        DiskError: a folder that cannot be written.
    """
    systems, figures = metrics["systems"], metrics["systems"][main]
    columns, threshold = choose_columns(metrics), figures.get("threshold")
    rows: list[list[Cell]] = [
        [(name, ""), *((f"{row[key]:.3f}", format_bounds(row, key)) for key in columns)]
        for name, row in systems.items()
    ]
    marked = "; dotted: the threshold" if threshold is not None else ""
    plots = [
        Plot(
            plot_roc_curves(systems),
            "ROC curves: pairs of one person accepted against those of two people.",
            chart_systems(systems),
        ),
        Plot(
            plot_scores(scores, same, threshold),
            f"Scores of the {main}{marked}.",
            chart_scores(scores, same, threshold),
        ),
    ]
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
        confusion=_tabulate_confusion(main, figures["confusion"]) if threshold is not None else None,
        calibration={
            name: f"Cllr {row['cllr']:.3f}, expected calibration error {100 * row['ece']:.1f} %"
            for name, row in metrics["calibration"].items()
        },
        errors=_list_errors(scores, same, photos, threshold),
        reading=_explain(metrics),
    )
    write_bytes(Path(path), page)


def _tabulate_confusion(main: str, confusion: Mapping[str, int]) -> Table:
    def show(key: str, other: str) -> Cell:
        total = confusion[key] + confusion[other]
        return f"{confusion[key]:,}", f"{100 * confusion[key] / max(total, 1):.1f} %"

    accepted = [
        ("Pairs of one person", ""),
        show("true_accepts", "false_rejects"),
        show("false_rejects", "true_accepts"),
    ]
    rejected = [
        ("Pairs of two people", ""),
        show("false_accepts", "true_rejects"),
        show("true_rejects", "false_accepts"),
    ]
    return Table([f"By the {main}", "Taken for one person", "Taken for two"], [accepted, rejected])


def _explain(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Thresholds": f"Where both error rates were equal on pairs of the validation people. {' '.join(metrics['notes'])}",
        "Interval": f"95 %, percentile bootstrap over people, {metrics['num_replicates']:,} draws; a pair weighs as often as "
        "both its people were drawn.",
        "FAR, FRR": "Pairs of two people accepted; pairs of one person rejected.",
        "Cllr": "Cost of the probabilities in bits: 0 is perfect, 1 says nothing.",
    }


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
