"""Slices in words."""

import pytest

from handnet.evaluation.report.slices_section import describe_slice, show_slices


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("accessories", "1", "hands with rings or other accessories"),
        ("irregularities", "0", "hands without irregularities (scars, moles, …)"),
        ("nailPolish", "0", "hands without nail polish"),
        ("age", "21–25", "people aged 21–25"),
        ("age", "over 50", "people over 50"),
        ("gender", "female", "women"),
        ("skinColor", "fair", "fair skin"),
        ("side", "left", "left hands"),
        ("camera", "a", "camera: a"),
    ],
)
def test_a_slice_is_said_in_words(attribute: str, value: str, words: str) -> None:
    assert describe_slice(attribute, value) == words


def make_row(value: str, recall: float, num_people: int = 9) -> dict[str, object]:
    row = {
        "attribute": "age",
        "value": value,
        "num_people": num_people,
        "num_queries": 12,
        "few_people": num_people < 5,
    }
    interval = {"interval": {"recall_at_1": [recall - 0.1, recall + 0.1]}} if num_people > 1 else {}
    return {**row, "recall_at_1": recall, "chance": {"recall_at_1": 0.02}, **interval}


def test_both_directions_are_in_one_row_in_one_order_and_small_slices_apart() -> None:
    shown = show_slices(
        {
            "dorsal_to_palmar": [make_row("over 50", 0.3), make_row("under 18", 0.5), make_row("26–35", 0.0, 1)],
            "palmar_to_dorsal": [make_row("under 18", 0.2), make_row("21–25", 0.4), make_row("26–35", 0.5, 1)],
        }
    )
    assert [row.words for row in shown["rows"]] == ["people under 18", "people aged 21–25", "people over 50"]
    assert [[found and found.value for found in row.found] for row in shown["rows"]] == [
        ["50.0", "20.0"],
        [None, "40.0"],
        ["30.0", None],
    ]
    assert shown["rows"][0].found[0].interval == ("40.0", "60.0")
    assert [(row.counts, row.found[0].interval) for row in shown["few"]] == [("1 person, 12 photos", None)]
