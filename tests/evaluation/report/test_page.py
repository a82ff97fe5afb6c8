"""The report: whole, self-contained, and deaf to what data sets say."""

import html.parser
import re

import numpy as np
import pytest
from PIL import Image

from handnet.evaluation.report.page import write_report
from handnet.evaluation.report.pairs_page import write_pair_report
from handnet.evaluation.report.terminal import format_metrics
from handnet.evaluation.report.thumbnails import read_thumbnail
from handnet.metrics.all_figures import evaluate_part, write_metrics
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from handnet.metrics.pairs.pair_list import evaluate_pair_list
from tests.metrics.oracles import draw_part
from tests.metrics.test_protocols import draw_hands

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m$x_1$'


HEADINGS = (
    "Retrieval",
    "Verification",
    "Open set",
    "Calibration",
    "Baselines without learning",
    "Shortcut audit",
    "Slices",
    "Worst queries",
    "People who look alike",
    "Embedding map",
    "How to read this",
)


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses and text, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.text, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def hostile_part(folder):
    part = draw_hands(seed=2, num_people=8)
    names = []
    for i in range(len(part.views)):
        path = folder / f"{i} <b>&'.jpg"
        if i % 2:
            Image.fromarray(np.full((60, 80, 3), i, np.uint8)).save(path)
        names.append(str(path))
    people = np.char.add(part.identities, HOSTILE)
    attributes = [{HOSTILE: HOSTILE + str(i % 2), "age": "21"} for i in range(len(names))]
    return make_part(part.embeddings, people, part.views, part.sides, attributes, names, HOSTILE)


def audit_of(metrics):
    return {
        "conditions": {
            "whole": {"title": "Whole " + HOSTILE, "definition": HOSTILE, **metrics["protocols"]},
            "rings": {"title": "No rings", "definition": "", "refused": HOSTILE},
        }
    }


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    part = hostile_part(tmp_path_factory.mktemp("photos"))
    calibration = fit_calibration(score_pairs(draw_hands(seed=1, num_people=12)))
    metrics = evaluate_part(part, calibration, {HOSTILE: part}, num_replicates=40)
    return metrics | {"audit": audit_of(metrics)}, part


@pytest.fixture(scope="module")
def page(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "out" / "report.html"
    write_report(path, *evaluation, HOSTILE, {HOSTILE: HOSTILE})
    return path.read_text(encoding="utf-8")


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


def test_the_terminal_table_says_the_figures_and_no_control_codes(evaluation):
    metrics, _ = evaluation
    table = format_metrics(metrics)
    assert "\x1b" not in table
    for line in (
        "Person template (published)",
        "One-shot gallery",
        "Verification",
        "Open set",
        "Calibration",
        "Worst slices",
    ):
        assert line in table
    figures = metrics["protocols"]["photo"]["dorsal_to_palmar"]
    assert f"{figures['mean_rank']:.2f}" in table
    assert f"{figures['chance']['mean_rank']:.2f}" in table
    assert "FAR 0.1 % not stated" in table
    bare = make_part(*draw_part(np.random.default_rng(0), num_people=8))
    assert "Hand template: Hand-level figures need the side" in format_metrics(evaluate_part(bare, num_replicates=20))


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_damaged_photos_leave_a_gap(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)
    assert read_thumbnail(str(tmp_path / "x.jpg")) == ""
    assert read_thumbnail("") == ""
    assert read_thumbnail(str(tmp_path)) == ""


def test_the_page_of_pairs_is_whole_and_deaf_too(tmp_path):
    """Four pairs of four people: one of either kind on the wrong side of the threshold."""
    scores, same = np.asarray([0.9, 0.1, 0.8, 0.2], np.float32), np.asarray([True, True, False, False])
    people = np.asarray([("a", "a"), ("b", "b"), ("c", "d"), ("a", "b")])
    figures = evaluate_pair_list(scores, same, people, 0.5, num_replicates=40)
    metrics = {
        "part": "test",
        "num_replicates": 40,
        "systems": {HOSTILE: figures},
        "notes": [HOSTILE],
        "calibration": {HOSTILE: {"cllr": 0.5, "ece": 0.1}},
    }
    photos = [(f"{HOSTILE}{k}.jpg", f"{k}.jpg") for k in range(4)]
    path = tmp_path / "pairs.html"
    write_pair_report(path, metrics, HOSTILE, scores, same, photos, HOSTILE, {HOSTILE: HOSTILE})
    reader = read(path.read_text(encoding="utf-8"))
    assert "script" not in reader.tags
    assert all(re.match(r"(data:image/|#[a-z-]+$)", source) for source in reader.sources), reader.sources
    text = "".join(reader.text)
    assert text.count(HOSTILE[:20]) > 8
    assert "Confusion matrix" in text
    rejected, accepted = text.index("The same person, rejected:"), text.index("Different people, accepted:")
    assert "0.10" in text[rejected:accepted]
    assert "0.80" in text[accepted:]


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
