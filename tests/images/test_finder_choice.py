"""What "auto" comes to once the photos are known, and that a new training which says nothing means it."""

import pytest

from handnet.config.settings import Config
from handnet.config.toml import format_toml, read_config
from handnet.errors import ConfigError
from handnet.images import finder_choice
from handnet.images.decode import find_hand
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.hand_models.model_files import FILES
from handnet.images.hand_survey import Surveyed
from handnet.networks.complete_config import complete_config

HAND = {"model": {"arch": "hand"}}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder in which files with the names of the hand models lie."""
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    for file in FILES:
        (tmp_path / file.name).write_bytes(b"")
    return tmp_path


def settle(config: Config, monkeypatch, found=20, plain=20):
    """Return the settings as a sample of 20 photos decides, and what is said."""
    sample = [Surveyed(found=row < found, plain=row < plain) for row in range(20)]
    monkeypatch.setattr(finder_choice, "survey_sample", lambda paths: sample)
    said: list[str] = []
    return settle_hand_finder(config, ["a.jpg"] * 20, said.append), said


@pytest.mark.parametrize(
    ("found", "plain", "finder"),
    [
        (20, 0, "landmarks"),
        (20, 15, "landmarks"),
        (20, 16, "colour"),
        (10, 0, "landmarks"),
        (9, 0, "colour"),
        (0, 0, "colour"),
    ],
)
def test_landmarks_are_taken_where_hands_lie_on_other_grounds(models, monkeypatch, found, plain, finder):
    config, said = settle(complete_config(HAND), monkeypatch, found, plain)
    assert config.image.hand_finder == finder
    assert said == [
        "looking for hands in a sample of the photos, to choose how they are found",
        f"of a sample of 20 photos {found} show a hand, {plain} of these on a plain ground",
    ]
    # What was chosen stays, and holds without the models.
    (models / FILES[0].name).unlink()
    assert settle(config, monkeypatch) == (config, [])
    path = models / "config.toml"
    path.write_text(format_toml(config))
    assert read_config(path).image.hand_finder == finder


def test_a_new_training_that_says_nothing_looks_at_its_photos(models, monkeypatch):
    assert complete_config(HAND).image.hand_finder == "auto"
    assert complete_config({**HAND, "image": {"hand_finder": "colour"}}).image.hand_finder == "colour"
    # Whole photos, and machines without the models, are not looked at.
    assert complete_config({"model": {"arch": "small"}}).image.hand_finder == "colour"
    (models / FILES[0].name).unlink()
    assert settle(complete_config(HAND), monkeypatch) == (complete_config(HAND), [])
    assert complete_config(HAND).image.hand_finder == "colour"


def test_without_models_a_crop_that_needs_them_is_refused(models):
    (models / FILES[0].name).unlink()
    with pytest.raises(ConfigError, match="handnet weights fetch mediapipe-hands"):
        complete_config({**HAND, "image": {"crop": "hand-palm"}})


def test_photos_are_not_decoded_before_it_is_chosen(models):
    with pytest.raises(AssertionError, match="chosen before photos are decoded"):
        find_hand(None, complete_config(HAND).image)
