"""Augmentation of a batch of photos, each photo with its own draw, by stateless TensorFlow operations.

The order is: mirror, zoom, rotation and shift in one resampling; erasing; another ground; saturation, hue, greyscale,
brightness and contrast in one colour matrix; blur; and one clipping to 0..255 at the end.
"""

import math

import numpy as np
import tensorflow as tf

from handnet.config.augmentation import AugmentConfig
from handnet.images.backgrounds import collect_grounds, lay_on_grounds

# A photo's row of uniform numbers, one column for each name, drawn whether or not it is used: turning one kind off or
# changing its strength changes nothing else of the same seed.
DRAWS = (
    "rotation", "rotation_angle", "translation", "translation_x", "translation_y", "zoom", "zoom_factor",
    "brightness", "brightness_factor", "contrast", "contrast_factor", "color", "color_hue", "color_saturation",
    "grayscale", "blur", "blur_sigma", "erasing", "erasing_area", "erasing_aspect", "erasing_x", "erasing_y", "flip",
    "background", "background_ground", "background_y", "background_x", "background_turn",
)  # fmt: skip
# The columns that were added later are drawn by themselves: the others stay what they were for the same seed.
NUM_FIRST_DRAWS = 23
LUMINANCE = (0.299, 0.587, 0.114)
_MAX_ERASING_ASPECT = 3.0

