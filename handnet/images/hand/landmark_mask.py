"""The mask of a hand on any background: from its landmarks and a small network that knows the shapes of hands.

Every bone is a capsule, as thick as a finger or a palm usually is: what lies far outside of them is no hand. About the
pixels near them a network (`handnet.images.hand.mask_network`) decides, by colours, place and a first mask
(`handnet.images.hand.pixel_measures`). Core TensorFlow operations only.
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.capsules import enclose_landmarks, measure_distance, measure_rows
from handnet.images.hand.crop import cover_mask
from handnet.images.hand.guided_filter import guide_by_colors
from handnet.images.hand.mask_network import find_hand_pixels
from handnet.images.hand.mask_rule import NEVER, SIZE_PX
from handnet.images.hand.morphology import fill_holes, grow
from handnet.images.hand.pixel_measures import measure_pixels
from handnet.images.hand.regions import Regions, cut_regions, lay_points, to_regions
from handnet.images.hand.side_and_view import find_thumb_side
from handnet.images.traced_once import trace_once

# The border is moved to the picture's edges: within this many pixels, where the colours differ by more than the root of this; and
# what is hand by this share is hand (docs/measurements/front_end.md).
EDGE_RADIUS_PX, EDGE_SOFTNESS, LEAST_SHARE = 8, 3e-4, 0.4
# In palm widths below the wrist: from here on the bones alone do not say that there is hand.
OPEN_ABOVE_WRIST = -0.5


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
    # One graph for photos of any type.
    return _segment(tf.cast(photo, tf.float32), landmarks)


@trace_once
def _segment(photo: tf.Tensor, landmarks: tf.Tensor) -> PlacedMask:
    region = enclose_landmarks(landmarks[tf.newaxis])
    picture = cut_regions(photo, region, SIZE_PX)
    places = to_regions(landmarks[tf.newaxis], region)[0]
    distance = measure_distance(places, SIZE_PX)[tf.newaxis, ..., tf.newaxis]
    below = measure_rows(places, SIZE_PX)
    points, last = lay_points(region, SIZE_PX), tf.cast(tf.shape(photo)[:2], tf.float32) - 1.0
    inside = tf.cast(tf.reduce_all((points >= 0.0) & (points <= last), -1, keepdims=True), tf.float32)
    # A thumb on the right is shown in the mirror: the masks of one person's two views then have the same faults.
    thumb_right = find_thumb_side(landmarks[tf.newaxis])[0]
    mirror = lambda values: tf.where(thumb_right, tf.reverse(values, [2]), values)  # noqa: E731
    pixels = measure_pixels(picture, distance, below, inside)
    chance = tf.sigmoid(mirror(find_hand_pixels(mirror(pixels))))
    share = guide_by_colors(chance, picture, EDGE_RADIUS_PX, EDGE_SOFTNESS)
    mask = tf.cast((share > LEAST_SHARE) & (distance < NEVER), tf.float32)
    # What lies on the bones is hand; about the wrist even that is open, since a hand may be cut off above it.
    above = (below < OPEN_ABOVE_WRIST)[tf.newaxis, :, tf.newaxis, tf.newaxis]
    bones = tf.cast((distance < 0.4) & above, tf.float32)
    mask = grow(bones, tf.maximum(mask, bones))
    # A hole is a ring or a nail where the capsules cover it; between the fingers it is background.
    mask = tf.maximum(mask, fill_holes(mask) * tf.cast(distance < 1.0, tf.float32))
    return PlacedMask(mask * inside, region)


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
