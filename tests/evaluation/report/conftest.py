"""A part whose every text is hostile, its figures, and a reader of the page about it."""

import pytest

from handnet.evaluation.report.page import write_report
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import fit_calibration
from tests.evaluation.report.hostile import HOSTILE, audit_of, hostile_part
from tests.metrics.test_protocols import draw_hands


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory):
    part = hostile_part(tmp_path_factory.mktemp("photos"))
    calibration = fit_calibration(score_pairs(draw_hands(seed=1, num_people=12)))
    metrics = evaluate_part(part, calibration, {HOSTILE: part}, num_replicates=40)
    return metrics | {"audit": audit_of(metrics)}, part


@pytest.fixture(scope="session")
def page(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "out" / "report.html"
    write_report(path, *evaluation, HOSTILE, {HOSTILE: HOSTILE})
    return path.read_text(encoding="utf-8")
