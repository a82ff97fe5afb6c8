"""The page of an evaluation on pairs of photos."""

import re

import numpy as np

from handnet.evaluation.report.pairs_page import write_pair_report
from handnet.metrics.pairs.pair_list import evaluate_pair_list
from tests.evaluation.report.hostile import HOSTILE, read


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
    assert reader.tags.count("script") == 3, "two charts and the page's own"
    assert all(re.match(r"(data:image/|#[a-z-]+$)", source) for source in reader.sources), reader.sources
    text = "".join(reader.text)
    assert text.count(HOSTILE[:20]) > 8
    # Of two pairs of either kind one is on the right side.
    assert "Pairs of one person150.0 %150.0 %Pairs of two people150.0 %150.0 %" in text.replace("\n", "")
    rejected, accepted = text.index("The same person, rejected:"), text.index("Different people, accepted:")
    assert "0.10" in text[rejected:accepted]
    assert "0.80" in text[accepted:]
