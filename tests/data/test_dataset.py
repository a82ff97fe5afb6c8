from dataclasses import replace

import pytest

from handnet.data.dataset import DataSet, forget_views, has_one_view, has_views, people_to_match, require_both_views
from handnet.data.example import Example
from handnet.errors import DataError

BACKS = [Example(f"/{person}-{k}.jpg", person, "dorsal") for person in ("ann", "bob") for k in range(2)]


def test_photos_of_one_view_are_matched_with_one_another() -> None:
    dataset = DataSet("folder", "/", BACKS, BACKS)
    assert has_one_view(dataset.examples)
    assert people_to_match(dataset.examples) == []
    plain = forget_views(dataset)
    assert not has_views(plain.examples)
    assert people_to_match(plain.examples) == ["ann", "bob"]
    assert not has_one_view([*BACKS, replace(BACKS[0], view="palmar")])
    assert not has_one_view(plain.examples)


def test_the_way_to_train_on_one_view_is_said() -> None:
    with pytest.raises(DataError, match=r"All photos are of one view: .* give --set loss.options.views=any"):
        require_both_views(BACKS, "Training")
