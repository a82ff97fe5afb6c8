"""The hand in a photo with a plain background: mask, pose, crop, and the altered photos of the shortcut audit.

Core TensorFlow operations only, so the same code runs in a tf.data map and inside an exported model. It works by colour:
a hand is warmer or darker than the background, whose colour is read at the border of the photo. Everything is found on a
copy of `WORKING_SIZE_PX`, so a mask costs the same for a thumbnail and for a 12-megapixel photo.
"""

from typing import NamedTuple

import tensorflow as tf

WORKING_SIZE_PX = 160
# The wrist is cut this many palm radii below the palm's centre: below the heel of every hand seen, above a watch.
WRIST_CUT_RADII = 1.35
# The square root of the hand's area, as a fraction of the crop: a spread hand of 11k Hands then still fits.
HAND_SIZE_FRACTION = 0.56
# A hand's outline is measured in so many cells along each side of its square.
OUTLINE_CELLS = 8
# A linear rule on the left half of the outline less its mirror image: positive where the thumb is on the right. Ridge regression
# on 1,400 photos of 700 made-up people (benchmarks/thumb_side.py); right for 98.1 % of 856 real photos.
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
_PI = 3.141592653589793


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


def segment_hand(images: tf.Tensor) -> tf.Tensor:
    """Return the mask of the hand, the bare wrist included and the sleeve not.

    Args:
        images: (B, H, W, 3), 0..255, any dtype; one hand on a plain background.

    Returns:
        (B, H, W, 1) float32, 0 or 1. A photo without a hand gives whatever stands out from its border, or nothing.
    """
    images = tf.cast(images, tf.float32)
    shape = tf.shape(images)
    mask = _segment_small(_resize_for_work(images))
    return tf.cast(tf.image.resize(mask, shape[1:3]) > 0.5, tf.float32)


def find_pose(mask: tf.Tensor) -> Pose:
    """Return where the hand of each mask lies, from its outline alone.

    Args:
        mask: (B, H, W, 1) float32 in 0..1, as `segment_hand` gives it; a small one, lest it take long.

    Returns:
        The pose in pixels of the mask. An empty mask gives the middle of the picture and a radius of one pixel.
    """
    mask = tf.cast(mask > 0.5, tf.float32)
    shape = tf.shape(mask)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    ys = tf.range(height)[tf.newaxis, :, tf.newaxis]
    xs = tf.range(width)[tf.newaxis, tf.newaxis, :]
    centre, radius = _find_palm(mask, ys, xs)
    flat = mask[..., 0]
    dy, dx = ys - _per_image(centre[:, 0]), xs - _per_image(centre[:, 1])
    distance = tf.sqrt(dy * dy + dx * dx + 1e-6)
    unit = _per_image(radius)

    # The arm leaves through the border that the mask touches longest, and the palm lies away from there; a mask that
    # touches no border points where most of it lies.
    sides = [tf.cast(at, tf.float32) for at in (ys < 1.0, ys > height - 2.0, xs < 1.0, xs > width - 2.0)]
    lengths = tf.stack([tf.reduce_sum(flat * side, [1, 2]) for side in sides], -1)
    longest = tf.one_hot(tf.argmax(lengths, -1), 4)
    contact = flat * sum(_per_image(longest[:, i]) * side for i, side in enumerate(sides))
    touches = tf.reduce_max(lengths, -1) > 2.0
    far = flat * tf.nn.relu(distance / unit - 1.2)
    from_arm = -_weighted_direction(contact, dy, dx)
    direction = _normalise(tf.where(touches[:, tf.newaxis], from_arm, _weighted_direction(far, dy, dx)))
    for _ in range(4):
        along, across = _rotate(dy, dx, direction)
        # A cone of ±50° holds four spread fingers and little of the thumb; the weight grows with the distance.
        cone = tf.cast(along > distance * 0.64, tf.float32) * tf.cast(distance > 1.25 * unit, tf.float32) * flat
        found = _weighted_direction(cone * distance, dy, dx)
        seen = tf.reduce_sum(cone, [1, 2]) > 4.0
        direction = tf.where(seen[:, tf.newaxis], _normalise(found), direction)

    along, across = _rotate(dy, dx, direction)
    hand = flat * tf.cast(along > -WRIST_CUT_RADII * unit, tf.float32)
    size = tf.sqrt(tf.maximum(tf.reduce_sum(hand, [1, 2]), 1.0))
    middle_along = (_masked_max(along, hand) - _masked_max(-along, hand)) / 2.0
    middle_across = (_masked_max(across, hand) - _masked_max(-across, hand)) / 2.0
    middle = centre + _unrotate(middle_along, middle_across, direction)

    return Pose(centre, radius, direction, size, middle)


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
    photo = tf.cast(photo, tf.float32)
    small = _resize_for_work(photo[tf.newaxis])
    mask = _segment_small(small)
    pose = find_pose(mask)
    small_shape, shape = tf.cast(tf.shape(small), tf.float32), tf.cast(tf.shape(photo), tf.float32)
    up = pose.direction[0] if canonical else tf.constant([-1.0, 0.0])
    sign = tf.constant(1.0)
    if canonical and mirror:
        sign = tf.where(score_thumb_side(measure_outline(mask, pose)) > 0, -1.0, 1.0)
    step, y, x = _lay_grid(pose, size_px, up, sign)

    # Shrink the photo to the resolution of the crop before sampling it, lest the crop alias.
    ratio = shape[:2] / small_shape[1:3]
    shrink = tf.minimum(1.0, 1.0 / (step * tf.reduce_max(ratio)))
    shrunk_px = tf.cast(tf.math.ceil(shape[:2] * shrink), tf.int32)
    shrunk = tf.image.resize(photo, shrunk_px, antialias=True)
    scale = tf.cast(shrunk_px, tf.float32) / small_shape[1:3]
    crop = _sample(shrunk, (y + 0.5) * scale[0] - 0.5, (x + 0.5) * scale[1] - 0.5, background)
    if not isolate:
        return crop
    kept = _cover(mask, pose, step, y, x)
    return crop * kept + background * (1.0 - kept)


