"""The report: whole, self-contained, and deaf to what data sets say."""

import re

import numpy as np
import pytest

from handnet.evaluation.report.page import write_report
from handnet.evaluation.report.terminal import format_metrics
from handnet.metrics.all_figures import evaluate_part, write_metrics
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from tests.evaluation.report.hostile import HOSTILE, read
from tests.metrics.oracles import draw_part

HEADINGS = (
    "Retrieval",
    "Verification",
    "Open set",
    "Calibration",
    "Baselines without learning",
    "Shortcut audit",
    "Slices",
    "Worst queries",
    "People who look similar",
    "Embedding map",
    "How to read this",
)


def test_the_page_is_whole_and_needs_nothing_else(page):
    reader = read(page)
    assert "script" not in reader.tags
    assert all(re.match(r"(data:image/|#[a-z-]+$)", source) for source in reader.sources), reader.sources
    assert not re.search(r"https?://", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert "default-src 'none'" in page
    text = "".join(reader.text)
    assert all(heading in text for heading in HEADINGS)
    assert text.count(HOSTILE[:20]) > 10  # shown as it is, as text
    assert "photo not available" in text
    assert sum(source.startswith("data:image/jpeg") for source in reader.sources) > 10
    assert sum(source.startswith("data:image/svg") for source in reader.sources) == 11
    assert 'name="viewport"' in page


def test_the_page_says_the_figures(evaluation, page):
    metrics, _ = evaluation
    text = "".join(read(page).text)
    figures = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    low, high = figures["interval"]["mean_rank"]
    assert f"{figures['mean_rank']:.2f}{low:.2f}–{high:.2f}chance 4.50" in text
    assert "by the rule of three it takes" in text
    assert f"cosine {'+' if metrics['calibration']['intercept'] > 0 else '−'} " in text


def test_the_same_input_gives_the_same_page(evaluation, page, tmp_path):
    write_report(tmp_path / "again.html", *evaluation, HOSTILE, {HOSTILE: HOSTILE})
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_without_sides_validation_and_attributes_there_is_still_a_page(tmp_path):
    part = make_part(*draw_part(np.random.default_rng(0), num_people=8))
    metrics = evaluate_part(part, num_replicates=20)
    write_report(tmp_path / "report.html", metrics, part, "bare")
    text = "".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "need the side of every photo" in text
    assert "no threshold was chosen" in text
    assert "1 people have one view only" not in text
    assert "1 person has one view only" in text
    for heading in ("Calibration", "Shortcut audit", "Slices", "Baselines without learning"):
        assert heading not in text


@pytest.mark.parametrize("num_people", [2, 3])
@pytest.mark.parametrize("kind", ["collapsed", "perfect"])
def test_the_smallest_and_the_most_extreme_parts_have_a_report(tmp_path, num_people, kind):
    people = np.repeat([f"p{i}" for i in range(num_people)], 2)
    vectors = (
        np.repeat(np.eye(num_people), 2, axis=0) if kind == "perfect" else np.eye(1, 6).repeat(2 * num_people, axis=0)
    )
    part = make_part(vectors, people, ["dorsal", "palmar"] * num_people, ["left"] * 2 * num_people)
    calibration = fit_calibration(score_pairs(part))
    metrics = evaluate_part(part, calibration, num_replicates=20)
    write_metrics(tmp_path / "metrics.json", metrics)
    write_report(tmp_path / "report.html", metrics, part, kind)
    format_metrics(metrics)
    ranks = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    assert ranks["mean_rank"] == (1 if kind == "perfect" else num_people)
    assert ranks["interval"]["recall_at_1"][0 if kind == "perfect" else 1] not in (0, 1) or num_people == 2
