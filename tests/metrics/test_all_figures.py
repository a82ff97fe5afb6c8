"""The whole of metrics.json: its keys, and that its parts agree with each other."""

import json

import numpy as np
import pytest

from handnet.errors import DiskError, EvaluationError
from handnet.metrics.all_figures import evaluate_part, write_metrics
from handnet.metrics.embedded import make_part
from handnet.metrics.figures import FIGURES
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from handnet.metrics.protocols import REPETITIONS
from handnet.metrics.ranking import rank_queries
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
                for name in FIGURES:
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
        metrics["baselines"]["raw_pixels"]["photo"]["dorsal_to_palmar"]
        == metrics["protocols"]["photo"]["dorsal_to_palmar"]
    )
    histogram = metrics["verification"]["histogram"]
    assert sum(histogram["genuine"]) == metrics["verification"]["num_genuine"]
    assert sum(histogram["impostor"]) == metrics["verification"]["num_impostor"]
    assert set(metrics["verification"]["thresholds"]) == {"equal_error", "best_f1"}


def test_retrieval_is_the_short_form_of_two_protocols(metrics):
    assert metrics["retrieval"].keys() == {"person", "photo"}
    for level, name in (("person", "person_template"), ("photo", "photo")):
        for direction, short in metrics["retrieval"][level].items():
            full = metrics["protocols"][name][direction]
            assert short.keys() == {"num_queries", "num_gallery", "chance", *FIGURES}
            assert {key: full[key] for key in short if key != "chance"} == {
                key: short[key] for key in short if key != "chance"
            }
            assert short["chance"].items() <= full["chance"].items()


def test_photos_and_templates_are_ranked_once_each_way(monkeypatch):
    part, calls = draw_hands(num_people=5), []

    def count(queries, gallery, *labels):
        calls.append((len(queries), len(gallery)))
        return rank_queries(queries, gallery, *labels)

    monkeypatch.setattr("handnet.metrics.protocols.rank_queries", count)
    evaluate_part(part, num_replicates=10)
    # Photos of all people, 5 · 2 · 3 a view: as "photo" and as "photo_hand", each both ways; templates of people once.
    assert calls.count((30, 30)) == 4
    assert calls.count((5, 5)) == 2 + 2 * REPETITIONS


def test_the_worst_queries_are_rows_of_the_part(metrics):
    part = draw_hands(seed=2, num_people=10)
    for direction, worst in metrics["worst_queries"].items():
        ranks = metrics["protocols"]["photo"][direction]
        assert len(worst) == 10
        assert worst[0]["rank"] >= ranks["median_rank"]
        for query in worst:
            assert part.views[query["row"]] == direction.split("_")[0]
            assert part.identities[query["right"]["row"]] == part.identities[query["row"]]
            assert all(part.identities[wrong["row"]] != part.identities[query["row"]] for wrong in query["wrong"])


def test_the_same_seed_gives_the_same_file(metrics):
    part = draw_hands(seed=2, num_people=10)
    calibration = fit_calibration(score_pairs(draw_hands(seed=1, num_people=12)))
    assert evaluate_part(part, calibration, {"raw_pixels": part}, num_replicates=60, seed=1) == metrics


def test_without_sides_and_validation_people_the_rest_still_comes():
    part = make_part(*draw_part(np.random.default_rng(0), num_people=10))
    metrics = evaluate_part(part, num_replicates=30)
    assert "need the side of every photo" in metrics["protocols"]["hand_template"]["refused"]
    assert "known side" in metrics["same_view"]["refused"]
    assert metrics["verification"]["thresholds"] == {}
    assert "calibration" not in metrics
    assert metrics["part"]["one_view_only"] == ["p09"]


def test_one_person_is_refused():
    part = draw_hands(num_people=3)
    with pytest.raises(EvaluationError, match="at least two people"):
        evaluate_part(part.select(part.identities == "p01"))


def test_metrics_are_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_metrics(path, {"retrieval": {"mean_rank": np.float32(2.5), "cmc": np.array([0.5, 1.0])}})
    write_metrics(path, {"retrieval": {"mean_rank": np.float64(1.5), "n": np.int64(3)}})
    assert json.loads(path.read_text()) == {"retrieval": {"mean_rank": 1.5, "n": 3}}
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), object()])
def test_what_is_no_figure_is_refused_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "metrics.json"
    write_metrics(path, {"a": 1})
    with pytest.raises(EvaluationError, match="must be finite numbers"):
        write_metrics(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": 1}


def test_unwritable_folder_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DiskError, match=r"Cannot write .*metrics.json': File exists\. Give a folder that can be written"
    ):
        write_metrics(tmp_path / "file" / "metrics.json", {"a": 1})
