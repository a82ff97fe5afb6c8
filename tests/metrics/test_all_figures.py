"""The whole of metrics.json: its keys, and that its parts agree with each other."""

import json

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.embedded import make_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from handnet.metrics.ranking import write_metrics
from tests.metrics.oracles import draw_part
from tests.metrics.test_protocols import draw_hands


@pytest.fixture(scope="module")
def metrics():
    calibration = fit_calibration(score_pairs(draw_hands(seed=1, num_people=12)))
    part = draw_hands(seed=2, num_people=10)
    return evaluate_part(part, calibration, {"raw_pixels": part}, num_replicates=60, seed=1)


def test_every_section_is_there_and_json_takes_it(metrics, tmp_path):
    write_metrics(tmp_path / "metrics.json", metrics)
    read = json.loads((tmp_path / "metrics.json").read_text())
    for key in (
        "retrieval",
        "protocols",
        "same_view",
        "verification",
        "open_set",
        "calibration",
        "slices",
        "baselines",
    ):
        assert read[key], key
    assert read["part"]["num_people"] == 10
    assert read["part"]["num_dorsal"] == 60


def test_every_figure_has_chance_and_interval(metrics):
    found = 0

    def walk(node):
        nonlocal found
        if isinstance(node, dict):
            if "mean_rank" in node and "num_queries" in node and "interval" in node:
                found += 1
                for name in (
                    "mean_rank",
                    "median_rank",
                    "recall_at_1",
                    "recall_at_5",
                    "recall_at_10",
                    "mean_average_precision",
                ):
                    low, high = node["interval"][name]
                    assert low <= node[name] <= high
                    assert name in node["chance"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(metrics)
    # Six protocols, two baselines' protocols, both ways; four aspects; two sides and two accessories' worth of slices.
    assert found >= 12 + 4 + 4
    assert (
        metrics["protocols"]["photo"]["dorsal_to_palmar"]["mean_rank"]
        == (metrics["retrieval"]["photo"]["dorsal_to_palmar"]["mean_rank"])
    )
    assert (
        metrics["baselines"]["raw_pixels"]["photo"]["dorsal_to_palmar"]
        == metrics["protocols"]["photo"]["dorsal_to_palmar"]
    )
    histogram = metrics["verification"]["histogram"]
    assert sum(histogram["genuine"]) == metrics["verification"]["num_genuine"]
    assert sum(histogram["impostor"]) == metrics["verification"]["num_impostor"]
    assert set(metrics["verification"]["thresholds"]) == {"equal_error", "best_f1"}


def test_the_same_seed_gives_the_same_file(metrics):
    part = draw_hands(seed=2, num_people=10)
    calibration = fit_calibration(score_pairs(draw_hands(seed=1, num_people=12)))
    assert evaluate_part(part, calibration, {"raw_pixels": part}, num_replicates=60, seed=1) == metrics


def test_without_sides_and_validation_people_the_rest_still_comes():
    part = make_part(*draw_part(np.random.default_rng(0), num_people=10))
    steps = []
    metrics = evaluate_part(part, num_replicates=30, progress=steps.append)
    assert "need the side of every photo" in metrics["protocols"]["hand_template"]["refused"]
    assert "known side" in metrics["same_view"]["refused"]
    assert metrics["verification"]["thresholds"] == {}
    assert "calibration" not in metrics
    assert metrics["part"]["one_view_only"] == ["p09"]
    assert "verification" in steps


def test_one_person_is_refused():
    part = draw_hands(num_people=3)
    with pytest.raises(EvaluationError, match="at least two people"):
        evaluate_part(part.select(part.identities == "p01"))