# ITU-R BT.601 luminance Y and the NTSC chroma plane I, Q: hue is an angle in that plane and saturation a radius.
_RGB_TO_YIQ = np.array([LUMINANCE, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)
_GRAY = _YIQ_TO_RGB @ np.diag([1.0, 0.0, 0.0]) @ _RGB_TO_YIQ
_CHROMA = np.eye(3) - _GRAY
_CHROMA_TURNED = _YIQ_TO_RGB @ np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ _RGB_TO_YIQ


def augment_batch(
    images: tf.Tensor,
    sides: tf.Tensor,
    seed: tf.Tensor,
    config: AugmentConfig,
    background: float = 255.0,
    part: tuple[int, int] | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Change each photo of a batch at random; the same seed gives the same photos.

    Args:
        images: float32 (B, H, W, 3), RGB, 0..255.
        sides: int32 (B,), 0 left, 1 right, anything else unknown: the order of `handnet.data.example.SIDES`.
        seed: int32 (2,), another one for each batch.
        config: probabilities and strengths.
        background: grey level 0..255 that is shown beyond the photo's border and where it is erased.
        part: (place of the first photo in its batch, photos in the whole batch) where `images` are a part of a batch: they
            change as they would within it. None: they are all.

    Returns:
        Images as given, 0..255, and sides, where those of mirrored photos are swapped.
    """
    here, later = tf.shape(images)[0], seed + tf.constant([1 << 30, 0], seed.dtype)
    begin, count = part or (0, here)
    first = tf.random.stateless_uniform((count, NUM_FIRST_DRAWS), seed, alg="philox")
    rest = tf.random.stateless_uniform((count, len(DRAWS) - NUM_FIRST_DRAWS), later, alg="philox")
    uniforms = tf.concat([first, rest], axis=1)
    return augment_with_draws(images, sides, uniforms[begin : begin + here], config, background)


def augment_with_draws(
    images: tf.Tensor, sides: tf.Tensor, uniforms: tf.Tensor, config: AugmentConfig, background: float = 255.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Change each photo of a batch as its row of uniform numbers says; `augment_batch` draws them.

    Args:
        images: float32 (B, H, W, 3), RGB, 0..255.
        sides: int32 (B,), 0 left, 1 right, anything else unknown.
        uniforms: float32 (B, 28), 0..1, columns in the order of DRAWS. A kind happens where its number is below its
            probability; an amount runs from the least at 0 to the most at 1, and its middle, no change, is 0.5.
        config: probabilities and strengths.
        background: grey level 0..255 beyond the border and where a photo is erased.

    Returns:
        Images as given, 0..255, and sides, where those of mirrored photos are swapped.
    """
    draws = dict(zip(DRAWS, tf.unstack(uniforms, axis=1), strict=True))
    mirrored = draws["flip"] < config.flip_probability
    geometric = (
        config.rotation_probability, config.translation_probability, config.zoom_probability, config.flip_probability,
    )  # fmt: skip
    colored = (
        config.brightness_probability, config.contrast_probability, config.color_probability,
        config.grayscale_probability,
    )  # fmt: skip
    if any(geometric):
        images = _warp(images, mirrored, draws, config, background)
    # Before the colours change, so that what is erased changes with the background around it.
    if config.erasing_probability:
        images = _erase(images, draws, config, background)
    if config.background_probability:
        places = tuple(draws[f"background_{name}"] for name in ("ground", "y", "x", "turn"))
        grounds = collect_grounds(config.background_folder, max(images.shape[1:3]))
        images = lay_on_grounds(images, draws["background"] < config.background_probability, places, grounds)
    if any(colored):
        images = _recolor(images, draws, config)
    if config.blur_probability:
        images = _blur(images, draws, config)
    known = (sides == 0) | (sides == 1)
    return tf.clip_by_value(images, 0.0, 255.0), tf.where(mirrored & known, 1 - sides, sides)


def _signed(draws: dict[str, tf.Tensor], kind: str, amount: str, probability: float, limit: float) -> tf.Tensor:
    """Return amounts between -limit and limit, 0 where the kind does not happen."""
    return tf.where(draws[kind] < probability, (2.0 * draws[f"{kind}_{amount}"] - 1.0) * limit, 0.0)


def _warp(
    images: tf.Tensor, mirrored: tf.Tensor, draws: dict[str, tf.Tensor], config: AugmentConfig, background: float
) -> tf.Tensor:
    shape = tf.shape(images)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    angle = _signed(draws, "rotation", "angle", config.rotation_probability, math.radians(config.rotation_degrees))
    right = width * _signed(draws, "translation", "x", config.translation_probability, config.translation_fraction)
    down = height * _signed(draws, "translation", "y", config.translation_probability, config.translation_fraction)
    zoom = tf.exp(_signed(draws, "zoom", "factor", config.zoom_probability, math.log1p(config.zoom_fraction)))
    sign = tf.where(mirrored, -1.0, 1.0)
    # From a pixel of the result back to one of the photo, about the middle; a positive angle turns counter-clockwise.
    center_x, center_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    cosine, sine = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    x_x, x_y, y_x, y_y = sign * cosine, -sign * sine, sine, cosine
    x_0 = center_x - x_x * (center_x + right) - x_y * (center_y + down)
    y_0 = center_y - y_x * (center_x + right) - y_y * (center_y + down)
    zero = tf.zeros_like(x_0)
    # One resampling for all, since each one blurs.
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([x_x, x_y, x_0, y_x, y_y, y_0, zero, zero], axis=1),
        output_shape=shape[1:3],
        fill_value=background,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _erase(images: tf.Tensor, draws: dict[str, tf.Tensor], config: AugmentConfig, background: float) -> tf.Tensor:
    shape = tf.shape(images)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    happens = draws["erasing"] < config.erasing_probability
    area = draws["erasing_area"] * config.erasing_fraction * height * width
    aspect = tf.exp((2.0 * draws["erasing_aspect"] - 1.0) * math.log(_MAX_ERASING_ASPECT))
    tall = tf.minimum(tf.sqrt(area * aspect), height)
    wide = tf.minimum(tf.sqrt(area / aspect), width)
    top, left = draws["erasing_y"] * (height - tall), draws["erasing_x"] * (width - wide)
    y = tf.range(height)[None, :, None] + 0.5
    # Rows are taken as lines of 3 W numbers: a mask that is broadcast over the channels is eight times slower.
    x = tf.repeat(tf.range(width), 3)[None, None, :] + 0.5
    rows = (y >= top[:, None, None]) & (y < (top + tall)[:, None, None]) & happens[:, None, None]
    columns = (x >= left[:, None, None]) & (x < (left + wide)[:, None, None])
    lines = tf.reshape(images, (shape[0], shape[1], shape[2] * 3))
    return tf.reshape(tf.where(rows & columns, background, lines), shape)


def _recolor(images: tf.Tensor, draws: dict[str, tf.Tensor], config: AugmentConfig) -> tf.Tensor:
    shape = tf.shape(images)
    hue = _signed(draws, "color", "hue", config.color_probability, math.radians(config.hue_degrees))
    saturation = 1.0 + _signed(draws, "color", "saturation", config.color_probability, config.saturation_fraction)
    saturation = tf.where(draws["grayscale"] < config.grayscale_probability, 0.0, saturation)
    brightness = 1.0 + _signed(draws, "brightness", "factor", config.brightness_probability, config.brightness_fraction)
    contrast = 1.0 + _signed(draws, "contrast", "factor", config.contrast_probability, config.contrast_fraction)
    matrix = (
        tf.constant(_GRAY, tf.float32)
        + (saturation * tf.cos(hue))[:, None, None] * tf.constant(_CHROMA, tf.float32)
        + (saturation * tf.sin(hue))[:, None, None] * tf.constant(_CHROMA_TURNED, tf.float32)
    )
    # Neither hue nor saturation moves the mean grey, about which the contrast changes.
    mean = tf.reduce_sum(tf.reduce_mean(images, axis=(1, 2)) * tf.constant(LUMINANCE), axis=1)
    pixels = tf.reshape(images, (shape[0], -1, 3))
    pixels = tf.matmul(pixels, (brightness * contrast)[:, None, None] * matrix, transpose_b=True)
    return tf.reshape(pixels, shape) + ((1.0 - contrast) * brightness * mean)[:, None, None, None]


def _blur(images: tf.Tensor, draws: dict[str, tf.Tensor], config: AugmentConfig) -> tf.Tensor:
    """Blur the photos that are drawn by two matrix products: only these pay for it, each with its own width."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    indices = tf.where(draws["blur"] < config.blur_probability)
    long_side = tf.cast(tf.maximum(height, width), tf.float32)
    sigma = tf.gather_nd(draws["blur_sigma"], indices) * config.blur_sigma_fraction * long_side
    chosen = tf.gather_nd(images, indices)
    down = tf.matmul(_gaussian_matrix(height, sigma), tf.reshape(chosen, (-1, height, width * 3)))
    down = tf.reshape(down, (-1, height, width, 3))
    across = tf.einsum("bij,bhjc->bhic", _gaussian_matrix(width, sigma), down)
    return tf.tensor_scatter_nd_update(images, indices, across)


def _gaussian_matrix(size: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Return (B, size, size) whose rows weigh a line's pixels; a row sums to 1 at the border too."""
    position = tf.cast(tf.range(size), tf.float32)
    squared = tf.square(position[:, None] - position[None])
    weights = tf.exp(-squared / (2.0 * tf.square(tf.maximum(sigma, 1e-3)))[:, None, None])
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def augment(
    images: tf.Tensor, seed: tf.Tensor, config: AugmentConfig, background: float, part: tuple[int, int] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment a uint8 batch (B, S, S, 3) by a stateless seed; return it as uint8 and which photos were mirrored, bool (B,).

    See `augment_batch` for the arguments.
    """
    left = tf.zeros((tf.shape(images)[0],), tf.int32)
    changed, sides = augment_batch(tf.cast(images, tf.float32), left, seed, config, background, part)
    return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8), sides == 1
