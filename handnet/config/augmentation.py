"""The settings of the augmentation: each kind with its own probability and strength, no TensorFlow."""

from dataclasses import dataclass, fields
from typing import Any

from handnet.errors import ConfigError, show_value


@dataclass(frozen=True)
class AugmentConfig:
    """What may happen to a training photo; a probability of 0 turns a kind off.

    `…_probability` is the chance that a kind happens to one photo, 0..1; a strength is the end of the range from which
    each photo draws its own amount, evenly. The defaults were chosen by looking at `handnet data augment-preview`: at
    full strength a hand is still a hand with its creases, and nearly all of it is there.

    Attributes:
        rotation_probability: chance of a rotation about the middle of the photo.
        rotation_degrees: up to this angle either way, 0..180.
        translation_probability: chance of a shift.
        translation_fraction: up to this share of the photo's side along either axis, 0..1.
        zoom_probability: chance of a zoom.
        zoom_fraction: z scales the photo by a factor between 1/(1+z) and 1+z, even in the logarithm, at least 0.
        brightness_probability: chance of a change of brightness.
        brightness_fraction: every value is multiplied by 1 ± up to this, 0..1.
        contrast_probability: chance of a change of contrast.
        contrast_fraction: the distance from the photo's mean grey is multiplied by 1 ± up to this, 0..1.
        color_probability: chance of a change of hue and saturation.
        hue_degrees: hue turns by up to this either way, 0..180.
        saturation_fraction: saturation is multiplied by 1 ± up to this, 0..1.
        grayscale_probability: chance of losing all colour.
        blur_probability: chance of a Gaussian blur.
        blur_sigma_fraction: its standard deviation, up to this share of the photo's side, 0..0.05.
        erasing_probability: chance of one rectangle being painted over with the background.
        erasing_fraction: the rectangle's area, up to this share of the photo's, 0..1; its sides are 1:3 to 3:1.
        flip_probability: chance of a mirror image. It turns a left hand into a right one, and swaps the side label.
        background_probability: chance that the hand is laid on another ground: drawn wood, cloth, noise, clutter or gradients,
            and the photos in `background_folder`. The hand is found by colour: the photos must show it on a plain, light ground.
        background_folder: a folder of photos to lay hands on as well, e.g. of your own tables and floors; "" is none.
    """

    rotation_probability: float = 0.8
    rotation_degrees: float = 20.0
    translation_probability: float = 0.8
    translation_fraction: float = 0.08
    zoom_probability: float = 0.8
    zoom_fraction: float = 0.15
    brightness_probability: float = 0.8
    brightness_fraction: float = 0.2
    contrast_probability: float = 0.8
    contrast_fraction: float = 0.2
    color_probability: float = 0.5
    hue_degrees: float = 10.0
    saturation_fraction: float = 0.3
    grayscale_probability: float = 0.1
    blur_probability: float = 0.2
    blur_sigma_fraction: float = 0.0075
    erasing_probability: float = 0.25
    erasing_fraction: float = 0.05
    flip_probability: float = 0.0
    background_probability: float = 0.0
    background_folder: str = ""

    def __post_init__(self) -> None:
        limits = {"rotation_degrees": 180.0, "hue_degrees": 180.0, "zoom_fraction": 9.0, "blur_sigma_fraction": 0.05}
        for field in fields(self):
            value, high = getattr(self, field.name), limits.get(field.name, 1.0)
            if isinstance(value, str):
                continue
            if not 0.0 <= value <= high:
                raise ConfigError(
                    f"`augment.{field.name}` must lie between 0 and {high:g}. Received: {show_value(value)}."
                )


AUGMENTATIONS = tuple(
    field.name.removesuffix("_probability") for field in fields(AugmentConfig) if field.name.endswith("_probability")
)
_ALL_OFF: dict[str, Any] = {f"{kind}_probability": 0.0 for kind in AUGMENTATIONS}
NO_AUGMENTATION = AugmentConfig(**_ALL_OFF)
