"""The hand in a photo with a plain background, found by colour: a mask of the hand without its sleeve.

Core TensorFlow operations only, so the same code runs in a tf.data map and inside an exported model. It works by colour:
a hand is warmer or darker than the background, whose colour is read at the border of the photo. Everything is found on a
copy of `WORKING_SIZE_PX`, so a mask costs the same for a thumbnail and for a 12-megapixel photo.
"""

import tensorflow as tf

from handnet.images.antialias import resize_antialiased
from handnet.images.hand.morphology import WORKING_SIZE_PX, close, erode, fill_holes, find_deepest, grow
from handnet.images.hand.pose import find_pose, per_image, rotate
from handnet.images.traced_once import trace_once

# Mean of the three colours, 0..255. In 40 photos of 11k Hands the darkest hand has a mean of 97.
_DARKEST_SKIN = 24.0
# At the working size: somewhere in a palm all pixels this far around, in either direction, are skin.
_PALM_DEPTH_PX = 4


def segment_hand(images: tf.Tensor) -> tf.Tensor:
    """Return the mask of the hand, the bare wrist included and the sleeve not.

    Args:
        images: (B, H, W, 3), 0..255, any dtype; one hand on a plain background.

    Returns:
        (B, H, W, 1) float32, 0 or 1. A photo without a hand gives what stands out from its border, or nothing.
    """
    images = tf.cast(images, tf.float32)
    shape = tf.shape(images)
    mask = segment_small(resize_for_work(images))
    return tf.cast(tf.image.resize(mask, shape[1:3]) > 0.5, tf.float32)


def resize_for_work(images: tf.Tensor) -> tf.Tensor:
    """Bring the longer side to the working size, keeping the aspect ratio."""
    shape = tf.cast(tf.shape(images)[1:3], tf.float32)
    small_px = tf.cast(tf.round(shape * WORKING_SIZE_PX / tf.reduce_max(shape)), tf.int32)
    return resize_antialiased(images, tf.maximum(small_px, 8))


