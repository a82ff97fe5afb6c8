"""Tables and plots of decisions on pairs."""

from handnet.evaluation.report.verification_section import (
    format_bounds,
    show_calibration,
    show_open_set,
    show_verification,
)


def test_thresholds_have_a_table_only_where_they_were_chosen_on_others(evaluation) -> None:
    figures = evaluation[0]["verification"]
    shown = show_verification(figures)
    assert [row[0][0] for row in shown["thresholds"].rows] == ["Equal errors", "Best F1"]
    assert all("Dotted: the thresholds" in plot.caption for plot in shown["first_plots"])
    assert [mark["label"] for mark in shown["first_plots"][0].chart["marks"]] == ["equal errors", "best F1"]
    counts = figures["thresholds"]["equal_error"]["confusion"]
    assert shown["confusion"].rows[0][1] == (f"{counts['true_accepts']:,}", "")
    bare = show_verification({**figures, "thresholds": {}})
    assert bare["thresholds"] is None
    assert all("Dotted" not in plot.caption for plot in bare["first_plots"])


def test_rates_that_the_people_do_not_carry_are_refused_once(evaluation) -> None:
    shown = show_open_set(evaluation[0]["open_set"])
    assert shown["refused"]
    assert len(shown["refused"]) == len(set(shown["refused"]))
    assert all("false alarms" in row[0][0] for row in shown["table"].rows)


def test_a_calibration_is_told_in_words(evaluation) -> None:
    calibration = evaluation[0]["calibration"]
    facts = show_calibration(calibration)["facts"]
    assert facts["Logistic"].endswith(f"from {calibration['num_validation_people']} validation people")
    assert format_bounds([0.1, 0.256]) == "10.0–25.6"
