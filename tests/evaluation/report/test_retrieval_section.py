"""Tables and plots of who is found."""

from handnet.evaluation.report.retrieval_section import (
    describe_curve,
    show_audit,
    show_baselines,
    show_retrieval,
)
from handnet.metrics.figures import FIGURES, cell
from tests.evaluation.report.hostile import HOSTILE


def test_every_protocol_is_a_row_or_a_refusal(evaluation) -> None:
    metrics, _ = evaluation
    shown = show_retrieval(metrics)
    names = [row[0][0] for row in shown["table"].rows]
    for protocol in metrics["protocols"].values():
        assert any(name.startswith(protocol["title"]) for name in (*names, *shown["refused"]))
    assert all(len(row) == 1 + len(FIGURES) == len(shown["table"].headings) for row in shown["table"].rows)
    assert len(shown["plots"]) == 2


def test_the_model_comes_before_the_baselines(evaluation) -> None:
    metrics, _ = evaluation
    rows = show_baselines(metrics).rows
    assert [row[0][0] for row in rows] == ["This model", HOSTILE.replace("_", " ").capitalize()] * 2
    model = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    assert rows[0][1] == cell(model, next(iter(FIGURES)))


def test_a_refused_condition_has_dashes(evaluation) -> None:
    metrics, _ = evaluation
    rows = show_audit(metrics["audit"])["table"].rows
    assert [row[1][0] == "–" for row in rows] == [False, True]


def test_the_curve_is_told_in_a_sentence_for_each_direction(evaluation) -> None:
    metrics, _ = evaluation
    lines = describe_curve(metrics)
    assert [line.split(":")[0] for line in lines] == ["From a back to the palms", "From a palm to the backs"]
    figures = metrics["protocols"]["photo"]["dorsal_to_palmar"]
    assert f"{100 * figures['recall_at_5']:.1f} % among the first 5" in lines[0]
