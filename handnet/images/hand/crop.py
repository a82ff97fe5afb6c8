"""The hand cut out of a photo: centred, brought to one size and, if asked, turned upright and to one side."""

import tensorflow as tf

from handnet.images.antialias import resize_antialiased
from handnet.images.hand.crop_rule import HAND_SIZE_FRACTION, WRIST_CUT_RADII
from handnet.images.hand.mask import resize_for_work, segment_with_depth
from handnet.images.hand.morphology import soften
from handnet.images.hand.pose import Pose, find_pose

# Cells along each side of the square in which a hand's outline is measured.
OUTLINE_CELLS = 8


# A linear rule on the left half of the outline less its mirror image: positive where the thumb is on the right. Ridge regression
# on 1,400 photos of 700 synthetic people (benchmarks/thumb_side.py); right for 98.1 % of 856 real photos.
THUMB_SIDE = (
    (0.00, 0.17, -0.00, -0.20),
    (0.01, 0.13, -1.19, -0.20),
    (0.15, 0.76, 1.16, 0.23),
    (0.01, 0.46, -0.14, -0.06),
    (0.01, -0.29, 0.09, 0.11),
    (-0.08, 0.04, 0.66, 0.02),
    (-0.07, 0.09, 0.20, -0.55),
    (-0.00, -0.41, 0.26, -0.12),
)


def crop_hand(
    photo: tf.Tensor,
    size_px: int,
    *,
    canonical: bool = False,
    mirror: bool = False,
    background: float = 255.0,
    isolate: bool = True,
) -> tf.Tensor:
    """Cut the hand out of a photo: centred, brought to one size, the rest neutral; optionally turned upright.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        size_px: side of the square result.
        canonical: turn the hand so that the fingers point up.
        mirror: with `canonical`, flip the hand where its outline says that the thumb is on the right (`THUMB_SIDE`). The
            outline of a right hand's back is the mirrored outline of its palm and, roughly, that of the left back: all four
            agree then.
        background: the neutral value, 0..255.
        isolate: paint all but the hand above the wrist cut with the background; without it the photo shows through.

    Returns:
        (size_px, size_px, 3) float32, 0..255.
    """
    mask, depth = segment_with_depth(resize_for_work(photo[tf.newaxis]))
    inside = mask > 0.5
    # With the type and shape that it has in `segment_with_depth`, so that the pose has one graph and not two.
    inside.set_shape((1, None, None, 1))
    pose = find_pose(inside, at_least=depth)
    up = pose.direction[0] if canonical else tf.constant([-1.0, 0.0])
    sign = tf.constant(1.0)
    if canonical and mirror:
        sign = tf.where(score_thumb_side(measure_outline(mask, pose)) > 0, -1.0, 1.0)
    return crop_masked(photo, mask, pose, size_px, up, sign, background=background, isolate=isolate)


