"""The mask of a hand on any background: from its landmarks, then refined by the colours of this hand and this background.

Every bone is a capsule, as thick as a finger or a palm usually is. What lies well inside is hand, what lies well outside is not;
the colours of both, counted, decide about the rest, and the border is moved to the edges of the picture. Core TensorFlow
operations only.
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.capsules import enclose_landmarks, measure_distance
from handnet.images.hand.crop import cover_mask
from handnet.images.hand.guided_filter import guide_by_colors
from handnet.images.hand.hand_colors import compare_colors, measure_strangeness, number_colors
from handnet.images.hand.morphology import fill_holes, grow, smooth
from handnet.images.hand.regions import Regions, cut_regions, lay_points, to_regions

SIZE_PX = 144
# Distances from the bone in radii: surely hand, surely not, and no hand at all.
INSIDE, OUTSIDE, NEVER = 0.75, 1.5, 1.9
# What the place says against what the colour says, in nats for each radius.
PLACE_WEIGHT = 3.0
# Pixels whose colour is stranger to this hand than this, in squared deviations, lose so many nats for each above, up to a limit.
STRANGE, STRANGE_WEIGHT, STRANGE_LIMIT = 20.0, 0.15, 40.0
# At last the border is moved to the picture's edges: within this many pixels, where the colours differ by more than the root of
# this. By intersection over union with known masks on other grounds (docs/measurements/front_end.md) 0.92 became 0.95.
EDGE_RADIUS_PX, EDGE_SOFTNESS = 12, 3e-4


class PlacedMask(NamedTuple):
    """A mask in a turned square of the photo.

    Attributes:
        mask: (1, S, S, 1) float32, 0 or 1; 0 outside the photo.
        region: where the square lies, N = 1.
    """

    mask: tf.Tensor
    region: Regions


def segment_by_landmarks(photo: tf.Tensor, landmarks: tf.Tensor) -> PlacedMask:
    """Return the mask of one hand, from its landmarks and the colours around them.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        landmarks: (21, 2) as (y, x) in pixels of the photo.
    """
    region = enclose_landmarks(landmarks[tf.newaxis])
    picture = cut_regions(photo, region, SIZE_PX)
    distance = measure_distance(to_regions(landmarks[tf.newaxis], region)[0], SIZE_PX)[tf.newaxis, ..., tf.newaxis]
    place = PLACE_WEIGHT * (1.0 - distance)
    points, last = lay_points(region, SIZE_PX), tf.cast(tf.shape(photo)[:2], tf.float32) - 1.0
    inside = tf.reduce_all((points >= 0.0) & (points <= last), -1, keepdims=True)
    cells = number_colors(picture)
    hand, other = tf.cast(distance < INSIDE, tf.float32), tf.cast(distance > OUTSIDE, tf.float32)
    for _ in range(2):
        color = compare_colors(cells, hand, other)
        score = smooth(smooth(color)) + place
        mask = tf.cast((score > 0.0) & (distance < NEVER), tf.float32)
        # The second time the colours are counted on what the first has found.
        hand, other = mask * tf.cast(distance < 1.2, tf.float32), (1.0 - mask) * tf.cast(distance > 1.0, tf.float32)
    strangeness = measure_strangeness(picture, tf.cast(distance < 0.6, tf.float32) * tf.cast(inside, tf.float32))
    score -= STRANGE_WEIGHT * tf.clip_by_value(strangeness - STRANGE, 0.0, STRANGE_LIMIT)
    guided = guide_by_colors(tf.sigmoid(score), picture, EDGE_RADIUS_PX, EDGE_SOFTNESS)
    mask = tf.cast((guided > 0.5) & (distance < NEVER), tf.float32)
    bones = tf.cast(distance < 0.4, tf.float32)
    mask = grow(bones, tf.maximum(mask, bones))
    # A hole is a ring or a nail where the capsules cover it; between the fingers it is background.
    mask = tf.maximum(mask, fill_holes(mask) * tf.cast(distance < 1.0, tf.float32))
    return PlacedMask(mask * tf.cast(inside, tf.float32), region)


def cover_points(placed: PlacedMask, points: tf.Tensor) -> tf.Tensor:
    """Return how much a mask covers points (S, S, 2), as (y, x) in pixels of the photo: (S, S, 1), 0..1, with soft edges."""
    places = to_regions(tf.reshape(points, (1, -1, 2)), placed.region)[0] * float(placed.mask.shape[1])
    places = tf.reshape(places, points.shape)
    return cover_mask(placed.mask, places[..., 0], places[..., 1])


def lay_on_photo(placed: PlacedMask, shape: tf.Tensor, scale: tf.Tensor | float = 1.0) -> tf.Tensor:
    """Return a mask as it lies on the photo.

    Args:
        placed: a mask in its square.
        shape: int32 (2,), height and width of the result.
        scale: how many times as large the photo is in which the square lies.

    Returns:
        (H, W) bool.
    """
    y, x = (tf.range(shape[axis], dtype=tf.float32) for axis in range(2))
    points = (tf.stack(tf.meshgrid(y, x, indexing="ij"), -1) + 0.5) * scale - 0.5
    places = to_regions(tf.reshape(points, (1, -1, 2)), placed.region)[0]
    size_px = placed.mask.shape[1]
    # Beyond its own border the square says nothing, and there is no hand.
    inside = tf.reduce_all((places >= 0.0) & (places < 1.0), -1)
    pixels = tf.clip_by_value(tf.cast(tf.round(places * size_px), tf.int32), 0, size_px - 1)
    covered = tf.gather_nd(placed.mask[0, ..., 0], pixels) > 0.5
    return tf.reshape(covered & inside, shape[:2])
