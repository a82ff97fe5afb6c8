"""Which hand finder crops go by: chosen once, recorded, part of every key; old keys and old runs stay as they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.config.toml import parse_config
from handnet.data.cache import find_photo_folder
from handnet.errors import ConfigError, DataError, WeightsError
from handnet.evaluation.pair_verdict import refuse_unfit
from handnet.images.decode import crop_to_hand, find_hand
from handnet.images.hand.findings import CUT_OFF, FINDINGS
from handnet.images.hand_finder import choose_hand_finder, describe_hand_finder, describe_pixels
from handnet.images.hand_models.model_files import FILES
from handnet.images.header_guard import load_photos
from handnet.images.photo_store import load_cached, prepare_photos, read_hands
from handnet.images.seen_hand import compare_hands, describe_hand
from handnet.images.unusable_photos import NO_HAND, explain_problems
from handnet.networks.complete_config import complete_config
from tests.hand_models import find_hand_models, write_hand

CANONICAL = ImageConfig(size_px=64, crop="hand-canonical", hand_finder="landmarks")

AUTO = {"model": {"arch": "hand"}, "image": {"hand_finder": "auto"}}


@pytest.fixture
def empty_models(tmp_path, monkeypatch):
    """A folder that the hand models are looked for in, with none yet."""
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def real_models(monkeypatch):
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(find_hand_models()))


def test_auto_is_resolved_by_the_models_of_this_machine(empty_models):
    auto = replace(CANONICAL, hand_finder="auto")
    assert choose_hand_finder(auto).hand_finder == "colour"
    by_color = choose_hand_finder(auto)
    assert "handnet weights fetch mediapipe-hands, then --set image.hand_finder=landmarks" in describe_hand_finder(
        by_color
    )
    for file in FILES:
        (empty_models / file.name).write_bytes(b"")
    assert "any background: --set image.hand_finder=landmarks" in describe_hand_finder(by_color)
    # The photos decide.
    assert choose_hand_finder(auto) == auto
    assert choose_hand_finder(replace(auto, crop="hand-palm")).hand_finder == "landmarks"
    assert choose_hand_finder(replace(auto, crop="none")).hand_finder == "colour"
    assert choose_hand_finder(replace(auto, hand_finder="colour")).hand_finder == "colour"
    assert complete_config(AUTO).image.hand_finder == "auto"
    (empty_models / FILES[0].name).unlink()
    assert complete_config(AUTO).image.hand_finder == "colour"


def test_where_colour_finds_no_hand_the_other_finder_is_named():
    problems = {"a.jpg": NO_HAND["colour"]}
    assert "--set image.hand_finder=landmarks" in explain_problems(problems, 3)
    by_landmarks = explain_problems({"a.jpg": NO_HAND["landmarks"]}, 3)
    assert "hand_finder" not in by_landmarks
    assert "--skip-without-hand (train, cv, eval and audit)" in by_landmarks
    assert "`handnet data check` lists damaged and blank ones and those without a hand" in by_landmarks
    assert "ones and those without a hand" not in explain_problems(problems, 3)


def test_the_settings_of_runs_of_before_stay_as_they_were():
    before = parse_config({"image": {"size_px": 128, "crop": "hand-canonical"}}).image
    assert before.hand_finder == "colour"
    assert find_photo_folder(describe_pixels(before)).name == "fdd839be6cccf611"


def test_the_finder_and_its_models_are_part_of_the_key():
    by_color, by_landmarks = (describe_pixels(replace(CANONICAL, hand_finder=name)) for name in ("colour", "landmarks"))
    assert find_photo_folder(by_color) != find_photo_folder(by_landmarks)
    assert by_landmarks["hand_models"] == [file.sha256 for file in FILES]


def test_landmarks_for_a_crop_without_a_hand_are_refused():
    with pytest.raises(ConfigError, match="is for crops to the hand"):
        ImageConfig(crop="none", hand_finder="landmarks")
    with pytest.raises(ConfigError, match="landmarks"):
        ImageConfig(crop="hand", hand_finder="landmark")


def test_missing_models_are_one_line(empty_models, tmp_path):
    # Of a size that no other test decodes with: a decoder that this process has already needs no files.
    config = replace(CANONICAL, size_px=50)
    with pytest.raises(WeightsError, match="handnet weights fetch mediapipe-hands"):
        prepare_photos([write_hand(tmp_path / "hand.jpg")], config)


@pytest.mark.slow
def test_store_and_export_cut_the_same_hand_out_of_any_background(real_models, tmp_path):
    paths = [write_hand(tmp_path / "hand.jpg"), str(tmp_path / "large.jpg")]
    Image.open(paths[0]).resize((2400, 1800)).save(paths[1], quality=95)
    squares = load_cached(prepare_photos(paths, CANONICAL).files, CANONICAL.size_px)
    paper = np.linspace(180, 220, 320).astype(np.uint8)[:, np.newaxis]
    Image.fromarray(np.broadcast_to(paper, (240, 320, 3)).copy()).save(tmp_path / "paper.jpg")
    contents = [Path(path).read_bytes() for path in (*paths, str(tmp_path / "paper.jpg"))]
    pixels, ok = tf.function(lambda photos: load_photos(photos, CANONICAL), autograph=False)(tf.constant(contents))
    assert ok.numpy().tolist() == [True, True, False]
    assert (pixels.numpy()[:2] == squares).all()
    # The ground is gone, and the hand is the same from the large photo.
    assert (squares[:, :4] == 255).all()
    assert 0.2 < (squares[0] < 250).any(-1).mean() < 0.6
    assert np.abs(squares[0].astype(float) - squares[1]).mean() < 8.0
    with pytest.raises(DataError, match="on any background"):
        prepare_photos([str(tmp_path / "paper.jpg")], CANONICAL)


@pytest.mark.slow
def test_each_crop_turns_the_hand_as_it_says(real_models, tmp_path):
    upright = np.asarray(Image.open(write_hand(tmp_path / "hand.jpg")))
    photos = [upright, np.rot90(upright).copy(), upright[:, ::-1].copy()]
    hands = [find_hand(tf.constant(photo), CANONICAL) for photo in photos]
    for crop in ("hand", "hand-upright", "hand-canonical"):
        config = replace(CANONICAL, crop=crop)
        first, turned, mirrored = (
            crop_to_hand(photo, config, hand).numpy() for photo, hand in zip(photos, hands, strict=True)
        )
        assert np.abs(first - (np.rot90(turned, -1) if crop == "hand" else turned)).mean() < 8.0, crop
        assert np.abs(first - (mirrored if crop == "hand-canonical" else mirrored[:, ::-1])).mean() < 8.0, crop
        assert np.abs(first - first[:, ::-1]).mean() > 12.0, crop


@pytest.mark.slow
def test_what_is_seen_of_two_photos_is_said_in_words(real_models, tmp_path):
    path, mirrored = write_hand(tmp_path / "hand.jpg"), str(tmp_path / "mirrored.jpg")
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, quality=95)
    first, second = read_hands([path, mirrored], CANONICAL)
    assert (first.view, first.side) == ("dorsal", "right")
    assert (second.view, second.side) == ("dorsal", "left")
    assert min(first.score, second.score) > 0.9
    assert 0.0 <= first.quality <= 1.0
    assert describe_hand(first).startswith("back of a right hand (confidence ")
    assert compare_hands(first, second) == [
        "both photos show the back",
        "one photo shows a left hand, the other a right hand",
    ]
    assert compare_hands(first, first._replace(view="palmar")) == []
    assert "hand, cut off by the border (" in describe_hand(first._replace(finding=FINDINGS[CUT_OFF]))
    several = str(tmp_path / "several.png")
    Image.fromarray(np.concatenate([Image.open(path), Image.open(mirrored)], axis=1)).save(several)
    hands = read_hands([path, several], CANONICAL)
    assert [hand.finding for hand in hands] == ["one hand", "several hands"]
    with pytest.raises(DataError, match=r"1 of 2 photos cannot be used: '.*several.png': several hands"):
        refuse_unfit([path, several], hands)
    refuse_unfit([path, path], [first._replace(quality=0.01), None])
    with pytest.raises(DataError, match=r"1 of 1 photos cannot be used: '.*hand.jpg': .*\(quality 0\)"):
        refuse_unfit([path, path], [first, first._replace(quality=0.0)])
    assert read_hands([path], replace(CANONICAL, hand_finder="colour")) == []
    with pytest.raises(DataError, match="No such file"):
        read_hands([str(tmp_path / "absent.jpg")], CANONICAL)
