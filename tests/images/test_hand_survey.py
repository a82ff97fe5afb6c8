"""Photos looked at once: the second time nothing is decoded; what cannot be read is said; a sheet of them is drawn."""

import numpy as np
import pytest
from PIL import Image

from handnet.data.example import Example
from handnet.data.synthetic import draw_hand, sample_person
from handnet.images import hand_survey
from handnet.images.hand.findings import NONE
from handnet.images.hand_sheet import draw_sheet
from handnet.images.hand_survey import NUM_SAMPLED, see_hands, survey_photos, survey_sample
from tests.hand_models import find_hand_models


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A synthetic palm of a left hand, a blank sheet and a file that is no photo."""
    folder = tmp_path_factory.mktemp("photos")
    hand = draw_hand(sample_person(3, 1), "palmar", "left", np.random.default_rng(1), (640, 480))
    Image.fromarray(hand).save(folder / "hand.jpg")
    Image.new("RGB", (320, 240), "white").save(folder / "blank.png")
    (folder / "text.jpg").write_bytes(b"no photo")
    return [str(folder / name) for name in ("hand.jpg", "blank.png", "text.jpg")]


@pytest.mark.slow
def test_photos_are_looked_at_once(photos, tmp_path, monkeypatch):
    find_hand_models()
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path))
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    hand, blank, text = survey_photos(photos)
    assert (hand.found, hand.view, hand.side) == (True, "palmar", "left")
    assert (blank.finding, blank.verdict.reasons) == (NONE, ("no hand was found",))
    assert text.problem.startswith("not an image")
    looked_at = []

    def look(paths, folder):
        looked_at.extend(paths)
        return hand_survey_look([photos[2]], folder)

    hand_survey_look = hand_survey.look_at_photos
    monkeypatch.setattr(hand_survey, "look_at_photos", look)
    assert survey_photos(photos) == [hand, blank, text]
    # Only what could not be read is tried again.
    assert looked_at == [photos[2]]
    monkeypatch.setattr(hand_survey, "look_at_photos", hand_survey_look)
    # Half of the sample and more must show a hand; of these three one does.
    assert see_hands(photos) == [None] * 3
    seen = see_hands(photos[:2])
    assert seen[0].view == "palmar"
    assert not seen[0].thumb_right
    assert seen[1] is None
    draw_sheet([Example(path, "p", "palmar", "left") for path in photos], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        colors = {pixel for _, pixel in sheet.convert("RGB").getcolors(1_000_000)}
    assert {(0, 150, 255), (255, 212, 0)} <= colors


@pytest.mark.parametrize("count", [0, 1, NUM_SAMPLED, 2 * NUM_SAMPLED - 1, 856])
def test_a_sample_is_spread_over_all_photos(count, monkeypatch):
    monkeypatch.setattr(hand_survey, "survey_photos", lambda paths, models_folder: paths)
    sample = survey_sample([str(number) for number in range(count)])
    assert len(sample) == min(count, NUM_SAMPLED)
    places = [-1, *map(int, sample), count]
    assert max(np.diff(places)) <= -(-count // NUM_SAMPLED) + 1
