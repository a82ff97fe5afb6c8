"""The report: whole, self-contained, and deaf to what data sets say."""

import base64
import hashlib
import json
import re
import shutil

import numpy as np
import pytest

from handnet.evaluation.report.evidence_page import draw_evidence
from handnet.evaluation.report.page import write_report
from handnet.evaluation.report.terminal import format_metrics
from handnet.metrics.all_figures import evaluate_part, write_metrics
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from tests.evaluation.report.hostile import HOSTILE, read
from tests.evaluation.report.test_evidence_page import make_evidence
from tests.metrics.oracles import draw_part

HEADINGS = (
    ("Eight searches", "h2"),
    ("How soon the right person comes up", "h2"),
    ("The same person? Choosing a threshold", "h2"),
    ("Who is hard to find", "h2"),
    ("Worst queries", "h2"),
    ("All protocols of retrieval", "summary"),
    ("All figures of pairs", "summary"),
    ("Open set: people who are not enrolled", "summary"),
    ("Calibration of the probabilities", "summary"),
    ("Baselines without learning", "summary"),
    ("Shortcut audit: what the model relies on", "summary"),
    ("People who look similar", "summary"),
    ("Map of the people", "summary"),
    ("Facts about the run", "summary"),
    ("How to read this", "summary"),
)
CHROMIUM = shutil.which("chromium") or ""


def test_the_page_is_whole_and_needs_nothing_else(page):
    reader = read(page)
    assert all(re.match(r"(data:image/|#[a-z-]+$)", source) for source in reader.sources), reader.sources
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert "default-src 'none'" in page
    text = "".join(reader.text)
    places = [page.find(f"{heading}</{tag}>") for heading, tag in HEADINGS]
    assert min(places) > 0
    assert places == sorted(places), "in the order in which they are read"
    assert text.count(HOSTILE[:20]) > 10  # shown as it is, as text
    assert "photo not available" in text
    assert sum(source.startswith("data:image/jpeg") for source in reader.sources) > 10
    assert sum(source.startswith("data:image/svg") for source in reader.sources) == 9
    assert 'name="viewport"' in page


def test_no_script_runs_but_the_pages_own(page):
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    running = [body for attributes, body in scripts if "application/json" not in attributes]
    digest = base64.b64encode(hashlib.sha256(running[0].encode()).digest()).decode()
    assert len(running) == 1
    assert f"script-src 'sha256-{digest}'" in page
    charts = [json.loads(body) for attributes, body in scripts if 'class="chart"' in attributes]
    assert len(charts) == 9
    assert all({"x", "y", "series", "marks"} <= chart.keys() for chart in charts)
    assert "<" not in "".join(body for attributes, body in scripts if "application/json" in attributes)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_in_a_browser_nothing_is_wider_than_a_phone_and_plots_and_photos_answer(page, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    file, said = tmp_path / "report.html", []
    file.write_text(page, encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, scheme in ((390, "dark"), (1280, "light")):
            opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            opened.on("console", lambda message: said.append(message.text))
            opened.on("dialog", lambda shown: said.append(shown.message))
            opened.goto(file.as_uri())
            opened.wait_for_selector("figure.drawn svg polyline")
            assert opened.evaluate("document.documentElement.scrollWidth") == width
        opened.hover("#curve ~ div figure.drawn svg")
        assert "found among the first" in opened.inner_text("#curve ~ div .tip")
        opened.click(".thumb img")
        assert opened.is_visible("dialog.photo img")
        opened.click("dialog.photo")
        opened.evaluate("location.hash = 'verification'")
        det = opened.locator("#verification ~ div figure.drawn").filter(has_text="DET")
        det.locator("svg").hover()
        # In per cent, though the axis is one of normal deviates.
        assert 1 < float(re.search(r"accepted, % ([\d.]+)", det.locator(".tip").inner_text())[1]) < 60
        assert "50" not in det.locator("text.tick").all_text_contents()
        assert "40" in det.locator("text.tick").all_text_contents()
        opened.evaluate("location.hash = 'look-alikes'")
        assert opened.locator(".browser .card").count() == 7
        assert opened.inner_text(".browser .card.right b").startswith("own ")
        person = opened.locator(".browser .card.wrong .name").first.inner_text()
        opened.locator(".browser .card.wrong .go").first.click()
        assert opened.inner_text(".browser .card.query .name") == person
        opened.evaluate("location.hash = 'map'")
        opened.wait_for_selector("#map ~ div figure.drawn svg circle")
        browser.close()
    assert said == []


def test_the_page_says_the_figures(evaluation, page):
    metrics, _ = evaluation
    text = "".join(read(page).text)
    figures = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    low, high = figures["interval"]["mean_rank"]
    assert f"{figures['mean_rank']:.2f}{low:.2f}–{high:.2f}chance 4.50" in text
    assert "by the rule of three it takes" in text
    assert f"cosine {'+' if metrics['calibration']['intercept'] > 0 else '−'} " in text


@pytest.mark.slow
def test_the_same_input_gives_the_same_page(evaluation, page, tmp_path):
    write_report(tmp_path / "again.html", *evaluation, HOSTILE, {HOSTILE: HOSTILE})
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_without_sides_validation_and_attributes_there_is_still_a_page(tmp_path):
    part = make_part(*draw_part(np.random.default_rng(0), num_people=8))
    metrics = evaluate_part(part, num_replicates=20)
    write_report(tmp_path / "report.html", metrics, part, "bare")
    text = "".join(read((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "need the side of every photo" in text
    assert "no threshold was chosen" in text
    assert "1 people have one view only" not in text
    assert "1 person has one view only" in text
    for heading in ("Calibration of", "Shortcut audit", "Who is hard", "Baselines without learning"):
        assert heading not in text


@pytest.mark.slow
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


def test_a_worst_query_says_why_where_it_was_explained(evaluation, tmp_path):
    metrics, part = evaluation
    worst = metrics["worst_queries"]["dorsal_to_palmar"][0]
    rows = worst["row"], worst["wrong"][0]["row"]
    write_report(tmp_path / "report.html", metrics, part, "run", evidence={rows: draw_evidence(make_evidence())})
    reader = read((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = "".join(reader.text)
    assert text.count("Why the wrong person found first is this similar") == 1
    assert "Why the right person" not in text
    assert "By what is described" in text
    assert all(source.startswith(("data:image/", "#")) for source in reader.sources)
