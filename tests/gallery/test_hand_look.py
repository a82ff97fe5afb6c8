"""What the gallery makes of a report of the hand front end: view, side, quality, and what is refused."""

from typing import Any

import numpy as np
import pytest

from handnet.gallery import hand_look
from handnet.gallery.hand_look import choose_look, look_at_hands, look_at_pixels
from handnet.gallery.records import UNKNOWN, HandKind
from handnet.images import hand_report
from handnet.images.hand.quality_rule import LIMITS
from handnet.images.hand_report import NONE, ONE, SEVERAL, HandReport

GOOD = {name: limit.good for name, limit in LIMITS.items()}
BETWEEN = (LIMITS["sharpness"].refuse + LIMITS["sharpness"].good) / 2


def make_report(**changes: Any) -> HandReport:
    values: dict[str, Any] = {
        "problem": "",
        "finding": ONE,
        "found": True,
        "score": 1.0,
        "landmarks": np.zeros((21, 2), np.float32),
        "side": "left",
        "side_confidence": 0.99,
        "view": "palmar",
        "view_confidence": 0.99,
        "shape_px": (192, 256),
        "picture": np.zeros((1, 1, 3), np.uint8),
        "mask": np.zeros((1, 1), bool),
        "measures": GOOD,
    }
    return HandReport(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "kind", "quality", "remark"),
    [
        ({}, HandKind("palmar", "left"), 1.0, ""),
        ({"view_confidence": 0.7}, HandKind("", "left"), 1.0, ""),
        ({"side_confidence": 0.7}, HandKind("palmar", ""), 1.0, ""),
        ({"measures": {**GOOD, "sharpness": BETWEEN}}, HandKind("palmar", "left"), 0.5, "blurred"),
    ],
)
def test_a_report_becomes_kind_quality_and_remarks(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], kind: HandKind, quality: float, remark: str
) -> None:
    monkeypatch.setattr(hand_report, "look_at_photos", lambda photos: iter([make_report(**changes)]))
    (seen,) = look_at_hands([b"photo"])
    assert (seen.kind, seen.quality, seen.reason) == (kind, pytest.approx(quality), "")
    assert remark in " ".join(seen.remarks)


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"finding": SEVERAL}, UNKNOWN, "several hands: photograph one at a time"),
        ({"finding": NONE, "found": False}, UNKNOWN, "no hand was found"),
        ({"measures": {**GOOD, "cut_off": 0.5}}, HandKind("palmar", "left"), LIMITS["cut_off"].words),
    ],
)
def test_a_photo_that_the_front_end_refuses_has_no_answer(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], kind: HandKind, reason: str
) -> None:
    # Else the one hand that the crop shows would be named, whoever's it is, and by a model of complete photos a face.
    monkeypatch.setattr(hand_report, "look_at_photos", lambda photos: iter([make_report(**changes)]))
    (seen,) = look_at_hands([b"photo"])
    assert (seen.kind, seen.quality, seen.reason, seen.remarks) == (kind, 0.0, reason, ())


def test_what_cannot_be_read_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_report, "look_at_photos", lambda photos: iter([make_report(problem="empty file")]))
    assert look_at_hands([b""])[0].reason == "empty file"


def test_without_the_hand_models_pixels_alone_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, look in ((True, look_at_hands), (False, look_at_pixels)):
        monkeypatch.setattr(hand_look, "has_hand_models", lambda has=has: has)
        assert choose_look() is look
