"""The report in three sentences."""

import copy

from handnet.evaluation.report.verdict import write_verdict


def test_the_finding_has_figure_interval_and_chance(evaluation) -> None:
    metrics = copy.deepcopy(evaluation[0])
    figures = metrics["protocols"]["photo"]["dorsal_to_palmar"]
    figures |= {"recall_at_1": 0.63, "interval": {"recall_at_1": [0.55, 0.71]}, "num_gallery": 1237}
    figures["chance"] = {"recall_at_1": 0.025}
    said = write_verdict(metrics).finding
    assert "in 63 of 100 searches (95 % interval 55–71) among 1,237 photos" in said
    assert said.endswith("guessing would be right in 2.5.")
    figures["interval"]["recall_at_1"] = [0.02, 0.71]
    assert write_verdict(metrics).finding.startswith("No better than guessing, as far as")


def test_what_it_relies_on_comes_from_the_audit_else_from_raw_pixels(evaluation) -> None:
    metrics = copy.deepcopy(evaluation[0])
    assert "was not examined" in write_verdict({**metrics, "audit": None, "baselines": {}}).relies_on
    pixels = {**metrics, "audit": None, "baselines": {"raw pixels": metrics["protocols"]}}
    said = write_verdict(pixels).relies_on
    assert "Raw pixels, without any learning, find" in said
    assert "`" not in said, "the page shows the sentence as it is"
    background = copy.deepcopy(metrics["protocols"])
    background["person_template"]["dorsal_to_palmar"] |= {"recall_at_1": 0.1, "chance": {"recall_at_1": 0.02}}
    audit = {"conditions": {"whole": metrics["protocols"], "background": background}}
    said = write_verdict({**metrics, "audit": audit}).relies_on
    assert "the background alone finds 10 of 100 people" in said
    assert "(guessing: 2.0)" in said


def test_the_threshold_says_what_it_costs(evaluation) -> None:
    metrics, _ = evaluation
    at = metrics["verification"]["thresholds"]["equal_error"]
    said = write_verdict(metrics).threshold
    assert f"a similarity of {at['threshold']:.3f} on" in said
    assert f"{100 * at['false_accept_rate']:.1f} % of pairs of different people" in said
    bare = {**metrics, "verification": {**metrics["verification"], "thresholds": {}}}
    assert write_verdict(bare).threshold.startswith("No threshold was chosen")