def measure_outline(mask: tf.Tensor, pose: Pose) -> tf.Tensor:
    """Return how much of each cell of the upright hand's square is hand, as `crop_hand` lays the square.

    Args:
        mask: (1, H, W, 1) float32 in 0..1.
        pose: of this mask.

    Returns:
        (8, 8) float32, 0..1, fingers up.
    """
    step, y, x = _lay_grid(pose, 4 * OUTLINE_CELLS, pose.direction[0], tf.constant(1.0))
    cells = tf.reshape(_cover(mask, pose, step, y, x), (OUTLINE_CELLS, 4, OUTLINE_CELLS, 4))
    return tf.reduce_mean(cells, [1, 3])


def score_thumb_side(outline: tf.Tensor) -> tf.Tensor:
    """Return a score that is positive where the thumb is on the right; that of the mirror image is its negative.

    Args:
        outline: (8, 8) from `measure_outline`.
    """
    half = OUTLINE_CELLS // 2
    return tf.reduce_sum((outline[:, :half] - tf.reverse(outline, [1])[:, :half]) * tf.constant(THUMB_SIDE))


def keep_background(images: tf.Tensor, *, background: float = 255.0, margin_fraction: float = 0.04) -> tf.Tensor:
    """Paint the hand, the arm and the sleeve out, by a dilated mask of everything that stands out from the background.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.
        background: the value painted, 0..255.
        margin_fraction: how far the mask is grown, as a fraction of the longer side.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    images = tf.cast(images, tf.float32)
    small = _resize_for_work(images)
    mask = _fill_holes(tf.cast(_score_foreground(small)[0] > 0.0, tf.float32))
    steps = max(1, round(margin_fraction * WORKING_SIZE_PX))
    mask = _dilate(mask, steps)
    mask = tf.cast(tf.image.resize(mask, tf.shape(images)[1:3]) > 0.0, tf.float32)
    return images * (1.0 - mask) + background * mask


def keep_hand(images: tf.Tensor, *, background: float = 255.0) -> tf.Tensor:
    """Paint everything but the hand and the bare wrist.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.
        background: the value painted, 0..255.

    Returns:
        (B, H, W, 3) float32, 0..255, the hand where it was.
    """
    mask = segment_hand(images)
    return tf.cast(images, tf.float32) * mask + background * (1.0 - mask)


def keep_silhouette(images: tf.Tensor) -> tf.Tensor:
    """Return black hands on white: the outline and the position, without colour and texture.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.

    Returns:
        (B, H, W, 3) float32, 0 or 255.
    """
    return tf.repeat((1.0 - segment_hand(images)) * 255.0, 3, axis=-1)


def keep_grey(images: tf.Tensor) -> tf.Tensor:
    """Return the luminance in three equal channels.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    weights = tf.constant([0.2989, 0.5870, 0.1140])
    return tf.repeat(tf.reduce_sum(tf.cast(images, tf.float32) * weights, -1, keepdims=True), 3, axis=-1)


