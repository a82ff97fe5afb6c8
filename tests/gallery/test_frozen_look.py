"""The frozen look sees what the hand front end sees, and is not read where it was not written whole."""

from pathlib import Path

import pytest

from handnet.gallery import frozen_look
from handnet.gallery.freeze_look import keep_frozen_look
from handnet.gallery.frozen_look import choose_quick_look, find_look_file
from handnet.gallery.hand_look import look_at_hands, look_at_pixels
from tests.hand_models import find_hand_models, write_hand
from tests.photos import picture, write_jpeg


def test_without_hand_models_pixels_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_look, "has_hand_models", lambda: False)
    assert choose_quick_look() is look_at_pixels


@pytest.mark.slow
def test_it_sees_what_the_front_end_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path / "cache"))
    assert choose_quick_look() is None
    hand = Path(write_hand(tmp_path / "hand.jpg")).read_bytes()
    other = write_jpeg(tmp_path / "other.jpg", picture()).read_bytes()
    assert keep_frozen_look([hand]) == ""
    look = choose_quick_look()
    assert look is not None
    photos = [hand, other, b"", b"text", hand[: len(hand) // 2]]
    for received, expected in zip(look(photos), look_at_hands(photos), strict=True):
        assert received._replace(quality=0.0) == expected._replace(quality=0.0)
        assert received.quality == pytest.approx(expected.quality, abs=1e-3)
    file = find_look_file()
    file.write_bytes(file.read_bytes()[:-1])
    assert choose_quick_look() is None
