"""report.html: the whole evaluation on one page that needs nothing but itself. Figures from here, words from the template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handnet.evaluation.report.embedding_map import draw_map
from handnet.evaluation.report.error_browser import show_look_alikes, show_worst_queries
from handnet.evaluation.report.plots import ranking_plots
from handnet.evaluation.report.render import Plot, render
from handnet.evaluation.report.retrieval_section import show_audit, show_baselines, show_retrieval, show_slices
from handnet.evaluation.report.verification_section import (
    format_bounds,
    show_calibration,
    show_open_set,
    show_verification,
)
from handnet.files import write_bytes
from handnet.metrics.all_figures import describe_part
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.figures import FIGURES, cell

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
    "look-alikes": "People who look similar",
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
        retrieval=show_retrieval(metrics),
        verification=show_verification(metrics["verification"]),
        open_set=show_open_set(metrics["open_set"]),
        calibration=show_calibration(metrics["calibration"]) if present["calibration"] else {},
        baselines=show_baselines(metrics) if present["baselines"] else {},
        audit=show_audit(metrics["audit"]) if present["audit"] else {},
        slices=show_slices(slices),
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
            f"95 %: {format_bounds(verification['interval']['eer'])}; chance 50",
        ),
    ]


def _head(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    value, small = cell(figures, name)
    interval, chance = small.split("\n")
    return f"{value}{FIGURES[name].suffix}", f"95 %: {interval}; {chance}; dorsal → palmar"


def _show_map(part: EmbeddedPart, seed: int) -> Plot:
    drawn = draw_map(part, seed)
    text = (
        "Each person twice, by the average of all dorsal and of all palmar photos, with a line between. t-SNE keeps "
        "neighbours together; distances between far points mean nothing."
    )
    everybody = describe_part(part)["num_people_both_views"]
    more = f" {len(drawn.people):,} of {everybody:,} people, drawn at random." if len(drawn.people) < everybody else ""
    return Plot(ranking_plots.plot_map(drawn.dorsal, drawn.palmar, drawn.found), text + more)


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
