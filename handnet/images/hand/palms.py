"""Palms in a square picture: the detector's raw numbers turned into boxes and key points, one for each palm.

The detector scores 2,016 fixed places (anchors) in a picture of 192 × 192 pixels. Core TensorFlow operations with static
shapes only.

Reference: Zhang et al., "MediaPipe Hands: On-device real-time hand tracking" (2020), section 2.1; the anchors and the
weighted non-maximum suppression are those of Bazarevsky et al., "BlazeFace" (2019), sections 3.2 and 3.4.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

PICTURE_PX = 192
# (stride in pixels, anchors at each place) of the two grids.
GRIDS = ((8, 2), (16, 6))
NUM_KEYPOINTS = 7
WRIST, MIDDLE_KNUCKLE = 0, 2
# Beyond this the sigmoid is 0 or 1 in float32.
MAX_LOGIT = 80.0
# Boxes that overlap by more than this intersection over union show the same palm.
SAME_PALM_IOU = 0.3


class Palms(NamedTuple):
    """Palms found in each picture, the surest first: fields (B, N, …) float32, places as fractions of the picture.

    Attributes:
        score: (B, N) 0..1; 0 where there are fewer than N.
        box: (B, N, 4) top, left, bottom, right.
        keypoints: (B, N, 7, 2) as (y, x): wrist, knuckles of index, middle, ring and little finger, two of the thumb.
    """

    score: tf.Tensor
    box: tf.Tensor
    keypoints: tf.Tensor


def lay_anchors() -> npt.NDArray[np.float32]:
    """Return the centres of the detector's anchors, (2016, 2) as (y, x), fractions of the picture, in its order."""
    grids = []
    for stride_px, repeats in GRIDS:
        places = (np.arange(PICTURE_PX // stride_px, dtype=np.float32) + 0.5) * stride_px / PICTURE_PX
        grid = np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)
        grids.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(grids)


def decode_palms(raw: tf.Tensor, logits: tf.Tensor) -> Palms:
    """Turn the detector's output into one candidate for each anchor.

    Args:
        raw: (B, 2016, 18) float32: centre x, centre y, width, height, then x and y of the key points, in pixels from the
            anchor.
        logits: (B, 2016, 1) float32.

    Returns:
        2,016 candidates, in the order of the anchors.
    """
    anchors = lay_anchors()
    pairs = tf.reverse(tf.reshape(raw, (-1, len(anchors), 2 + NUM_KEYPOINTS, 2)), [-1]) / PICTURE_PX
    centre, half = pairs[:, :, 0] + anchors, pairs[:, :, 1] / 2.0
    score = tf.sigmoid(tf.clip_by_value(logits[..., 0], -MAX_LOGIT, MAX_LOGIT))
    return Palms(score, tf.concat([centre - half, centre + half], -1), pairs[:, :, 2:] + anchors[:, tf.newaxis])


def merge_palms(candidates: Palms, num_palms: int, threshold: float = 0.5) -> Palms:
    """Merge the candidates that show the same palm: weighted non-maximum suppression.

    Args:
        candidates: from `decode_palms`.
        num_palms: how many to return.
        threshold: candidates of a lower score are left out.

    Returns:
        `num_palms` palms. Each is the mean, weighted by score, of its best candidate and all that overlap with it; its
        score is that of the best.
    """
    values = tf.concat(
        [candidates.box, tf.reshape(candidates.keypoints, (-1, candidates.keypoints.shape[1], 2 * NUM_KEYPOINTS))], -1
    )
    left = tf.where(candidates.score >= threshold, candidates.score, 0.0)
    found = []
    for _ in range(num_palms):
        best = tf.argmax(left, -1)
        box = tf.gather(candidates.box, best, batch_dims=1)
        score = tf.gather(left, best, batch_dims=1)
        same = left * tf.cast(measure_overlap(candidates.box, box[:, tf.newaxis]) > SAME_PALM_IOU, tf.float32)
        merged = tf.einsum("bn,bnk->bk", same, values) / tf.maximum(tf.reduce_sum(same, -1, keepdims=True), 1e-6)
        found.append((score, merged))
        left -= same
    scores, merged = (tf.stack(parts, 1) for parts in zip(*found, strict=True))
    return Palms(scores, merged[..., :4], tf.reshape(merged[..., 4:], (-1, num_palms, NUM_KEYPOINTS, 2)))


def measure_overlap(boxes: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Return the intersection over union, 0..1, of boxes (…, 4) as top, left, bottom, right; 0 for an empty box."""
    overlap = tf.nn.relu(tf.minimum(boxes[..., 2:], other[..., 2:]) - tf.maximum(boxes[..., :2], other[..., :2]))
    common = overlap[..., 0] * overlap[..., 1]
    union = _measure_area(boxes) + _measure_area(other) - common
    return common / tf.maximum(union, 1e-9)


def _measure_area(boxes: tf.Tensor) -> tf.Tensor:
    sides = tf.nn.relu(boxes[..., 2:] - boxes[..., :2])
    return sides[..., 0] * sides[..., 1]
