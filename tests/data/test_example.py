"""One photo and its labels."""

import pytest

from handnet.data.example import Example, view_index


def test_views_have_labels_in_order_and_no_view_counts_as_the_first():
    assert [view_index(view) for view in ("dorsal", "palmar", "")] == [0, 1, 0]


def test_examples_are_values():
    assert Example("/a.jpg", "ann") == Example("/a.jpg", "ann", "", "", {})
    with pytest.raises(AttributeError):
        Example("/a.jpg", "ann").view = "dorsal"
