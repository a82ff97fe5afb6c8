"""The crop of a hand whose palm lies where the mean palm lies, from its landmarks.

The canonical crop is laid by the outline, so it turns and shrinks with the fingers. The palm's five landmarks hardly move
against each other: laid by these, a place of the picture is the same place of the hand, whatever the fingers do.
"""

import tensorflow as tf

from handnet.images.hand.landmark_mask import cover_points, segment_by_landmarks
from handnet.images.hand.mean_palm import MEAN_PALM, PALM
from handnet.images.hand.regions import sample_photo
from handnet.images.hand.side_and_view import find_thumb_side

# The arm is cut so far below the wrist, as a fraction of the square's side.
WRIST_MARGIN = 0.036


def crop_by_palm(photo: tf.Tensor, landmarks: tf.Tensor, size_px: int, *, background: float = 255.0) -> tf.Tensor:
    """Cut the hand out of a photo so that its palm lies on the mean palm, the thumb on the left, the rest neutral.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        landmarks: (21, 2) as (y, x) in its pixels.
        size_px: side of the square result.
        background: the neutral value, 0..255.

    Returns:
        (size_px, size_px, 3) float32, 0..255.
    """
    points, step_px, wrist = lay_on_palm(landmarks, size_px)
    kept = cover_points(segment_by_landmarks(photo, landmarks), points)
    rows = tf.range(size_px, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]
    kept *= tf.clip_by_value((wrist + WRIST_MARGIN) * size_px - rows, 0.0, 1.0)
    return 255.0 * sample_photo(photo, points, step_px) * kept + background * (1.0 - kept)


def lay_on_palm(landmarks: tf.Tensor, size_px: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return where the crop's pixels lie in the photo, by the similarity that brings the palm closest to the mean palm.

    Args:
        landmarks: (21, 2) as (y, x), in pixels of the photo.
        size_px: side of the crop.

    Returns:
        (S, S, 2) as (y, x) in pixels of the photo, the distance of neighbours there, and how far down in the crop the wrist
        lies, a fraction of its side.

    Reference: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", in the plane.
    """
    thumb_right = find_thumb_side(landmarks[tf.newaxis])[0]
    sign = tf.where(thumb_right, tf.constant([1.0, -1.0]), tf.constant([1.0, 1.0]))
    palm = tf.gather(landmarks, PALM) * sign
    middle, target = tf.reduce_mean(palm, 0), tf.constant(MEAN_PALM)
    wanted = tf.reduce_mean(target, 0)
    y, x = tf.unstack(palm - middle, axis=-1)
    v, u = tf.unstack(target - wanted, axis=-1)
    size = tf.maximum(tf.reduce_sum(y * y + x * x), 1e-6)
    # (v, u) = (cosine · y - sine · x, sine · y + cosine · x), scale included; turned back below.
    cosine, sine = tf.reduce_sum(v * y + u * x) / size, tf.reduce_sum(u * y - v * x) / size
    squared = tf.maximum(cosine * cosine + sine * sine, 1e-12)
    steps = (tf.range(size_px, dtype=tf.float32) + 0.5) / size_px
    down, across = steps[:, tf.newaxis] - wanted[0], steps[tf.newaxis, :] - wanted[1]
    rows = (cosine * down + sine * across) / squared + middle[0]
    columns = (cosine * across - sine * down) / squared + middle[1]
    wrist = wanted[0] + cosine * y[0] - sine * x[0]
    return tf.stack([rows, columns], -1) * sign, 1.0 / (tf.sqrt(squared) * size_px), wrist
