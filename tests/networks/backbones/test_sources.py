"""Sources that a backbone joins: the picture that they need follows from them, and settings that disagree are refused."""

import re
import tomllib
from pathlib import Path

import pytest

from handnet.config.toml import format_toml, parse_config
from handnet.errors import ConfigError
from handnet.images.hand_models.model_files import FILES
from handnet.networks.backbones.sources import describe_missing
from handnet.networks.complete_config import complete_config

PALM = {"backbone": "efficientnet-lite2", "crop": "hand-palm"}
ALL = ("hand", "lite2", "lite0", "lite2_aligned", "lite0_aligned")
FINDER = {"hand_finder": "landmarks"}


def complete(sources: dict, image: dict | None = None, arch: str = "hand-pretrained"):
    return complete_config({"model": {"arch": arch, "sources": sources}, **({"image": image} if image else {})})


def test_the_picture_follows_from_the_crops_of_the_sources() -> None:
    one = complete({}).image
    assert (one.crop, one.crops, one.size_px) == ("hand-canonical", (), 260)
    two = complete({"palm": PALM}, FINDER).image
    assert (two.crop, two.crops, two.size_px) == ("several", ("hand-canonical", "hand-palm"), 520)
    whole = complete({"lite2_photo": {"off": True}, "colours": {"off": True}}, arch="hand-photo-pretrained").image
    assert (whole.crop, whole.crops, whole.size_px) == ("hand-canonical", (), 260)
    assert complete({"palm": PALM}, {**FINDER, "size_px": 300}).image.size_px == 300


def test_settings_with_sources_survive_a_file_and_are_completed_once() -> None:
    config = complete({"palm": {**PALM, "taps": {"block7": 3}}, "lite0": {"off": True}}, FINDER)
    assert config.model.sources["palm"].taps == {"block7": 3}
    # What is named like a default is laid over it.
    assert config.model.sources["lite0"].backbone == "efficientnet-lite0"
    tree = tomllib.loads(format_toml(config))
    assert parse_config(tree) == config
    assert complete_config(tree) == config


@pytest.mark.parametrize(
    ("sources", "image", "message"),
    [
        ({}, {"crop": "none"}, r"`image\.crop` follows from the crops of `model\.sources`: 'hand-canonical'"),
        ({"palm": PALM}, {}, r"needs landmarks.*handnet weights fetch mediapipe-hands"),
        (
            {"lite9": {"off": True}},
            {},
            r"sources\.lite9` must name its backbone, or be one of .*: hand, lite2, lite0, ",
        ),
        ({"more": {**PALM, "crop": "several"}}, {}, r"Unknown value of model\.sources\.more\.crop: 'several'"),
        (
            {"more": {**PALM, "backbone": "efficient-lite2"}},
            {},
            r"Unknown value of model\.sources\.more\.backbone: 'efficient-lite2'\. Did you",
        ),
        ({"more": {**PALM, "backbone": "hand-lite2"}}, {}, r"model\.sources\.more\.backbone: 'hand-lite2'"),
        ({"more": {**PALM, "backbone": 7, "taps": "middle"}}, {}, r"sources\.more\.taps = \"middle\"` is for: .*: 7\."),
        ({"more": {**PALM, "taps": "midle"}}, {}, r"sources\.more\.taps` must be \"middle\", or depths.*: 'midle'\."),
        ({"more": {**PALM, "size_px": 8}}, {}, r"sources\.more\.size_px` must be at least 32 for 'efficientnet-lite2'"),
        ({"my palm": PALM}, {}, "must have a name of letters, digits and underscores .* Received: 'my palm'"),
        ({"network0": PALM}, {}, "must have a name of .* none of the model's own: .* Received: 'network0'"),
        ({"none_crop": PALM}, {}, "must have a name of .* none of the model's own: .* Received: 'none_crop'"),
        ({}, {"crops": 3}, r"`image\.crops` follows from the crops .*\. Received: 3\."),
        (
            {"more": {**PALM, "taps": {"block4": 99}}},
            {},
            r"sources\.more\.taps\.block4` must be a whole number of cells",
        ),
        (
            {"more": {**PALM, "score_weight": 0}},
            {},
            r"sources\.more\.score_weight` must lie between 0\.01 and 100\. Received: 0",
        ),
        ({"more": {**PALM, "tap": {}}}, {}, r"Unknown config key 'model\.sources\.more\.tap'"),
        ({"lite2": {"off": "yes"}}, {}, r"`model\.sources\.lite2\.off` must be true or false\. Received: 'yes'"),
        ({name: {"off": True} for name in ALL}, {}, "must have a source that is not off"),
    ],
)
def test_sources_that_cannot_be_joined_are_refused(sources: dict, image: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        complete(sources, image)


def test_an_optional_source_is_left_out_where_its_weights_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path))
    landmarks = {"landmarks": {"backbone": "hand-landmarks", "optional": True}}
    config = complete(landmarks)
    assert config.model.sources["landmarks"].off
    expected = r"without the source landmarks, .* not on this machine: handnet weights fetch mediapipe-hands, then"
    assert re.match(expected, describe_missing(config.model.sources))
    # One that is not optional is asked for, and its absence an error when it is built.
    assert not complete({"landmarks": {"backbone": "hand-landmarks"}}).model.sources["landmarks"].off
    for file in FILES:
        (tmp_path / file.name).touch()
    config = complete(landmarks)
    assert not config.model.sources["landmarks"].off
    assert describe_missing(config.model.sources) == ""
    # A run that was trained with it keeps it, wherever it is opened.
    for file in FILES:
        (tmp_path / file.name).unlink()
    assert not parse_config(tomllib.loads(format_toml(config))).model.sources["landmarks"].off


def test_sources_are_for_backbones_that_join_some() -> None:
    with pytest.raises(ConfigError, match=r"for the backbones that join some: hand-lite2, hand-pretrained, hand"):
        complete({"palm": {**PALM, "crop": "none"}}, arch="small")
