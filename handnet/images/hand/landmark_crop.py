"""The canonical crop of a hand on any background: mask and pose from its landmarks, the same square as from its outline.

`crop_hand` finds mask, direction and thumb by colour and outline, on plain backgrounds alone. Here the landmarks give all
three; the square, its scale and the cut at the wrist are laid by the same code, so a network can be shown either.
"""

import tensorflow as tf

from handnet.images.hand.crop import cover_hand, lay_grid
from handnet.images.hand.landmark_mask import segment_by_landmarks
from handnet.images.hand.pose import find_pose
from handnet.images.hand.regions import UP, from_regions, sample_photo
from handnet.images.hand.side_and_view import find_thumb_side


def crop_by_landmarks(
    photo: tf.Tensor,
    landmarks: tf.Tensor,
    size_px: int,
    *,
    canonical: bool = True,
    mirror: bool = True,
    background: float = 255.0,
    isolate: bool = True,
) -> tf.Tensor:
    """Cut the hand out of a photo: centred, brought to one size, the rest neutral; as `crop_hand` does.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        landmarks: (21, 2) as (y, x) in its pixels.
        size_px: side of the square result.
        canonical: turn the hand so that the fingers point up; without it the photo's top stays up.
        mirror: with `canonical`, flip a hand whose thumb is on the right.
        background: the neutral value, 0..255.
        isolate: paint all but the hand above the wrist cut with the background; without it the photo shows through.

    Returns:
        (size_px, size_px, 3) float32, 0..255.
    """
    placed = segment_by_landmarks(photo, landmarks)
    # In the square of the mask the fingers point up; its outline says more exactly where.
    pose = find_pose(placed.mask, tf.constant([UP]))
    thumb_right = find_thumb_side(landmarks[tf.newaxis])[0]
    sign = tf.where(thumb_right, -1.0, 1.0) if canonical and mirror else tf.constant(1.0)
    # Where the photo's top lies, as seen in the turned square.
    top = placed.region.direction[0] * [1.0, -1.0]
    step, y, x = lay_grid(pose, size_px, pose.direction[0] if canonical else top, sign)
    side_px = float(placed.mask.shape[1])
    points = from_regions(tf.stack([y, x], -1)[tf.newaxis] / side_px, placed.region)[0]
    crop = 255.0 * sample_photo(photo, points, step * placed.region.side[0] / side_px)
    if not isolate:
        return crop
    kept = cover_hand(placed.mask, pose, step, y, x)
    return crop * kept + background * (1.0 - kept)
