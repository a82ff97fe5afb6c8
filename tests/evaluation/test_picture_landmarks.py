"""Landmarks in the pictures that an encoder describes."""

import numpy as np
import pytest

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.evaluation.picture_landmarks import find_picture_landmarks
from tests.hand_models import find_hand_models


def _draw() -> tuple[np.ndarray, np.ndarray]:
    drawn = [
        draw_hand_with_mask(sample_person(3, 1), view, "right", np.random.default_rng(1), (240, 240))
        for view in ("dorsal", "palmar")
    ]
    return np.stack([np.asarray(photo) for photo, _ in drawn]), np.stack([np.asarray(mask) for _, mask in drawn])


@pytest.mark.slow
def test_landmarks_lie_on_both_hands_and_there_are_none_without_a_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))
    pictures, masks = _draw()
    landmarks = find_picture_landmarks(pictures)
    assert landmarks is not None
    assert landmarks.shape == (2, 21, 2)
    rows, columns = np.clip((landmarks * 240).astype(int), 0, 239).transpose(2, 0, 1)
    assert (masks[np.arange(2)[:, None], rows, columns] > 0.5).mean() > 0.8
    # The hands are drawn with the fingers down: the tip of the middle finger lies below the wrist.
    assert (landmarks[:, 12, 0] > landmarks[:, 0, 0] + 0.5).all()
    pictures[1] = 255
    assert find_picture_landmarks(pictures) is None


def test_without_the_networks_there_are_no_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDNET_HAND_MODELS", raising=False)
    assert find_picture_landmarks(np.zeros((2, 64, 64, 3), np.uint8)) is None