def cut_wrist(images: tf.Tensor, *, background: float = 255.0) -> tf.Tensor:
    """Paint the photo from the wrist down: arm, sleeve and watch go, hand and background stay.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.
        background: the value painted, 0..255.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    images = tf.cast(images, tf.float32)
    small = _resize_for_work(images)
    pose = find_pose(_segment_small(small))
    shape, small_shape = tf.cast(tf.shape(images), tf.float32), tf.cast(tf.shape(small), tf.float32)
    ys = (tf.range(shape[1]) + 0.5) * small_shape[1] / shape[1] - 0.5
    xs = (tf.range(shape[2]) + 0.5) * small_shape[2] / shape[2] - 0.5
    dy = ys[tf.newaxis, :, tf.newaxis] - _per_image(pose.centre[:, 0])
    dx = xs[tf.newaxis, tf.newaxis, :] - _per_image(pose.centre[:, 1])
    along, _ = _rotate(dy, dx, pose.direction)
    keep = tf.cast(along > -WRIST_CUT_RADII * _per_image(pose.radius), tf.float32)[..., tf.newaxis]
    return images * keep + background * (1.0 - keep)


def _lay_grid(pose: Pose, size_px: int, up: tf.Tensor, sign: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the crop's step and where its pixels lie, (S, S) y and x, all in pixels of the first pose's mask."""
    middle = pose.middle[0]
    step = pose.size[0] / (HAND_SIZE_FRACTION * size_px)
    grid = (tf.range(size_px, dtype=tf.float32) - (size_px - 1) / 2.0) * step
    along, across = -grid[:, tf.newaxis], grid[tf.newaxis, :] * sign
    return step, middle[0] + along * up[0] + across * up[1], middle[1] + along * up[1] - across * up[0]


