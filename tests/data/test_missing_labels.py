"""Labels filled from photos: what the thumb says, what stays open, and that nothing that is given changes."""

from dataclasses import replace

import pytest

from handnet.data.example import Example
from handnet.data.missing_labels import HandInPhoto, fill_missing
from handnet.data.readers import read_dataset

PALM_OF_RIGHT = HandInPhoto("palmar", 0.99, thumb_right=True)
BACK_OF_RIGHT = HandInPhoto("dorsal", 0.97, thumb_right=False)
UNSURE = HandInPhoto("dorsal", 0.6, thumb_right=True)


def see_as(**seen):
    return lambda paths: [seen.get(path) for path in paths]


def fill(*examples, **seen):
    return fill_missing([Example(path, "p", view, side) for path, view, side in examples], see_as(**seen))


def test_both_labels_come_from_the_photo():
    filled, notes = fill(("a", "", ""), ("b", "", ""), a=PALM_OF_RIGHT, b=BACK_OF_RIGHT)
    assert [(example.view, example.side) for example in filled] == [("palmar", "right"), ("dorsal", "right")]
    assert filled[0].attributes == {"filled": "view and side"}
    assert notes[0].startswith("filled from the photos: the view of 2 and the side of 2 photos (confidence 97% to 99%")
    assert len(notes) == 1


def test_a_given_label_decides_with_the_thumb_even_against_the_photo():
    # It looks like the palm of a right hand: labelled dorsal, the same thumb belongs to a left hand.
    filled, _ = fill(("a", "dorsal", ""), ("b", "", "left"), a=PALM_OF_RIGHT, b=PALM_OF_RIGHT)
    assert [(example.view, example.side) for example in filled] == [("dorsal", "left"), ("dorsal", "left")]
    assert [example.attributes["filled"] for example in filled] == ["side", "view"]


def test_what_is_given_is_not_even_looked_at():
    def see(paths):
        raise AssertionError(paths)

    examples = [Example("a", "p", "dorsal", "left")]
    assert fill_missing(examples, see) == (examples, [])


def test_what_is_unsure_or_no_hand_stays_open_and_is_counted():
    examples = ("a", "", ""), ("b", "", ""), ("c", "palmar", "left"), ("d", "", "")
    filled, notes = fill(*examples, a=UNSURE, d=PALM_OF_RIGHT)
    assert [example.view for example in filled] == ["", "", "palmar", "palmar"]
    assert notes[1].startswith("2 stay open")


def test_no_hand_anywhere_changes_and_says_nothing():
    assert fill(("a", "", ""), ("b", "", ""))[1] == []


def test_one_view_alone_is_no_view():
    filled, notes = fill(("a", "", ""), ("b", "", ""), a=PALM_OF_RIGHT, b=PALM_OF_RIGHT)
    assert [example.view for example in filled] == ["", ""]
    assert notes == ["all photos seem to be palmar: views are not filled."]


@pytest.fixture
def folder(tmp_path):
    for person in ("anna", "ben"):
        (tmp_path / person).mkdir()
        for name in ("1.jpg", "2.jpg"):
            (tmp_path / person / name).write_bytes(b"")
    return tmp_path


def see_by_name(paths):
    return [PALM_OF_RIGHT if path.endswith("1.jpg") else BACK_OF_RIGHT for path in paths]


def test_the_folder_reader_fills_what_no_folder_says(folder):
    dataset = read_dataset("folder", folder, see_by_name)
    assert [example.view for example in dataset.examples] == ["palmar", "dorsal"] * 2
    assert [replace(row, attributes={}) for row in dataset.rows] == [
        replace(example, attributes={}) for example in dataset.examples
    ]
    assert any(note.startswith("filled from the photos") for note in dataset.notes)
    assert not any("no views" in note for note in dataset.notes)
    assert [example.view for example in read_dataset("folder", folder).examples] == [""] * 4


def test_the_folder_reader_fills_the_empty_cells_of_a_table(folder):
    rows = "anna/1.jpg,anna,dorsal,", "anna/2.jpg,anna,,", "ben/1.jpg,ben,,left", "ben/2.jpg,ben,palmar,left"
    (folder / "labels.csv").write_text("\n".join(["path,identity,view,side", *rows]))
    dataset = read_dataset("folder", folder, see_by_name)
    assert [(example.view, example.side) for example in dataset.examples] == [
        ("dorsal", "left"),
        ("dorsal", "right"),
        ("dorsal", "left"),
        ("palmar", "left"),
    ]
    assert [example.attributes.get("filled", "") for example in dataset.examples] == [
        "side",
        "view and side",
        "view",
        "",
    ]


def test_readers_that_leave_nothing_open_are_not_asked(tmp_path):
    (tmp_path / "train" / "n1" / "images").mkdir(parents=True)
    (tmp_path / "train" / "n1" / "images" / "a.JPEG").write_bytes(b"")
    assert read_dataset("tiny-imagenet", tmp_path, see_by_name).examples[0].view == ""
