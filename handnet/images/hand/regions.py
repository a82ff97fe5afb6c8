"""Turned squares in a photo: the square that holds a hand, and squares cut out of the photo.

Core TensorFlow operations only. Places are (y, x) in pixels of the photo; 0 is the centre of its first pixel.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.palms import MIDDLE_KNUCKLE, WRIST, Palms

# Side of the hand's square, divided by that of the palm's box; it is moved towards the fingers by half the box's height.
PALM_ENLARGEMENT, PALM_SHIFT = 2.6, 0.5
# Shown around the photo by repeating its outermost pixels, as a fraction of its longer side: a hand that reaches the border is
# found more often then.
MARGIN_FRACTION = 1.0 / 6.0
# The parts of a photo for a closer look: their side as a fraction of the longer one, and where their centres lie.
PART_FRACTION, PARTS_SHORT, PARTS_LONG = 0.55, (0.27, 0.73), (0.25, 0.5, 0.75)
UP = (-1.0, 0.0)
# Where points lie further apart than this in the photo, the photo is halved until they do not, against aliasing. Bilinear
# samples at up to twice the distance of the pixels find the landmarks as well as closer ones.
MAX_STEP_PX = 2.0
# Enough for photos of 24,000 pixels.
MAX_HALVINGS = 6


class Regions(NamedTuple):
    """Turned squares: fields (N, …) float32.

    Attributes:
        centre: (N, 2) as (y, x), in pixels.
        side: (N,) in pixels.
        direction: (N, 2) unit vector as (y, x) that points up in the square.
    """

    centre: tf.Tensor
    side: tf.Tensor
    direction: tf.Tensor


def lay_whole(shape: tf.Tensor) -> Regions:
    """Return the upright square around a photo with its margin, as N = 1; `shape` is its (height, width) as floats."""
    side = tf.reduce_max(shape) * (1.0 + 2.0 * MARGIN_FRACTION)
    return Regions(shape[tf.newaxis] / 2.0, side[tf.newaxis], tf.constant([UP]))


def lay_closer(shape: tf.Tensor) -> Regions:
    """Return squares for a closer look at a photo of (height, width): the whole without margin, turned, and its parts.

    Six overlapping parts, two along the shorter side and three along the longer one, show a hand at 2.4 times the size that
    it has in `lay_whole`. Turned by 90, 270 and 180 degrees, since the detector was trained on people who hold their hands
    up.
    """
    longer = tf.reduce_max(shape)
    parts = [(short, long) for short in PARTS_SHORT for long in PARTS_LONG]
    across = tf.constant([(0.5, 0.5)] * 4 + parts)
    centres = tf.where(shape[0] > shape[1], tf.reverse(across, [1]), across) * shape
    sides = [1.0] + [1.0 + 2.0 * MARGIN_FRACTION] * 3 + [PART_FRACTION] * len(parts)
    directions = [UP, (0.0, 1.0), (0.0, -1.0), (1.0, 0.0)] + [UP] * len(parts)
    return Regions(centres, longer * tf.constant(sides), tf.constant(directions))


def enclose_hands(palms: Palms, picture: Regions) -> Regions:
    """Return the square that holds each hand, turned so that its middle finger points up.

    Args:
        palms: (1, N, …), found in the square `picture`.
        picture: where that square lies in the photo.

    Returns:
        N squares.
    """
    box, points = palms.box[0], from_regions(palms.keypoints, picture)[0]
    size = (box[:, 2:] - box[:, :2]) * picture.side
    middle = from_regions((box[tf.newaxis, :, :2] + box[tf.newaxis, :, 2:]) / 2.0, picture)[0]
    direction = normalise(points[:, MIDDLE_KNUCKLE] - points[:, WRIST])
    return Regions(middle + PALM_SHIFT * size[:, :1] * direction, PALM_ENLARGEMENT * tf.reduce_max(size, -1), direction)


def cut_regions(photo: tf.Tensor, regions: Regions, size_px: int, margin_px: tf.Tensor | None = None) -> tf.Tensor:
    """Cut turned squares out of a photo, bilinearly; outside, its outermost pixels go on.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        regions: N squares in its pixels.
        size_px: side of the results.
        margin_px: scalar; further than this outside the photo, the squares are black. Without it they never are.

    Returns:
        (N, size_px, size_px, 3) float32, 0..1.
    """
    points = lay_points(regions, size_px)
    squares = sample_photo(photo, points, tf.reduce_min(regions.side) / size_px)
    if margin_px is None:
        return squares
    shape = tf.cast(tf.shape(photo)[:2], tf.float32)
    inside = tf.reduce_all((points > -1.0 - margin_px) & (points < shape + margin_px), -1, keepdims=True)
    return squares * tf.cast(inside, tf.float32)


def lay_points(regions: Regions, size_px: int) -> tf.Tensor:
    """Return where the pixels of N squares lie in the photo, (N, size_px, size_px, 2) as (y, x)."""
    steps = tf.range(size_px, dtype=tf.float32) / size_px
    return from_regions(tf.stack(tf.meshgrid(steps, steps, indexing="ij"), -1)[tf.newaxis], regions)


def sample_photo(photo: tf.Tensor, points: tf.Tensor, step_px: tf.Tensor) -> tf.Tensor:
    """Return a photo's values at any points, bilinearly; outside, its outermost pixels go on.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        points: (…, 2) as (y, x), in its pixels.
        step_px: scalar, the distance between neighbouring points; the photo is shrunk first where that is large.

    Returns:
        (…, 3) float32, 0..1.
    """
    small, scale = halve_photo(tf.cast(photo, tf.float32) / 255.0, lambda scale: step_px * scale > MAX_STEP_PX)
    return _sample(small, (points + 0.5) * scale - 0.5)


def halve_photo(photo: tf.Tensor, is_large: Callable[[tf.Tensor], tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Shrink a photo by half, again and again, by the mean of 2 x 2 pixels.

    Args:
        photo: (H, W, 3) float32.
        is_large: the scale so far, 1 or below -> whether the photo is still to be halved.

    Returns:
        The photo, and its scale: the place p of the photo is (p + 0.5) * scale - 0.5 in it.
    """
    photo, scale = tf.while_loop(
        lambda _, scale: is_large(scale),
        lambda photo, scale: (tf.nn.avg_pool2d(photo, 2, 2, "SAME"), scale / 2.0),
        (photo[tf.newaxis], tf.constant(1.0)),
        shape_invariants=(tf.TensorShape((1, None, None, photo.shape[-1])), tf.TensorShape(())),
        maximum_iterations=MAX_HALVINGS,
    )
    return photo[0], scale


