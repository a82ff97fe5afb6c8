"""Reports on photos: files, bytes and arrays, in order, with places in the photo's own pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from handnet.data.synthetic import draw_hand_with_mask, sample_person
from handnet.errors import WeightsError
from handnet.images.hand.quality_rule import LIMITS, REFUSE
from handnet.images.hand_report import NONE, ONE, look_at_photos
from tests.hand_models import find_hand_models
from tests.photos import write_truncated

EXIF_QUARTER_TURN = 6


@pytest.fixture(scope="module")
def drawn():
    """A synthetic hand that is found, uint8 (1200, 1600, 3), and its mask."""
    photo, mask = draw_hand_with_mask(sample_person(3, 1), "dorsal", "right", np.random.default_rng(1), (320, 240))
    enlarged = [Image.fromarray(np.asarray(layer)).resize((1600, 1200)) for layer in (photo, mask)]
    return np.asarray(enlarged[0]), np.asarray(enlarged[1]) > 0


def write_jpeg(photo, orientation=1):
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photo).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@pytest.mark.slow
def test_photos_of_all_kinds_are_reported_in_order(drawn, tmp_path):
    photo, truth = drawn
    contents = write_jpeg(photo)
    (tmp_path / "hand.jpg").write_bytes(contents)
    # Stored turned by a quarter, upright once the orientation is obeyed.
    turned = write_jpeg(np.rot90(photo).copy(), EXIF_QUARTER_TURN)
    damaged = write_truncated(tmp_path / "half.jpg", "JPEG")
    blank = np.full((90, 120, 3), 255, np.uint8)
    photos = [str(tmp_path / "hand.jpg"), contents, photo, turned, damaged, tmp_path / "absent.jpg", blank]
    *hands, bad, absent, empty = look_at_photos(photos, find_hand_models())
    for report in hands:
        assert report.found
        assert report.plain
        assert report.finding == ONE
        assert (report.side, report.view) == ("right", "dorsal")
        assert report.shape_px == (1200, 1600)
        assert max(report.picture.shape) < 1536
        assert report.mask.shape == report.picture.shape[:2]
        assert np.abs(report.landmarks - hands[0].landmarks).max() < 20.0
        known = np.asarray(Image.fromarray(truth).resize(report.mask.shape[::-1]))
        assert (report.mask & known).sum() / (report.mask | known).sum() > 0.7
        tips = report.picture_landmarks[[8, 12, 16]].round().astype(int)
        assert known[tips[:, 0], tips[:, 1]].all()
    assert bad.problem
    assert absent.problem == "No such file or directory"
    assert not empty.problem
    assert not empty.found
    assert not empty.plain
    assert empty.finding == NONE
    assert set(hands[0].measures) == set(LIMITS)
    assert 0.3 < hands[0].measures["brightness"] < 0.9
    assert [report.verdict.level for report in (bad, empty)] == [REFUSE, REFUSE]
    assert bad.verdict.reasons == (bad.problem,)
    assert empty.verdict.reasons == ("no hand was found",)
    assert not empty.mask.any()


def test_missing_models_are_one_line(tmp_path):
    with pytest.raises(WeightsError, match="handnet weights fetch mediapipe-hands"):
        list(look_at_photos([], tmp_path))
