"""The crop of a hand on any background: pose and thumb from its landmarks, the same square as from its outline.

`crop_hand` finds mask, direction and thumb by colour and outline, on plain backgrounds alone. Here the landmarks tell where the
hand is, how it is turned and where its thumb is. Where the background is plain the mask is still the one by colour, which is the
more exact one; elsewhere it is the one by landmarks. The square, its scale and the cut at the wrist are laid by the same code.
"""

import tensorflow as tf

from handnet.images.hand.crop import cover_hand, crop_masked, lay_grid
from handnet.images.hand.landmark_mask import PlacedMask, segment_by_landmarks
from handnet.images.hand.mask import resize_for_work, segment_small, segment_with_depth
from handnet.images.hand.pose import find_pose
from handnet.images.hand.regions import UP, Regions, cut_regions, from_regions, sample_photo, to_regions
from handnet.images.hand.side_and_view import find_thumb_side

# Where the masks by colour and by landmarks agree so well, intersection over union above the wrist, the background is plain; and
# where they agree better still, the mask by colour is the one to take (docs/measurements/front_end.md).
PLAIN_AGREEMENT, COLOR_AGREEMENT = 0.8, 0.9


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
    thumb_right = find_thumb_side(landmarks[tf.newaxis])[0]
    sign = tf.where(thumb_right, -1.0, 1.0) if canonical and mirror else tf.constant(1.0)
    small = resize_for_work(tf.cast(photo, tf.float32)[tf.newaxis])
    by_color, depth = segment_with_depth(small)
    scale = tf.cast(tf.shape(small)[1], tf.float32) / tf.cast(tf.shape(photo)[0], tf.float32)

    def crop_plain() -> tf.Tensor:
        pose = find_pose(by_color, placed.region.direction, depth)
        up = pose.direction[0] if canonical else tf.constant(UP)
        return crop_masked(photo, by_color, pose, size_px, up, sign, background=background, isolate=isolate)

    def crop_any() -> tf.Tensor:
        crop, kept = sample_placed(photo, placed, size_px, sign, canonical=canonical)
        return crop * kept + background * (1.0 - kept) if isolate else crop

    is_plain = measure_agreement(by_color, scale, placed, landmarks) >= COLOR_AGREEMENT
    return tf.ensure_shape(tf.cond(is_plain, crop_plain, crop_any), (size_px, size_px, 3))


def sample_placed(
    photo: tf.Tensor, placed: PlacedMask, size_px: int, sign: tf.Tensor, *, canonical: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Lay the square of a hand whose mask is known in its own turned square, fingers up.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        placed: the mask.
        size_px: side of the square result.
        sign: scalar, -1 to mirror.
        canonical: turn the hand so that the fingers point up; without it the photo's top stays up.

    Returns:
        What the photo shows in the square, (size_px, size_px, 3) float32, 0..255, and how much of each pixel is the hand above
        the wrist cut, (size_px, size_px, 1), 0..1.
    """
    # In the square of the mask the fingers point up; its outline says more exactly where.
    pose = find_pose(placed.mask, tf.constant([UP]))
    # Where the photo's top lies, as seen in the turned square.
    top = placed.region.direction[0] * [1.0, -1.0]
    step, y, x = lay_grid(pose, size_px, pose.direction[0] if canonical else top, sign)
    side_px = float(placed.mask.shape[1])
    points = from_regions(tf.stack([y, x], -1)[tf.newaxis] / side_px, placed.region)[0]
    crop = 255.0 * sample_photo(photo, points, step * placed.region.side[0] / side_px)
    return crop, cover_hand(placed.mask, pose, step, y, x)


def is_on_plain_ground(photo: tf.Tensor, landmarks: tf.Tensor, placed: PlacedMask) -> tf.Tensor:
    """Return whether colour alone finds the hand that the landmarks find: scalar bool.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        landmarks: (21, 2) as (y, x) in its pixels.
        placed: its mask by landmarks.
    """
    small = resize_for_work(tf.cast(photo, tf.float32)[tf.newaxis])
    scale = tf.cast(tf.shape(small)[1], tf.float32) / tf.cast(tf.shape(photo)[0], tf.float32)
    return measure_agreement(segment_small(small), scale, placed, landmarks) >= PLAIN_AGREEMENT


def measure_agreement(by_color: tf.Tensor, scale: tf.Tensor, placed: PlacedMask, landmarks: tf.Tensor) -> tf.Tensor:
    """Return how well a mask by colour and one by landmarks agree above the wrist: intersection over union, scalar, 0..1.

    Args:
        by_color: (1, h, w, 1) of the whole photo, shrunk.
        scale: of it against the photo.
        placed: the mask by landmarks.
        landmarks: (21, 2) as (y, x) in pixels of the photo.
    """
    region, size_px = placed.region, placed.mask.shape[1]
    small = Regions((region.centre + 0.5) * scale - 0.5, region.side * scale, region.direction)
    seen = cut_regions(tf.repeat(by_color[0] * 255.0, 3, axis=-1), small, size_px)[0, ..., 0] > 0.5
    wrist = to_regions(landmarks[tf.newaxis, :1], region)[0, 0, 0] * size_px
    above = tf.range(size_px, dtype=tf.float32)[:, tf.newaxis] < wrist
    known = placed.mask[0, ..., 0] > 0.5
    common, either = (tf.math.count_nonzero(both & above) for both in (seen & known, seen | known))
    return tf.cast(common / tf.maximum(either, 1), tf.float32)
