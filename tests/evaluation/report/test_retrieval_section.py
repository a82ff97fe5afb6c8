"""Tables and plots of who is found."""

from handnet.evaluation.report.retrieval_section import show_audit, show_baselines, show_retrieval, show_slices
from handnet.metrics.figures import FIGURES, cell
from tests.evaluation.report.hostile import HOSTILE


def test_every_protocol_is_a_row_or_a_refusal(evaluation) -> None:
    metrics, _ = evaluation
    shown = show_retrieval(metrics)
    names = [row[0][0] for row in shown["table"].rows]
    for protocol in metrics["protocols"].values():
        assert any(name.startswith(protocol["title"]) for name in (*names, *shown["refused"]))
    assert all(len(row) == 1 + len(FIGURES) == len(shown["table"].headings) for row in shown["table"].rows)
    assert len(shown["plots"]) == 3


def test_the_model_comes_before_the_baselines(evaluation) -> None:
    metrics, _ = evaluation
    rows = show_baselines(metrics).rows
    assert [row[0][0] for row in rows] == ["This model", HOSTILE.replace("_", " ").capitalize()] * 2
    model = metrics["protocols"]["person_template"]["dorsal_to_palmar"]
    assert rows[0][1] == cell(model, next(iter(FIGURES)))


def test_a_refused_condition_has_dashes_and_slices_say_where_few_are(evaluation) -> None:
    metrics, _ = evaluation
    rows = show_audit(metrics["audit"])["table"].rows
    assert [row[1][0] == "–" for row in rows] == [False, True]
    tables = show_slices(metrics["slices"])["tables"]
    assert list(tables) == ["dorsal → palmar", "palmar → dorsal"]
    few = [row[0][1].endswith("too few to tell") for row in next(iter(tables.values())).rows]
    assert few == [row["few_people"] for row in metrics["slices"]["dorsal_to_palmar"]]