def crop_masked(
    photo: tf.Tensor,
    mask: tf.Tensor,
    pose: Pose,
    size_px: int,
    up: tf.Tensor,
    sign: tf.Tensor,
    *,
    background: float,
    isolate: bool = True,
) -> tf.Tensor:
    """Cut a hand whose mask and pose are known out of a photo.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        mask: (1, h, w, 1) of the whole photo, shrunk.
        pose: of this mask, in its pixels.
        size_px: side of the square result.
        up: (2,) unit vector (y, x), what becomes the top of the crop.
        sign: scalar, -1 to mirror.
        background, isolate: as in `crop_hand`.

    Returns:
        (size_px, size_px, 3) float32, 0..255.
    """
    small_shape, shape = tf.cast(tf.shape(mask), tf.float32), tf.cast(tf.shape(photo), tf.float32)
    step, y, x = lay_grid(pose, size_px, up, sign)

    # Shrink the photo to the resolution of the crop before sampling it, so that the crop does not alias.
    ratio = shape[:2] / small_shape[1:3]
    shrink = tf.minimum(1.0, 1.0 / (step * tf.reduce_max(ratio)))
    shrunk_px = tf.cast(tf.math.ceil(shape[:2] * shrink), tf.int32)
    shrunk = tf.cond(
        tf.reduce_all(tf.equal(shrunk_px, tf.shape(photo)[:2])),
        lambda: tf.cast(photo, tf.float32),
        lambda: resize_antialiased(photo[tf.newaxis], shrunk_px)[0],
    )
    scale = tf.cast(shrunk_px, tf.float32) / small_shape[1:3]

    def take(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return _sample(shrunk, (y + 0.5) * scale[0] - 0.5, (x + 0.5) * scale[1] - 0.5, background)

    if not isolate:
        return tf.ensure_shape(take(y, x), (size_px, size_px, 3))
    # Two thirds of a crop are background, for which nothing need be taken from the photo.
    kept = tf.reshape(cover_hand(mask, pose, step, y, x), (-1,))
    places = tf.where(kept > 0.0)[:, 0]
    kept, y, x = (tf.gather(values, places) for values in (kept, tf.reshape(y, (-1,)), tf.reshape(x, (-1,))))
    kept = _spread(kept[:, tf.newaxis], 3)
    crop = take(y, x) * kept + background * (1.0 - kept)
    ground = tf.fill((size_px * size_px, 3), tf.constant(background, tf.float32))
    # What comes later lies on top.
    pixels = tf.dynamic_stitch([tf.range(size_px * size_px), tf.cast(places, tf.int32)], [ground, crop])
    return tf.reshape(pixels, (size_px, size_px, 3))


def measure_outline(mask: tf.Tensor, pose: Pose) -> tf.Tensor:
    """Return how much of each cell of the upright hand's square is hand, as `crop_hand` lays the square.

    Args:
        mask: (1, H, W, 1) float32 in 0..1.
        pose: of this mask.

    Returns:
        (8, 8) float32, 0..1, fingers up.
    """
    step, y, x = lay_grid(pose, 4 * OUTLINE_CELLS, pose.direction[0], tf.constant(1.0))
    cells = tf.reshape(cover_hand(mask, pose, step, y, x), (OUTLINE_CELLS, 4, OUTLINE_CELLS, 4))
    return tf.reduce_mean(cells, [1, 3])


def score_thumb_side(outline: tf.Tensor) -> tf.Tensor:
    """Return a score that is positive where the thumb is on the right; that of the mirror image is its negative.

    Args:
        outline: (8, 8) from `measure_outline`.
    """
    half = OUTLINE_CELLS // 2
    return tf.reduce_sum((outline[:, :half] - tf.reverse(outline, [1])[:, :half]) * tf.constant(THUMB_SIDE))


def lay_grid(pose: Pose, size_px: int, up: tf.Tensor, sign: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the crop's step and where its pixels lie, (S, S) y and x, all in pixels of the first pose's mask."""
    middle = pose.middle[0]
    step = pose.size[0] / (HAND_SIZE_FRACTION * size_px)
    grid = (tf.range(size_px, dtype=tf.float32) - (size_px - 1) / 2.0) * step
    along, across = -grid[:, tf.newaxis], grid[tf.newaxis, :] * sign
    return step, middle[0] + along * up[0] + across * up[1], middle[1] + along * up[1] - across * up[0]


def cover_hand(mask: tf.Tensor, pose: Pose, step: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return how much the hand above the wrist cut covers each point, (S, S, 1), 0..1, with soft edges."""
    centre, direction = pose.centre[0], pose.direction[0]
    above = (y - centre[0]) * direction[0] + (x - centre[1]) * direction[1] + WRIST_CUT_RADII * pose.radius[0]
    return cover_mask(mask, y, x) * tf.clip_by_value(above / step + 0.5, 0.0, 1.0)[..., tf.newaxis]


def cover_mask(mask: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return how much the first mask covers points (S, S) in its pixels, (S, S, 1), 0..1, with soft edges."""
    return tf.clip_by_value((_sample(soften(mask)[0], y, x, 0.0) - 0.5) * 2.5 + 0.5, 0.0, 1.0)


def _sample(image: tf.Tensor, y: tf.Tensor, x: tf.Tensor, outside: float) -> tf.Tensor:
    """Sample an image (H, W, C) bilinearly at fractional pixels (…); beyond the border comes the outside value."""
    shape = tf.shape(image)
    padded = tf.pad(image, [[1, 1], [1, 1], [0, 0]], constant_values=outside)
    y = tf.clip_by_value(y + 1.0, 0.0, tf.cast(shape[0], tf.float32) + 0.999)
    x = tf.clip_by_value(x + 1.0, 0.0, tf.cast(shape[1], tf.float32) + 0.999)
    y0, x0 = tf.floor(y), tf.floor(x)
    fy, fx = (y - y0)[..., tf.newaxis], (x - x0)[..., tf.newaxis]
    row_px = shape[1] + 2
    upper_left = tf.cast(y0, tf.int32) * row_px + tf.cast(x0, tf.int32)
    flat = tf.reshape(padded, (-1, shape[2]))
    if image.shape[-1] == 1:
        # Of one channel all four corners are picked at once.
        flat = flat[:, 0]
        last = tf.size(flat) - row_px - 1
        corners = [flat[begin : begin + last] for begin in (0, 1, row_px, row_px + 1)]
        picked = tf.split(tf.gather(tf.transpose(tf.stack(corners)), upper_left), 4, axis=-1)
    else:
        picked = [tf.gather(flat, upper_left + offset) for offset in (0, 1, row_px, row_px + 1)]
        fy, fx = (_spread(share, image.shape[-1]) for share in (fy, fx))
    upper = picked[0] * (1.0 - fx) + picked[1] * fx
    lower = picked[2] * (1.0 - fx) + picked[3] * fx
    return upper * (1.0 - fy) + lower * fy


def _spread(values: tf.Tensor, channels: int) -> tf.Tensor:
    """Repeat values (…, 1) for each channel, once: products that do it each time are four times slower."""
    return tf.tile(values, [1] * (values.shape.rank - 1) + [channels])
