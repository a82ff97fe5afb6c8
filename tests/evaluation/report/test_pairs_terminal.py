"""The table of an evaluation on pairs in the terminal."""

from handnet.evaluation.report.pairs_terminal import format_pair_metrics


def test_systems_chance_and_notes_are_said_without_control_codes() -> None:
    interval = {"auc": [0.8, 1.0], "f1": [0.7, 0.9]}
    system = {"auc": 0.9, "f1": 0.8, "interval": interval, "chance": {"auc": 0.5}}
    system |= {"num_pairs": 1000, "num_people": 60, "num_same": 500}
    metrics = {"part": "test", "systems": {"dist\x1b[31mance": system, "raw pixels": system}, "notes": ["A note."]}
    table = format_pair_metrics({**metrics, "calibration": {"distance": {"cllr": 0.3, "ece": 0.05}}})
    assert "\x1b" not in table
    lines = table.splitlines()
    assert lines[0] == "test: 1,000 pairs of 60 people, 500 of them of one person"
    assert lines[1] == "A note."
    assert lines[3].split() == ["AUC", "F1"], "only the figures that there are"
    assert lines[5].split() == ["raw", "pixels", "0.900", "[0.800–1.000]", "0.800", "[0.700–0.900]"]
    assert lines[6].split() == ["chance", "0.500"]
    assert lines[7] == "calibration of the distance: Cllr 0.300 (chance 1), ECE 5.0 %"
