"""The picture of what the augmentation does: each kind at three strengths, and the mixture that training sees."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from handnet.config.augmentation import NO_AUGMENTATION, AugmentConfig
from handnet.errors import DataError
from handnet.files import write_with
from handnet.images.augment import DRAWS, augment_batch, augment_with_draws

_TILE_PX, _LABEL_PX, _HEADER_PX, _GAP_PX = 128, 150, 22, 12
_LEVELS = (("weak (1/4)", 0.25), ("medium (1/2)", 0.5), ("full", 1.0))
_MIXTURE_ROWS = 3
_OUTLINE = (213, 94, 0)
_STRENGTHS = {
    "rotation": ("rotation_degrees",),
    "translation": ("translation_fraction",),
    "zoom": ("zoom_fraction",),
    "brightness": ("brightness_fraction",),
    "contrast": ("contrast_fraction",),
    "color": ("hue_degrees", "saturation_fraction"),
    "grayscale": (),
    "blur": ("blur_sigma_fraction",),
    "erasing": ("erasing_fraction",),
    "flip": (),
    "background": (),
}
# These amounts have no sign, so both ends of the picture show the most.
_UNSIGNED = ("blur_sigma", "erasing_area")
_MIDDLE = {"erasing_x": 0.5, "erasing_y": 0.5, "background_x": 0.5, "background_y": 0.5}


def draw_augmentations(
    photos: npt.NDArray[np.uint8], config: AugmentConfig, path: Path, background: float = 255.0, seed: int = 0
) -> None:
    """Draw what a configuration does to photos, as a PNG.

    Each row is one kind at a quarter, a half and the whole of its strength: to one end of its range on the first photo
    and to the other end on the second, regardless of its probability. The last rows are random draws, as training sees them.

    Args:
        photos: uint8 (N, S, S, 3), N at least 1, upright and square as the pipeline makes them.
        config: probabilities and strengths.
        path: the PNG.
        background: grey level 0..255 beyond the border.
        seed: seed of the random draws.

    Raises:
        DataError: there is no photo.
        DiskError: the file cannot be written.
    """
    if len(photos) == 0:
        raise DataError("There is no photo to draw augmentations of.")
    pair = np.stack([photos[0], photos[min(1, len(photos) - 1)]])
    per_photo = 1 + len(_LEVELS)
    rows = list(_STRENGTHS)
    size = (
        _LABEL_PX + 2 * per_photo * _TILE_PX + _GAP_PX,
        _HEADER_PX * 2 + (len(rows) + _MIXTURE_ROWS) * _TILE_PX,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    lefts = [_LABEL_PX + n * _TILE_PX + (_GAP_PX if n >= per_photo else 0) for n in range(2 * per_photo)]
    for left, title in zip(lefts, 2 * ["original", *(title for title, _ in _LEVELS)], strict=True):
        draw.text((left + 4, 4), title, fill="black", font=ImageFont.load_default(12))
    for row, kind in enumerate(rows):
        top = _HEADER_PX + row * _TILE_PX
        _write_label(draw, top, kind, _describe_kind(config, kind))
        shown = [pair] + [_show_kind(pair, config, kind, share, background) for _, share in _LEVELS]
        for number, left in enumerate(lefts):
            sheet.paste(_draw_tile(shown[number % per_photo][number // per_photo]), (left, top))
    top = _HEADER_PX * 2 + len(rows) * _TILE_PX
    draw.text((4, top - 18), "as training sees them", fill="black", font=ImageFont.load_default(12))
    count = _MIXTURE_ROWS * len(lefts)
    batch = tf.cast(np.resize(photos, (count, *photos.shape[1:])), tf.float32)
    sides = tf.fill((count,), -1)
    mixture = _to_uint8(augment_batch(batch, sides, tf.constant([seed, 0]), config, background)[0])
    for number, photo in enumerate(mixture):
        row, column = divmod(number, len(lefts))
        sheet.paste(_draw_tile(photo), (lefts[column], top + row * _TILE_PX))
    write_with(Path(path), lambda draft: sheet.save(draft, format="PNG"))


def _show_kind(
    pair: npt.NDArray[np.uint8], config: AugmentConfig, kind: str, share: float, background: float
) -> npt.NDArray[np.uint8]:
    """Return what one kind does; what is erased is outlined, since white on white could not be seen."""
    changed = _apply_kind(pair, config, kind, share, background)
    if kind != "erasing":
        return changed
    # Erased is what takes the colour of the background, whatever that is.
    dark, light = (_apply_kind(pair, config, kind, share, grey).astype(int) for grey in (0.0, 255.0))
    erased = (np.abs(light - dark) > 127).any(axis=-1)
    inside = erased.copy()
    for axis in (1, 2):
        inside &= np.roll(erased, 1, axis) & np.roll(erased, -1, axis)
    changed[erased & ~inside] = _OUTLINE
    return changed


def _apply_kind(
    pair: npt.NDArray[np.uint8], config: AugmentConfig, kind: str, share: float, background: float
) -> npt.NDArray[np.uint8]:
    strengths: dict[str, Any] = {name: share * getattr(config, name) for name in _STRENGTHS[kind]}
    # The grounds of a folder are shown too.
    strengths |= {f"{kind}_probability": 1.0, "background_folder": config.background_folder}
    alone = dataclasses.replace(NO_AUGMENTATION, **strengths)
    ends = [[0.0 if name in _STRENGTHS else _MIDDLE.get(name, 1.0) for name in DRAWS]]
    ends.append([1.0 if name in _UNSIGNED else _MIDDLE.get(name, 0.0) for name in DRAWS])
    changed, _ = augment_with_draws(tf.cast(pair, tf.float32), tf.fill((2,), -1), tf.constant(ends), alone, background)
    return _to_uint8(changed)


def _describe_kind(config: AugmentConfig, kind: str) -> list[str]:
    probability = getattr(config, f"{kind}_probability")
    lines = [f"probability {probability:g}" if probability else "off"]
    return lines + [
        f"{name.removeprefix(kind + '_').replace('_', ' ')} {getattr(config, name):g}" for name in _STRENGTHS[kind]
    ]


def _write_label(draw: ImageDraw.ImageDraw, top: int, kind: str, lines: list[str]) -> None:
    draw.text((4, top + 30), kind, fill="black", font=ImageFont.load_default(14))
    for number, line in enumerate(lines):
        draw.text((4, top + 50 + 15 * number), line, fill="#555555", font=ImageFont.load_default(11))


def _draw_tile(photo: npt.NDArray[np.uint8]) -> Image.Image:
    # A frame shows where a photo ends whose background is as white as the sheet.
    tile = Image.new("RGB", (_TILE_PX, _TILE_PX), "#999999")
    inner = (_TILE_PX - 2, _TILE_PX - 2)
    tile.paste(Image.fromarray(photo).resize(inner, Image.Resampling.LANCZOS), (1, 1))
    return tile


def _to_uint8(images: tf.Tensor) -> npt.NDArray[np.uint8]:
    return np.round(images.numpy()).astype(np.uint8)