def _cover(mask: tf.Tensor, pose: Pose, step: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return how much the hand above the wrist cut covers each point, (S, S, 1), 0..1, with soft edges."""
    centre, direction = pose.centre[0], pose.direction[0]
    kept = tf.clip_by_value((_sample(_smooth(mask)[0], y, x, 0.0) - 0.5) * 2.5 + 0.5, 0.0, 1.0)
    above = (y - centre[0]) * direction[0] + (x - centre[1]) * direction[1] + WRIST_CUT_RADII * pose.radius[0]
    return kept * tf.clip_by_value(above / step + 0.5, 0.0, 1.0)[..., tf.newaxis]


def _resize_for_work(images: tf.Tensor) -> tf.Tensor:
    """Bring the longer side to the working size, keeping the aspect ratio."""
    shape = tf.cast(tf.shape(images)[1:3], tf.float32)
    small_px = tf.cast(tf.round(shape * WORKING_SIZE_PX / tf.reduce_max(shape)), tf.int32)
    return tf.image.resize(images, tf.maximum(small_px, 8), antialias=True)


def _score_foreground(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return how far each pixel stands out from the background (positive: foreground), and its relative colour."""
    background = _border_colour(images)
    relative = tf.minimum(images / background, 1.15)
    lightness = tf.reduce_mean(relative, -1, keepdims=True)
    chroma = tf.reduce_max(relative, -1, keepdims=True) - tf.reduce_min(relative, -1, keepdims=True)
    # A shadow is grey and a little darker; skin is warm, cloth coloured or much darker; corners are tinted, but cold.
    warmth = relative[..., :1] - tf.reduce_mean(relative[..., 1:], -1, keepdims=True)
    score = warmth + 0.35 * tf.nn.relu(chroma - 0.1) + 0.8 * tf.nn.relu(0.6 - lightness)
    score /= lightness + 0.15
    return score - _otsu(score, 0.045, 0.10), relative


def _border_colour(images: tf.Tensor) -> tf.Tensor:
    """Return the median colour of the outermost pixels, (B, 1, 1, 3): an arm covers less than half of them."""
    batch = tf.shape(images)[0]
    sides = [images[:, :2], images[:, -2:]], [images[:, :, :2], images[:, :, -2:]]
    pixels = tf.concat([tf.reshape(side, (batch, -1, 3)) for pair in sides for side in pair], axis=1)
    ordered = tf.sort(pixels, axis=1)
    median = ordered[:, tf.shape(pixels)[1] // 2]
    return tf.maximum(median, 16.0)[:, tf.newaxis, tf.newaxis, :]


def _otsu(score: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return Otsu's threshold of each image's score, (B, 1, 1, 1), kept within the bounds."""
    thresholds = tf.linspace(low, high, 15)
    flat = tf.reshape(score, (tf.shape(score)[0], -1, 1))
    below = tf.cast(flat < thresholds, tf.float32)
    weight = tf.reduce_mean(below, 1)
    mean = tf.reduce_mean(flat, 1)
    mean_below = tf.reduce_mean(flat * below, 1)
    between = tf.square(mean * weight - mean_below) / tf.maximum(weight * (1.0 - weight), 1e-6)
    return tf.gather(thresholds, tf.argmax(between, axis=1))[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _segment_small(images: tf.Tensor) -> tf.Tensor:
    """Return the hand's mask of small images: what stands out, less the sleeve, with nails and rings."""
    score, relative = _score_foreground(images)
    foreground = tf.cast(score > 0.0, tf.float32)
    red, green, blue = tf.split(relative, 3, axis=-1)
    lightness = (red + green + blue) / 3.0
    warm = (red > 1.02 * blue) & (red > 1.0 * green) & (lightness > 0.12)
    skin = foreground * tf.cast(warm, tf.float32)
    # Two passes: the palm's own colour says what this person's skin is, and so what is sleeve.
    for tolerance in (0.55, 0.40):
        chroma = tf.concat(
            [tf.math.log((red + 0.05) / (green + 0.05)), tf.math.log((green + 0.05) / (blue + 0.05))], -1
        )
        core = _erode(skin, 4)
        weight = tf.reduce_sum(core, [1, 2], keepdims=True) + 1e-3
        typical = tf.reduce_sum(chroma * core, [1, 2], keepdims=True) / weight
        light = tf.reduce_sum(lightness * core, [1, 2], keepdims=True) / weight
        near = tf.reduce_sum(tf.abs(chroma - typical), -1, keepdims=True) < tolerance
        lit = lightness > 0.35 * light
        skin = foreground * tf.cast(near & lit & warm, tf.float32)
    closed = _erode(_dilate(skin, 2), 2)
    skin = _fill_holes(_largest_part(closed * foreground))
    # Dark or painted nails are foreground beyond the palm, at the fingers' side.
    pose = find_pose(skin)
    shape = tf.cast(tf.shape(images), tf.float32)
    dy = tf.range(shape[1])[tf.newaxis, :, tf.newaxis] - _per_image(pose.centre[:, 0])
    dx = tf.range(shape[2])[tf.newaxis, tf.newaxis, :] - _per_image(pose.centre[:, 1])
    along, _ = _rotate(dy, dx, pose.direction)
    beyond = tf.cast(along > 0.3 * _per_image(pose.radius), tf.float32)[..., tf.newaxis]
    hand = tf.maximum(skin, foreground * beyond)
    return _fill_holes(_grow(skin, hand))


def _dilate_along(mask: tf.Tensor, axis: int) -> tf.Tensor:
    """Return the maximum of each pixel and its two neighbours: slices are many times faster here than pooling."""
    padded = tf.pad(
        mask, [[0, 0], [1, 1], [0, 0], [0, 0]] if axis == 1 else [[0, 0], [0, 0], [1, 1], [0, 0]], "SYMMETRIC"
    )
    if axis == 1:
        return tf.maximum(mask, tf.maximum(padded[:, :-2], padded[:, 2:]))
    return tf.maximum(mask, tf.maximum(padded[:, :, :-2], padded[:, :, 2:]))


def _dilate(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    for _ in range(steps):
        mask = _dilate_along(_dilate_along(mask, 1), 2)
    return mask


def _erode_along(mask: tf.Tensor, axis: int) -> tf.Tensor:
    return 1.0 - _dilate_along(1.0 - mask, axis)


def _erode(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    return 1.0 - _dilate(1.0 - mask, steps)


def _smooth(mask: tf.Tensor) -> tf.Tensor:
    kernel = tf.reshape(tf.constant([1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]) / 16.0, (3, 3, 1, 1))
    return tf.nn.conv2d(mask, kernel, 1, "SAME")


def _grow(seed: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
    """Spread the seed to everything that it is connected with inside the mask."""
    seed = seed * within

    def changed(_: tf.Tensor, before: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(now > before)

    def spread(step: tf.Tensor, _: tf.Tensor, now: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        grown = now
        for _ in range(4):
            grown = _dilate(grown) * within
        return step + 1, now, grown

    state = (tf.constant(0), tf.zeros_like(seed) - 1.0, seed)
    return tf.while_loop(changed, spread, state, maximum_iterations=4 * WORKING_SIZE_PX)[2]


def _fill_holes(mask: tf.Tensor) -> tf.Tensor:
    """Fill what the border cannot reach from outside."""
    outside = tf.pad(1.0 - mask, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    frame = tf.pad(tf.zeros_like(mask), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    return 1.0 - _grow(frame, outside)[:, 1:-1, 1:-1]


def _largest_part(mask: tf.Tensor) -> tf.Tensor:
    """Keep what is connected with the mask's thickest place: the palm."""
    depth = _depth(mask)
    peak = tf.reduce_max(depth, [1, 2, 3], keepdims=True)
    return _grow(tf.cast((depth >= peak - 0.01) & (peak > 0.5), tf.float32), mask)


def _depth(mask: tf.Tensor) -> tf.Tensor:
    """Return each pixel's distance to the outside in pixels (octagonal); the picture's border is no outside."""

    def left(_: tf.Tensor, now: tf.Tensor, __: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(now > 0.0)

    def peel(step: tf.Tensor, now: tf.Tensor, depth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        cross = tf.minimum(_erode_along(now, 1), _erode_along(now, 2))
        square = _erode(cross)
        return step + 1, square, depth + cross + square

    return tf.while_loop(left, peel, (tf.constant(0), mask, mask), maximum_iterations=WORKING_SIZE_PX)[2]


def _find_palm(mask: tf.Tensor, ys: tf.Tensor, xs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the centre (B, 2) and radius (B,) of the largest inscribed circle."""
    depth = _depth(mask)[..., 0]
    radius = tf.reduce_max(depth, [1, 2])
    peak = tf.cast(depth >= _per_image(radius) - 0.5, tf.float32)
    count = tf.reduce_sum(peak, [1, 2])
    centre = tf.stack([tf.reduce_sum(peak * ys, [1, 2]) / count, tf.reduce_sum(peak * xs, [1, 2]) / count], -1)
    return centre, tf.maximum(radius, 1.0)


def _rotate(dy: tf.Tensor, dx: tf.Tensor, direction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the offsets along the direction and across it (positive: right when the direction points up)."""
    uy, ux = _per_image(direction[:, 0]), _per_image(direction[:, 1])
    return dy * uy + dx * ux, dy * ux - dx * uy


def _unrotate(along: tf.Tensor, across: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
    uy, ux = direction[:, 0], direction[:, 1]
    return tf.stack([along * uy + across * ux, along * ux - across * uy], -1)


def _weighted_direction(weight: tf.Tensor, dy: tf.Tensor, dx: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.reduce_sum(weight * dy, [1, 2]), tf.reduce_sum(weight * dx, [1, 2])], -1)


def _per_image(values: tf.Tensor) -> tf.Tensor:
    """Return one value per image, shaped to spread over its pixels."""
    return tf.reshape(values, (-1, 1, 1))


def _normalise(vector: tf.Tensor) -> tf.Tensor:
    # An empty mask has no direction; up is as good as any.
    vector += tf.constant([-1e-4, 0.0])
    return vector / tf.maximum(tf.norm(vector, axis=-1, keepdims=True), 1e-6)


def _masked_max(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    found = tf.reduce_max(tf.where(mask > 0.5, values, -1e6), [1, 2])
    return tf.where(found > -1e5, found, 0.0)


def _sample(image: tf.Tensor, y: tf.Tensor, x: tf.Tensor, outside: float) -> tf.Tensor:
    """Sample an image (H, W, C) bilinearly at fractional pixels; beyond the border comes the outside value."""
    shape = tf.shape(image)
    padded = tf.pad(image, [[1, 1], [1, 1], [0, 0]], constant_values=outside)
    y = tf.clip_by_value(y + 1.0, 0.0, tf.cast(shape[0], tf.float32) + 0.999)
    x = tf.clip_by_value(x + 1.0, 0.0, tf.cast(shape[1], tf.float32) + 0.999)
    y0, x0 = tf.floor(y), tf.floor(x)
    fy, fx = (y - y0)[..., tf.newaxis], (x - x0)[..., tf.newaxis]
    top, left = tf.cast(y0, tf.int32), tf.cast(x0, tf.int32)
    rows = tf.shape(padded)[1]
    flat = tf.reshape(padded, (-1, tf.shape(image)[2]))

    def pick(dy: int, dx: int) -> tf.Tensor:
        return tf.gather(flat, (top + dy) * rows + left + dx)

    upper = pick(0, 0) * (1.0 - fx) + pick(0, 1) * fx
    lower = pick(1, 0) * (1.0 - fx) + pick(1, 1) * fx
    return upper * (1.0 - fy) + lower * fy