def from_regions(points: tf.Tensor, regions: Regions) -> tf.Tensor:
    """Return where points of the squares lie in the photo.

    Args:
        points: (N, …, 2), or (1, …, 2) for the same points of all squares: (y, x) as fractions of the square.
        regions: N squares.

    Returns:
        (N, …, 2) as (y, x), in pixels of the photo.
    """
    shape = (-1, *[1] * (points.shape.rank - 2))
    down, across = points[..., 0] - 0.5, points[..., 1] - 0.5
    side = tf.reshape(regions.side, shape)
    up_y, up_x = (tf.reshape(regions.direction[:, axis], shape) for axis in range(2))
    y = tf.reshape(regions.centre[:, 0], shape) + side * (across * up_x - down * up_y)
    x = tf.reshape(regions.centre[:, 1], shape) - side * (across * up_y + down * up_x)
    return tf.stack([y, x], -1)


def to_regions(points: tf.Tensor, regions: Regions) -> tf.Tensor:
    """Return where points of the photo, (N, K, 2) in its pixels, lie in the squares, as fractions of them."""
    offset = (points - regions.centre[:, tf.newaxis]) / tf.maximum(regions.side, 1e-6)[:, tf.newaxis, tf.newaxis]
    up_y, up_x = regions.direction[:, :1], regions.direction[:, 1:]
    down = -offset[..., 0] * up_y - offset[..., 1] * up_x
    across = offset[..., 0] * up_x - offset[..., 1] * up_y
    return tf.stack([down, across], -1) + 0.5


def normalise(vectors: tf.Tensor) -> tf.Tensor:
    """Return vectors (…, 2) at length 1; one of length 0 becomes "up", (-1, 0)."""
    length = tf.norm(vectors, axis=-1, keepdims=True)
    return tf.where(length > 1e-6, vectors / tf.maximum(length, 1e-6), tf.constant(UP))


def _sample(photo: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Return the photo's values at points (…, 2), bilinearly, its border going on outside."""
    last = tf.shape(photo)[:2] - 1
    points = tf.clip_by_value(points, 0.0, tf.cast(last, tf.float32))
    corner = tf.cast(points, tf.int32)
    part = points - tf.cast(corner, tf.float32)
    y, x = corner[..., 0], corner[..., 1]
    below, right = tf.minimum(y + 1, last[0]), tf.minimum(x + 1, last[1])
    flat, width = tf.reshape(photo, (-1, 3)), last[1] + 1
    down, across = part[..., :1], part[..., 1:]
    upper = tf.gather(flat, y * width + x) * (1.0 - across) + tf.gather(flat, y * width + right) * across
    lower = tf.gather(flat, below * width + x) * (1.0 - across) + tf.gather(flat, below * width + right) * across
    return upper * (1.0 - down) + lower * down
