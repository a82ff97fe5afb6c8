"""The table of an evaluation in the terminal."""

import numpy as np

from handnet.evaluation.report.terminal import format_metrics
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.embedded import make_part
from tests.metrics.oracles import draw_part


def test_the_terminal_table_says_the_figures_and_no_control_codes(evaluation):
    metrics, _ = evaluation
    table = format_metrics(metrics, full=True)
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
    assert "Hand template: Hand-level figures need the side" in format_metrics(
        evaluate_part(bare, num_replicates=20), full=True
    )


def test_the_short_table_begins_with_the_verdict_and_is_short(evaluation):
    metrics, _ = evaluation
    lines = format_metrics(metrics).splitlines()
    # Of the eight people's photos the names are longer than any line; their number is what counts.
    assert len(lines) <= 36 < len(format_metrics(metrics, full=True).splitlines())
    assert lines[0].startswith("From one photo of the back of a hand")
    assert lines[-1] == "every figure: the report, or --full"
    assert "One-shot gallery" not in "".join(lines)
