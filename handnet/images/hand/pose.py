"""Where a hand lies in a photo and which way it points, from the outline of its mask."""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.crop_rule import WRIST_CUT_RADII
from handnet.images.hand.morphology import find_deepest
from handnet.images.traced_once import trace_once


class Pose(NamedTuple):
    """Where a hand lies in a photo: fields (B, …) float32, in pixels of the photo unless said otherwise.

    Attributes:
        centre: (B, 2) centre of the palm's largest inscribed circle, (y, x).
        radius: (B,) radius of that circle.
        direction: (B, 2) unit vector from the wrist to the fingers, (y, x).
        size: (B,) square root of the hand's area above the wrist cut.
        middle: (B, 2) centre of the hand's extent above the wrist cut, along and across the direction, as (y, x).
    """

    centre: tf.Tensor
    radius: tf.Tensor
    direction: tf.Tensor
    size: tf.Tensor
    middle: tf.Tensor


@trace_once
def find_pose(mask: tf.Tensor, start: tf.Tensor | None = None, at_least: tf.Tensor | None = None) -> Pose:
    """Return where the hand of each mask lies, from its outline.

    Args:
        mask: (B, H, W, 1), bool or float32 in 0..1, as `segment_hand` gives it; a small one, so that it is quick.
        start: (B, 2) unit vector (y, x) that points roughly to the fingers, where that is known; else it follows from
            where the arm leaves the picture.
        at_least: as `find_deepest` takes it.

    Returns:
        The pose in pixels of the mask. An empty mask gives the middle of the picture and a radius of one pixel.
    """
    inside = mask if mask.dtype == tf.bool else mask > 0.5
    shape = tf.shape(mask)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    ys = tf.range(height)[tf.newaxis, :, tf.newaxis]
    xs = tf.range(width)[tf.newaxis, tf.newaxis, :]
    centre, radius = _find_palm(inside, ys, xs, at_least)
    flat = tf.cast(inside[..., 0], tf.float32)
    dy, dx = ys - per_image(centre[:, 0]), xs - per_image(centre[:, 1])
    distance = tf.sqrt(dy * dy + dx * dx + 1e-6)
    unit = per_image(radius)

    direction = _find_start(flat, ys, xs, dy, dx, distance / unit) if start is None else start
    beyond_palm = flat * tf.cast(distance > 1.25 * unit, tf.float32)
    lever_y, lever_x = distance * dy, distance * dx
    for _ in range(4):
        along, _ = rotate(dy, dx, direction)
        # A cone of ±50° holds four spread fingers and little of the thumb; the weight grows with the distance.
        cone = tf.cast(along > distance * 0.64, tf.float32) * beyond_palm
        found = _weighted_direction(cone, lever_y, lever_x)
        seen = tf.reduce_sum(cone, [1, 2]) > 4.0
        direction = tf.where(seen[:, tf.newaxis], _normalise(found), direction)

    along, across = rotate(dy, dx, direction)
    hand = flat * tf.cast(along > -WRIST_CUT_RADII * unit, tf.float32)
    size = tf.sqrt(tf.maximum(tf.reduce_sum(hand, [1, 2]), 1.0))
    middle_along = (_masked_max(along, hand) - _masked_max(-along, hand)) / 2.0
    middle_across = (_masked_max(across, hand) - _masked_max(-across, hand)) / 2.0
    middle = centre + _unrotate(middle_along, middle_across, direction)

    return Pose(centre, radius, direction, size, middle)


def _find_start(
    flat: tf.Tensor, ys: tf.Tensor, xs: tf.Tensor, dy: tf.Tensor, dx: tf.Tensor, distance_radii: tf.Tensor
) -> tf.Tensor:
    """Return roughly where the fingers point, (B, 2), from where the arm leaves the picture."""
    # The arm leaves through the border that the mask touches longest, and the palm lies away from there; a mask that
    # touches no border points where most of it lies.
    lines = (flat[:, 0], flat[:, -1], flat[:, :, 0], flat[:, :, -1])
    lengths = tf.stack([tf.reduce_sum(line, 1) for line in lines], -1)
    longest = tf.one_hot(tf.argmax(lengths, -1), 4)
    sides = [
        tf.cast(at, tf.float32)
        for at in (ys < 1.0, ys > tf.reduce_max(ys) - 1.0, xs < 1.0, xs > tf.reduce_max(xs) - 1.0)
    ]
    contact = flat * sum(per_image(longest[:, i]) * side for i, side in enumerate(sides))
    touches = tf.reduce_max(lengths, -1) > 2.0
    far = flat * tf.nn.relu(distance_radii - 1.2)
    from_arm = -_weighted_direction(contact, dy, dx)
    return _normalise(tf.where(touches[:, tf.newaxis], from_arm, _weighted_direction(far, dy, dx)))


def _find_palm(
    mask: tf.Tensor, ys: tf.Tensor, xs: tf.Tensor, at_least: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the centre (B, 2) and radius (B,) of the largest inscribed circle."""
    radius, deepest = find_deepest(mask, at_least)
    peak = tf.cast(deepest, tf.float32)
    count = tf.reduce_sum(peak, [1, 2])
    centre = tf.stack([tf.reduce_sum(peak * ys, [1, 2]) / count, tf.reduce_sum(peak * xs, [1, 2]) / count], -1)
    return centre, tf.maximum(radius, 1.0)


def rotate(dy: tf.Tensor, dx: tf.Tensor, direction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the offsets along the direction and across it (positive: right when the direction points up)."""
    uy, ux = per_image(direction[:, 0]), per_image(direction[:, 1])
    return dy * uy + dx * ux, dy * ux - dx * uy


def _unrotate(along: tf.Tensor, across: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
    uy, ux = direction[:, 0], direction[:, 1]
    return tf.stack([along * uy + across * ux, along * ux - across * uy], -1)


def _weighted_direction(weight: tf.Tensor, dy: tf.Tensor, dx: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.reduce_sum(weight * dy, [1, 2]), tf.reduce_sum(weight * dx, [1, 2])], -1)


def per_image(values: tf.Tensor) -> tf.Tensor:
    """Return one value per image, shaped to spread over its pixels."""
    return tf.reshape(values, (-1, 1, 1))


def _normalise(vector: tf.Tensor) -> tf.Tensor:
    # An empty mask has no direction; up is as good as any.
    vector += tf.constant([-1e-4, 0.0])
    return vector / tf.maximum(tf.norm(vector, axis=-1, keepdims=True), 1e-6)


def _masked_max(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    found = tf.reduce_max(tf.where(mask > 0.5, values, -1e6), [1, 2])
    return tf.where(found > -1e5, found, 0.0)
