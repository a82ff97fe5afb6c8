"""The mask of a hand on any background: from its landmarks, then refined by the colours of this hand and this background.

Every bone is a capsule, as thick as a finger or a palm usually is. What lies well inside is hand, what lies well outside is not;
the colours of both, counted, decide about the rest, and the border is moved to the edges of the picture. Core TensorFlow
operations only.
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.crop import cover_mask
from handnet.images.hand.guided_filter import guide_by_colors, invert_symmetric
from handnet.images.hand.morphology import fill_holes, grow, smooth
from handnet.images.hand.regions import Regions, cut_regions, lay_points, normalise, to_regions

SIZE_PX = 144
# Side of the square around the landmarks, divided by their reach.
ENLARGEMENT = 1.35
# Pairs of landmarks and the radius of the capsule between them, as a fraction of the palm's width, from the knuckle of the
# index finger to that of the little finger.
BONES = (
    *((0, knuckle, 0.26) for knuckle in (5, 9, 13, 17)),
    (5, 17, 0.20),
    (0, 1, 0.27),
    (1, 2, 0.24),
    (1, 5, 0.26),
    (2, 5, 0.16),
    (2, 3, 0.19),
    (3, 4, 0.165),
    *((first, first + 1, 0.165) for first in (5, 9, 13)),
    *((first, first + 1, 0.155) for first in (6, 10, 14)),
    *((first, first + 1, 0.145) for first in (7, 11, 15)),
    *((first, first + 1, radius) for first, radius in ((17, 0.15), (18, 0.135), (19, 0.125))),
)
# Distances from the bone in radii: surely hand, surely not, and no hand at all.
INSIDE, OUTSIDE, NEVER = 0.75, 1.5, 1.9
# What the place says against what the colour says, in nats for each radius.
PLACE_WEIGHT = 3.0
COLOR_LIMIT = 2.5
COLOR_CELLS = 16
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


def enclose_landmarks(landmarks: tf.Tensor) -> Regions:
    """Return the squares around landmarks (N, 21, 2), fingers up, with a margin."""
    direction = normalise(landmarks[:, 9] - landmarks[:, 0])
    across = tf.stack([direction[:, 1], -direction[:, 0]], -1)
    axes = tf.stack([direction, across], 1)
    places = tf.einsum("nkc,nac->nka", landmarks, axes)
    low, high = tf.reduce_min(places, 1), tf.reduce_max(places, 1)
    centre = tf.einsum("na,nac->nc", (low + high) / 2.0, axes)
    return Regions(centre, ENLARGEMENT * tf.maximum(tf.reduce_max(high - low, -1), 1.0), direction)


def measure_distance(landmarks: tf.Tensor, size_px: int) -> tf.Tensor:
    """Return each pixel's distance to the nearest bone, in that bone's radii.

    Args:
        landmarks: (21, 2) as (y, x), fractions of the square.
        size_px: side of the square.

    Returns:
        (size_px, size_px) float32; below 1 lies what the capsules cover.
    """
    steps = tf.range(size_px, dtype=tf.float32) / size_px
    y, x = steps[:, tf.newaxis, tf.newaxis], steps[tf.newaxis, :, tf.newaxis]
    start = tf.gather(landmarks, [bone[0] for bone in BONES])
    along = tf.gather(landmarks, [bone[1] for bone in BONES]) - start
    length = tf.maximum(tf.reduce_sum(along * along, -1), 1e-9)
    dy, dx = y - start[:, 0], x - start[:, 1]
    part = tf.clip_by_value((dy * along[:, 0] + dx * along[:, 1]) / length, 0.0, 1.0)
    distance = tf.sqrt(tf.square(dy - part * along[:, 0]) + tf.square(dx - part * along[:, 1]) + 1e-12)
    return tf.reduce_min(distance / (measure_palm_width(landmarks) * [bone[2] for bone in BONES]), -1)


def measure_palm_width(landmarks: tf.Tensor) -> tf.Tensor:
    """Return the palm's width for landmarks (21, 2), in their unit, of a hand seen from the side too."""
    width = tf.norm(landmarks[5] - landmarks[17])
    # A palm is about 1.45 times as long, from wrist to middle knuckle, as it is wide.
    return tf.maximum(tf.maximum(width, tf.norm(landmarks[9] - landmarks[0]) / 1.45), 1e-3)


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
    cells = _number_colors(picture)
    hand, other = tf.cast(distance < INSIDE, tf.float32), tf.cast(distance > OUTSIDE, tf.float32)
    for _ in range(2):
        color = _compare_colors(cells, hand, other)
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


def measure_strangeness(picture: tf.Tensor, core: tf.Tensor) -> tf.Tensor:
    """Return how far each pixel's colour is from those of the hand, in squared deviations.

    The colours of the hand are a normal distribution of lightness and two ratios of channels, in logarithms, fitted to its core
    twice: the second time without what is strange itself, e.g. rings.

    Args:
        picture: (1, S, S, 3), 0..1.
        core: (1, S, S, 1), 1 where there is surely hand, else 0.

    Returns:
        (1, S, S, 1) float32.
    """
    logs = tf.math.log(picture + 0.03)
    red, green, blue = tf.unstack(logs, axis=-1)
    colors = tf.stack([tf.reduce_mean(logs, -1), red - green, green - blue], -1)

    def fit(weight: tf.Tensor) -> tf.Tensor:
        total = tf.maximum(tf.reduce_sum(weight), 1.0)
        away = colors - tf.reduce_sum(weight * colors, [1, 2], keepdims=True) / total
        x, y, z = tf.unstack(away, axis=-1)
        products = tf.stack([x * x, x * y, x * z, y * y, y * z, z * z], -1)
        spread = tf.reduce_sum(weight * products, [0, 1, 2]) / total
        # A hand in even light still varies by so much.
        inverse = invert_symmetric(1.3 * spread + tf.constant([5e-3, 0.0, 0.0, 8e-4, 0.0, 8e-4]))
        return tf.reduce_sum(tf.matmul(away, inverse) * away, -1, keepdims=True)

    return fit(core * tf.cast(fit(core) < 9.0, tf.float32))


def _number_colors(picture: tf.Tensor) -> tf.Tensor:
    """Return the number of each pixel's cell of colour, (1, S, S) int32, for (1, S, S, 3) in 0..1."""
    parts = tf.cast(tf.clip_by_value(tf.sqrt(picture) * COLOR_CELLS, 0.0, COLOR_CELLS - 1.0), tf.int32)
    return (parts[..., 0] * COLOR_CELLS + parts[..., 1]) * COLOR_CELLS + parts[..., 2]


def _compare_colors(cells: tf.Tensor, hand: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Return for each pixel the logarithm of how much more usual its colour is in the hand, (1, S, S, 1), bounded."""
    flat = tf.reshape(cells, (-1,))
    logs = []
    for members in (hand, other):
        counts = tf.math.unsorted_segment_sum(tf.reshape(members, (-1,)), flat, COLOR_CELLS**3)
        cube = tf.reshape(counts, (1, COLOR_CELLS, COLOR_CELLS, COLOR_CELLS, 1))
        # Near colours count too.
        for _ in range(2):
            cube = tf.nn.avg_pool3d(cube, 3, 1, "SAME")
        share = tf.reshape(cube, (-1,)) / tf.maximum(tf.reduce_sum(cube), 1e-6)
        logs.append(tf.math.log(share + 2e-4))
    ratio = tf.gather(logs[0] - logs[1], cells)[..., tf.newaxis]
    return tf.clip_by_value(ratio, -COLOR_LIMIT, COLOR_LIMIT)
