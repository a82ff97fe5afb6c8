"""The crop of a hand warped onto a mean hand: each of its 21 landmarks comes to lie where the mean hand has it.

A thin plate is bent by the landmarks: fingers that are spread, closed or crooked lie in one way, and a place of the picture is
the same place of every hand. How the plate bends depends on the mean hand alone: each pixel's place in the photo is a fixed
mean of the landmarks, weighted once for all, and there is no system of equations in the graph.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.images.hand.capsules import measure_palm_width
from handnet.images.hand.crop import cover_mask
from handnet.images.hand.landmark_crop import COLOR_AGREEMENT, measure_agreement
from handnet.images.hand.landmark_mask import cover_points, segment_by_landmarks
from handnet.images.hand.mask import resize_for_work, segment_small
from handnet.images.hand.regions import sample_photo

Doubles = npt.NDArray[np.float64]
# Where the landmarks lie in the canonical crop, the thumb on the left, as (y, x) in fractions of the square: the median of the
# 856 photos of 11k Hands' public sample.
MEAN_HAND = (
    (0.905, 0.593),
    *((0.853, 0.435), (0.733, 0.341), (0.607, 0.298), (0.513, 0.246)),
    *((0.543, 0.435), (0.366, 0.409), (0.258, 0.402), (0.172, 0.403)),
    *((0.524, 0.535), (0.330, 0.517), (0.208, 0.509), (0.111, 0.505)),
    *((0.538, 0.629), (0.357, 0.626), (0.244, 0.620), (0.155, 0.613)),
    *((0.577, 0.715), (0.440, 0.731), (0.353, 0.733), (0.278, 0.733)),
)
# How stiff the plate is: 0 brings each landmark exactly to its place, and follows each error of the landmarks.
STIFFNESS = 0.01
# The arm is cut so far below the wrist, as a fraction of the square's side.
WRIST_MARGIN = 0.02


def crop_warped(photo: tf.Tensor, landmarks: tf.Tensor, size_px: int, *, background: float = 255.0) -> tf.Tensor:
    """Cut the hand out of a photo and warp it onto the mean hand, the thumb on the left, the rest neutral.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        landmarks: (21, 2) as (y, x) in its pixels.
        size_px: side of the square result.
        background: the neutral value, 0..255.

    Returns:
        (size_px, size_px, 3) float32, 0..255.
    """
    weights = tf.constant(weigh_landmarks(size_px), tf.float32)
    points = tf.reshape(tf.matmul(weights, landmarks), (size_px, size_px, 2))
    mean_width = float(np.linalg.norm(np.subtract(MEAN_HAND[5], MEAN_HAND[17])))
    step_px = measure_palm_width(landmarks) / (mean_width * size_px)
    placed = segment_by_landmarks(photo, landmarks)
    small = resize_for_work(tf.cast(photo, tf.float32)[tf.newaxis])
    by_color = segment_small(small)
    scale = tf.cast(tf.shape(small)[1], tf.float32) / tf.cast(tf.shape(photo)[0], tf.float32)

    def cover_plain() -> tf.Tensor:
        places = (points + 0.5) * scale - 0.5
        return cover_mask(by_color, places[..., 0], places[..., 1])

    is_plain = measure_agreement(by_color, scale, placed, landmarks) >= COLOR_AGREEMENT
    rows = tf.range(size_px, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]
    above = tf.clip_by_value((MEAN_HAND[0][0] + WRIST_MARGIN) * size_px - rows, 0.0, 1.0)
    kept = tf.cond(is_plain, cover_plain, lambda: cover_points(placed, points))
    kept = tf.ensure_shape(kept, (size_px, size_px, 1)) * above
    return 255.0 * sample_photo(photo, points, step_px) * kept + background * (1.0 - kept)


@cache
def weigh_landmarks(size_px: int) -> Doubles:
    """Return how much each landmark counts for the place of each pixel: (size_px², 21), rows that sum to 1.

    Reference: Bookstein 1989, "Principal warps: thin-plate splines and the decomposition of deformations"; the stiffness is the
        smoothing of Wahba 1990, "Spline models for observational data", section 2.4.
    """
    knots = np.array(MEAN_HAND)
    count = len(knots)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(knots, knots) + STIFFNESS * np.eye(count)
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :], system[count + 1 :, :count] = knots, knots.T
    steps = (np.arange(size_px) + 0.5) / size_px
    pixels = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    basis = np.column_stack([_bend(pixels, knots), np.ones(len(pixels)), pixels])
    return np.asarray(basis @ np.linalg.inv(system)[:, :count])


def _bend(first: Doubles, second: Doubles) -> Doubles:
    """Return r² log r of the distances r between points (M, 2) and (N, 2): (M, N)."""
    squared = np.sum(np.square(first[:, np.newaxis] - second), -1)
    return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-12)))
