"""report.html: the whole evaluation on one page that needs nothing but itself. Figures from here, words from the template."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handnet.evaluation.report.embedding_map import draw_map
from handnet.evaluation.report.error_browser import show_look_alikes, show_searches, show_worst_queries
from handnet.evaluation.report.look_alike_browser import MAX_PEOPLE, list_closest
from handnet.evaluation.report.plots import charts, ranking_plots
from handnet.evaluation.report.render import Plot, render
from handnet.evaluation.report.retrieval_section import (
    describe_curve,
    show_audit,
    show_baselines,
    show_curve,
    show_retrieval,
)
from handnet.evaluation.report.slices_section import show_slices
from handnet.evaluation.report.verdict import write_verdict
from handnet.evaluation.report.verification_section import (
    format_bounds,
    show_calibration,
    show_open_set,
    show_verification,
)
from handnet.files import write_bytes
from handnet.metrics.all_figures import describe_part
from handnet.metrics.closest_people import ClosestPeople, find_closest_people
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.figures import FIGURES, cell, format_percent

# Anchor → heading, in the order in which they are read. The page has those of which there is something to say.
_FIRST = {
    "searches": "Eight searches",
    "curve": "How soon the right person comes up",
    "threshold": "The same person? Choosing a threshold",
    "slices": "Who is hard to find",
    "worst": "Worst queries",
}
_FOLDED = {
    "retrieval": "All protocols of retrieval",
    "verification": "All figures of pairs",
    "open-set": "Open set: people who are not enrolled",
    "calibration": "Calibration of the probabilities",
    "baselines": "Baselines without learning",
    "audit": "Shortcut audit: what the model relies on",
    "look-alikes": "People who look similar",
    "map": "Map of the people",
    "facts": "Facts about the run",
    "reading": "How to read this",
}


def write_report(
    path: Path,
    metrics: Mapping[str, Any],
    part: EmbeddedPart,
    title: str,
    about: Mapping[str, str] | None = None,
    seed: int = 0,
    evidence: Mapping[tuple[int, int], Mapping[str, Any]] = MappingProxyType({}),
    shares: Mapping[tuple[str, str], Mapping[str, float]] = MappingProxyType({}),
) -> None:
    """Write the report of an evaluation, whole or not at all.

    Args:
        path: report.html.
        metrics: what `evaluate_part` returned, with the key "audit" where there was one.
        part: the photos it was computed from; their files, where there are any, become thumbnails.
        title: of the page.
        about: facts about run, data and program.
        seed: random seed for the searches that are shown and for the map.
        evidence: (row of a worst query, row of another photo) → why they are as similar as they are, drawn
            by `draw_evidence`.
        shares: (person with backs, person with palms) → group → share of the similarity of their templates, for the people of
            `choose_closest`; empty where there are none.

    Raises:
        DiskError: a folder that cannot be written.
    """
    closest = choose_closest(part)
    slices = {name: rows for name, rows in metrics["slices"].items() if rows}
    present = {"calibration": metrics.get("calibration"), "baselines": metrics.get("baselines")}
    present |= {"audit": metrics.get("audit"), "slices": slices}
    page = render(
        "report.html.j2",
        title=title,
        sections={anchor: heading for anchor, heading in {**_FIRST, **_FOLDED}.items() if present.get(anchor, True)},
        folded=_FOLDED,
        verdict=write_verdict(metrics),
        heads=_list_heads(metrics),
        num_one_view=len(metrics["part"]["one_view_only"]),
        searches=_show_searches(part, metrics, seed),
        curve={"plot": show_curve(metrics, "photo"), "lines": describe_curve(metrics)},
        retrieval=show_retrieval(metrics),
        verification=show_verification(metrics["verification"]),
        open_set=show_open_set(metrics["open_set"]),
        calibration=show_calibration(metrics["calibration"]) if present["calibration"] else {},
        baselines=show_baselines(metrics) if present["baselines"] else {},
        audit=show_audit(metrics["audit"]) if present["audit"] else {},
        slices=show_slices(slices),
        worst=show_worst_queries(part, metrics["worst_queries"]["dorsal_to_palmar"], evidence),
        look_alikes=show_look_alikes(part),
        closest=list_closest(part, closest, shares),
        num_askers=metrics["part"]["num_people_both_views"],
        map=_show_map(part, seed),
        about={**(about or {}), **_count_part(metrics["part"])},
        reading=_explain(metrics),
    )
    write_bytes(Path(path), page)


def choose_closest(part: EmbeddedPart) -> list[ClosestPeople]:
    """Return the people of the look-alike browser, with those who are the most similar to them."""
    return find_closest_people(part, MAX_PEOPLE)


def _count_part(part: Mapping[str, Any]) -> dict[str, str]:
    return {
        "People": f"{part['num_people']}, of them {part['num_people_both_views']} with both views",
        "Photos": f"{part['num_dorsal']:,} dorsal and {part['num_palmar']:,} palmar",
        "Embedding": f"{part['embedding_dimensions']} numbers a photo",
    }


def _list_heads(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return (term, name, value, note) of the figures at the top."""
    person, photo = (metrics["protocols"][name]["dorsal_to_palmar"] for name in ("person_template", "photo"))
    verification = metrics["verification"]
    return [
        ("R@1", "R@1, single photos", *_head(photo, "recall_at_1")),
        ("person templates", "R@1, person templates", *_head(person, "recall_at_1")),
        ("mean rank", "Mean rank, person templates", *_head(person, "mean_rank")),
        (
            "EER",
            "Equal error rate, pairs",
            f"{100 * verification['eer']:.1f} %",
            f"95 %: {format_bounds(verification['interval']['eer'])}; chance 50",
        ),
    ]


def _head(figures: Mapping[str, Any], name: str) -> tuple[str, str]:
    value, small = cell(figures, name)
    interval, chance = small.split("\n")
    return f"{value}{FIGURES[name].suffix}", f"95 %: {interval}; {chance}; dorsal → palmar"


def _show_searches(part: EmbeddedPart, metrics: Mapping[str, Any], seed: int) -> dict[str, Any]:
    strips = show_searches(part, seed)
    num_right = sum(strip.kind == "right" for strip in strips)
    share = format_percent(metrics["protocols"]["photo"]["dorsal_to_palmar"]["recall_at_1"])
    words = (
        f"Drawn at random, one photo of each of {len(strips)} people: {num_right} right here, {share} of all searches."
    )
    return {"strips": strips, "words": words}


def _show_map(part: EmbeddedPart, seed: int) -> Plot:
    drawn = draw_map(part, seed)
    text = "Each person twice, by the average of all dorsal and of all palmar photos, with a line between."
    everybody = describe_part(part)["num_people_both_views"]
    more = f" {len(drawn.people):,} of {everybody:,} people, drawn at random." if len(drawn.people) < everybody else ""
    chart = charts.chart_map([str(person) for person in drawn.people], drawn.dorsal, drawn.palmar, drawn.found)
    return Plot(ranking_plots.plot_map(drawn.dorsal, drawn.palmar, drawn.found), text + more, chart)


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