def score_foreground(images: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Say how far the pixels of images (B, H, W, 3) stand out from the background.

    Returns:
        (B, H, W, 1), positive: foreground; and red, green and blue of each pixel as fractions of the background's,
        (B, H, W, 1) each.
    """
    # Each channel on its own: TensorFlow is ten times slower along an axis of three.
    red, green, blue = (
        tf.minimum(channel / background, 1.15)
        for channel, background in zip(tf.split(images, 3, axis=-1), _find_border_colour(images), strict=True)
    )
    lightness = (red + green + blue) / 3.0
    chroma = tf.maximum(tf.maximum(red, green), blue) - tf.minimum(tf.minimum(red, green), blue)
    # A shadow is grey and a little darker; skin is warm, cloth coloured or much darker; corners are tinted, but cold.
    warmth = red - (green + blue) / 2.0
    score = warmth + 0.35 * tf.nn.relu(chroma - 0.1) + 0.8 * tf.nn.relu(0.6 - lightness)
    score /= lightness + 0.15
    return score - _otsu(score, 0.045, 0.10), (red, green, blue)


def _find_border_colour(images: tf.Tensor) -> list[tf.Tensor]:
    """Return the median of the outermost pixels, (B, 1, 1, 1) of each channel: an arm covers less than half of them."""
    batch = tf.shape(images)[0]
    sides = [images[:, :2], images[:, -2:]], [images[:, :, :2], images[:, :, -2:]]
    pixels = tf.concat([tf.reshape(side, (batch, -1, 3)) for pair in sides for side in pair], axis=1)
    middle = tf.shape(pixels)[1] // 2
    medians = [tf.raw_ops.NthElement(input=channel[..., 0], n=middle) for channel in tf.split(pixels, 3, axis=-1)]
    return [tf.maximum(median, 16.0)[:, tf.newaxis, tf.newaxis, tf.newaxis] for median in medians]


def _otsu(score: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return Otsu's threshold of each image's score, (B, 1, 1, 1), kept within the bounds."""
    thresholds = tf.linspace(low, high, 15)
    batch = tf.shape(score)[0]
    flat = tf.reshape(score, (batch, -1))
    # Thresholds tell only those few pixels apart that lie between them.
    is_low = flat < thresholds[0]
    places = tf.where((flat < thresholds[-1]) & ~is_low)
    values = tf.gather_nd(flat, places)
    image = tf.one_hot(places[:, 0], batch)
    below = tf.cast(values < thresholds[:, tf.newaxis], tf.float32)
    counts = tf.matmul(below, image) + tf.reduce_sum(tf.cast(is_low, tf.float32), -1)
    sums = tf.matmul(below, image * values[:, tf.newaxis]) + tf.reduce_sum(tf.where(is_low, flat, 0.0), -1)
    count = tf.cast(tf.shape(flat)[1], tf.float32)
    weight, mean_below = counts / count, sums / count
    between = tf.square(tf.reduce_mean(flat, -1) * weight - mean_below) / tf.maximum(weight * (1.0 - weight), 1e-6)
    return tf.gather(thresholds, tf.argmax(between, axis=0))[:, tf.newaxis, tf.newaxis, tf.newaxis]


def segment_small(images: tf.Tensor) -> tf.Tensor:
    """Return the hand's mask of small images: what stands out, less the sleeve, with nails and rings."""
    return segment_with_depth(images)[0]


@trace_once
def segment_with_depth(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what `segment_small` does, and a depth (B,) that each mask has at least: `find_pose` is quicker with it."""
    score, (red, green, blue) = score_foreground(images)
    foreground = score > 0.0
    lightness = (red + green + blue) / 3.0
    warm = (red > 1.02 * blue) & (red > 1.0 * green) & (lightness > 0.12)
    # In a black photo the noise is warm in places.
    warm &= tf.add_n(tf.split(images, 3, axis=-1)) / 3.0 > _DARKEST_SKIN
    warmer, greener = tf.math.log((red + 0.05) / (green + 0.05)), tf.math.log((green + 0.05) / (blue + 0.05))

    def match(core: tf.Tensor, tolerance: float) -> tf.Tensor:
        weights = tf.cast(core, tf.float32)
        weight = tf.reduce_sum(weights, [1, 2], keepdims=True) + 1e-3
        typical_warmer, typical_greener, light = (
            tf.reduce_sum(values * weights, [1, 2], keepdims=True) / weight for values in (warmer, greener, lightness)
        )
        near = tf.abs(warmer - typical_warmer) + tf.abs(greener - typical_greener) < tolerance
        return foreground & near & (lightness > 0.35 * light) & warm

    core = erode(foreground & warm, _PALM_DEPTH_PX)
    # A palm is solid; what stands out from noise, of any colours, is not.
    is_solid = tf.reduce_any(core, [1, 2, 3], keepdims=True)
    # Two passes: the palm's own colour says what this person's skin is, and so what is sleeve.
    skin = match(erode(match(core, 0.55), _PALM_DEPTH_PX), 0.40)
    part, depth = _largest_part(close(skin, 2) & foreground & is_solid)
    skin = fill_holes(part)
    # Dark or painted nails are foreground beyond the palm, at the fingers' side.
    pose = find_pose(skin, at_least=depth)
    shape = tf.cast(tf.shape(images), tf.float32)
    dy = tf.range(shape[1])[tf.newaxis, :, tf.newaxis] - per_image(pose.centre[:, 0])
    dx = tf.range(shape[2])[tf.newaxis, tf.newaxis, :] - per_image(pose.centre[:, 1])
    along, _ = rotate(dy, dx, pose.direction)
    beyond = (along > 0.3 * per_image(pose.radius))[..., tf.newaxis]
    whole = fill_holes(grow(skin, skin | (foreground & beyond)))
    return tf.cast(whole, tf.float32), pose.radius


def _largest_part(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep what is connected with the mask's thickest place, the palm; and return how deep that is, (B,)."""
    depth, deepest = find_deepest(mask)
    return grow(deepest[..., tf.newaxis], mask), depth
