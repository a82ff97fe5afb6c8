"""What the look-alike browser shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from handnet.evaluation.report.look_alike_browser import list_closest
from handnet.metrics.closest_people import find_closest_people
from tests.metrics.test_protocols import draw_hands


def test_each_person_has_their_own_palm_and_five_others_and_each_photo_is_there_once(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(photo)
    part = draw_hands(num_people=8)
    part = replace(part, paths=(str(photo),) * len(part.paths))
    found = find_closest_people(part, max_people=3)
    first = found[0]
    shares = {(first.person, first.others[0].person): {"outline": 0.25, "texture": -0.05}}
    shown = list_closest(part, found, shares)
    assert [person["name"] for person in shown["people"]] == [closest.person for closest in found]
    assert min(closest.lead for closest in found) == found[shown["first"]].lead
    # Three backs, and a palm of each person at the most.
    assert len(shown["photos"]) <= 3 + 8
    assert all(len(address) < 2000 for address in shown["photos"])
    one = shown["people"][0]
    assert [other["name"] for other in one["shown"]] == [first.person, *(other.person for other in first.others)]
    assert len(one["shown"]) == 6
    assert one["shown"][1]["shares"] == [["outline", 0.25], ["texture", -0.05]]
    assert one["shown"][2]["shares"] == []
