"""Which hand finder crops go by: chosen once, recorded in the run, and part of all that is kept by an image's settings."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from handnet.config.image import LANDMARK_CROPS, ImageConfig
from handnet.images.hand_models.model_files import FILES, NAME, has_hand_models

# Parts of the digest of a model, raised where vectors of before can no longer be compared with those of now: the first where
# the decode or the crop by colour changes its pixels, the second where the landmarks, or the crop by them, do.
PIXELS_VERSION, LANDMARKS_VERSION = 2, 4

# Under the settings of a new training. Runs that do not say which finder they had went by colour: `ImageConfig` keeps that.
NEW_TRAININGS: Mapping[str, Any] = {"image": {"hand_finder": "auto"}}


def choose_hand_finder(image: ImageConfig) -> ImageConfig:
    """Return the settings with "auto" resolved as far as that goes without photos.

    It becomes "colour" where no hand is cropped or the models of landmarks are not on this machine, "landmarks" for crops that
    need them, and else stays: `handnet.images.finder_choice` looks at the photos.
    """
    if image.hand_finder != "auto":
        return image
    if not (image.is_hand_crop and has_hand_models()):
        return replace(image, hand_finder="colour")
    needs_landmarks = any(crop in LANDMARK_CROPS for crop in (image.crop, *image.crops))
    return replace(image, hand_finder="landmarks") if needs_landmarks else image


def describe_hand_finder(image: ImageConfig) -> str:
    """Return one line for people: what the crop goes by; "" where no hand is cropped."""
    if not image.is_hand_crop:
        return ""
    if image.hand_finder == "landmarks":
        return "hands are found by their landmarks, on any background"
    fetch = "" if has_hand_models() else f"handnet weights fetch {NAME}, then "
    return f"hands are found by colour, on plain backgrounds alone (for any background: {fetch}--set image.hand_finder=landmarks)"


def describe_pixels(image: ImageConfig) -> dict[str, Any]:
    """Return all that decides the pixels made of a photo, as JSON can write it, for digests of models.

    By colour it is what it was before there was a choice: galleries of then stay those of their model. Caches have the code
    in their names as well: `handnet.images.pixel_rules.describe_rules`.
    """
    settings = asdict(image)
    finder = settings.pop("hand_finder")
    if not settings["crops"]:
        del settings["crops"]
    if finder == "colour":
        return settings
    models = [file.sha256 for file in FILES] if finder == "landmarks" else []
    return {**settings, "hand_finder": finder, "hand_models": models, "landmarks_version": LANDMARKS_VERSION}
