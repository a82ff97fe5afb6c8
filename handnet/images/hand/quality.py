"""How good a photo of a hand is, in numbers that the graph gives: sharp, lit, whole, open, certain.

Core TensorFlow operations only, so an exported model can say it of each photo. The limits and the words are in
`handnet.images.hand.quality_rule`.
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.capsules import enclose_landmarks, measure_distance, measure_palm_width
from handnet.images.hand.front_end import Hands
from handnet.images.hand.presence import FIRST_FINGER_LANDMARK, find_outside
from handnet.images.hand.quality_rule import LIMITS
from handnet.images.hand.regions import cut_regions, to_regions

# Hands are compared at one size, that at which networks see them: every hand is sharp if it is made small enough.
PICTURE_PX = 224
# Within so many radii of a bone there is hand and no background.
INSIDE = 0.8
LUMINANCE = (0.299, 0.587, 0.114)
# From here on, of 0..1, a channel says no more than "bright".
CLIPPED = 0.98
# A finger goes on around its landmark: it is cut off where the landmark lies this near to the border, as a fraction of the hand's
# square.
BORDER_FRACTION = 0.02
# The outline of a hand lies within so many radii of a bone; over how many pixels its changes are compared.
OUTLINE = (0.7, 1.6)
NEAR_PX, FAR_PX = 2, 12
# Landmarks from root to tip of each finger but the thumb, which is straight in a fist too.
FINGERS = ((5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
WRIST, INDEX_KNUCKLE, MIDDLE_KNUCKLE, LITTLE_KNUCKLE = 0, 5, 9, 17
# Palms are about so many times as long as they are wide, between these landmarks: the median of hands11k-mini.
USUAL_LENGTH = 1.375


class Measures(NamedTuple):
    """Measures of the hands of a photo, fields (N,) float32 in the order of `LIMITS`; those of a hand not found mean nothing.

    Attributes:
        hand_score: 0..1, that there is a hand.
        palm_width_px: in pixels of the photo as it was given.
        share: of the photo that the hand takes, 0..1.
        sharpness: 0..1, how much of the outline's change over 12 pixels takes place within 2.
        brightness: mean luminance of the hand, 0..1.
        overexposed: share of the hand where red, green or blue is clipped, 0..1.
        cut_off: share of the fingers' landmarks that lie outside the photo or at its border, 0..1.
        straightness: of the finger that is bent most, root to tip: 1 straight, about 0.3 in a fist.
        facing: how squarely the palm or the back faces the camera: 1 squarely, 0 from the side.
        certainty: of back or palm, and with it of left or right: 0.5 a guess, 1 sure.
    """

    hand_score: tf.Tensor
    palm_width_px: tf.Tensor
    share: tf.Tensor
    sharpness: tf.Tensor
    brightness: tf.Tensor
    overexposed: tf.Tensor
    cut_off: tf.Tensor
    straightness: tf.Tensor
    facing: tf.Tensor
    certainty: tf.Tensor


def measure_quality(photo: tf.Tensor, hands: Hands) -> Measures:
    """Measure how good each hand of a photo can be seen.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        hands: N hands of it.
    """
    regions = enclose_landmarks(hands.landmarks)
    pictures = cut_regions(photo, regions, PICTURE_PX)
    points = to_regions(hands.landmarks, regions)
    # N is a static number: `find_hands` was asked for so many.
    num_hands = hands.landmarks.shape[0]
    distances = tf.stack([measure_distance(points[k], PICTURE_PX) for k in range(num_hands)])[..., tf.newaxis]
    inside = tf.cast(distances < INSIDE, tf.float32)
    luminance = tf.reduce_sum(pictures * tf.constant(LUMINANCE), -1, keepdims=True)
    clipped = tf.cast(tf.reduce_max(pictures, -1, keepdims=True) > CLIPPED, tf.float32)
    shape = tf.cast(tf.shape(photo)[:2], tf.float32)
    covered = _mean(tf.cast(distances < 1.0, tf.float32), tf.ones_like(distances))
    outside = find_outside(hands, tf.shape(photo), -BORDER_FRACTION)
    return Measures(
        hands.score,
        tf.stack([measure_palm_width(hands.landmarks[k]) for k in range(num_hands)]),
        covered * tf.square(regions.side) / tf.reduce_prod(shape),
        measure_sharpness(luminance, tf.cast((distances > OUTLINE[0]) & (distances < OUTLINE[1]), tf.float32)),
        _mean(luminance, inside),
        _mean(clipped, inside),
        tf.reduce_mean(tf.cast(outside[:, FIRST_FINGER_LANDMARK:], tf.float32), -1),
        measure_straightness(hands.world),
        measure_facing(hands.landmarks),
        tf.maximum(hands.palmar, 1.0 - hands.palmar),
    )


def rate_quality(measures: Measures) -> tf.Tensor:
    """Return one number for each hand, (N,) 0 (refuse) .. 1 (good): that of its worst measure, as `rate_measures` says it."""
    rates = [
        tf.clip_by_value((value - limit.refuse) / (limit.good - limit.refuse), 0.0, 1.0)
        for value, limit in zip(measures, LIMITS.values(), strict=True)
    ]
    return tf.reduce_min(tf.stack(rates), 0)


def measure_sharpness(luminance: tf.Tensor, outline: tf.Tensor) -> tf.Tensor:
    """Return how sharp the outline of hands is: how much of a change over 12 pixels takes place within 2.

    A sharp edge changes within two pixels, a blurred one over as many as the blur is wide. The outline is the strongest edge that
    every hand has; how much there is to see inside depends on the skin more than on the blur.

    Args:
        luminance: (N, S, S, 1), any range.
        outline: (N, S, S, 1), 1 where to look, 0 elsewhere.

    Returns:
        (N,) root of the ratio of the sums of squared differences, in the direction that is blurred most: the root of 1 / 6 for
        one edge between two pixels, 1 / 6 for an even slope, 1 for noise; 0 where all is of one colour.
    """
    ratios = []
    for axis in (1, 2):
        near, far = (_sum_changes(luminance, outline, axis, step_px) for step_px in (NEAR_PX, FAR_PX))
        ratios.append(tf.math.divide_no_nan(near, far))
    return tf.sqrt(tf.minimum(*ratios))


def measure_straightness(world: tf.Tensor) -> tf.Tensor:
    """Return how straight the finger is that is bent most, (N,) 0..1.

    Args:
        world: (N, 21, 3) in any unit.

    Returns:
        Its tip's distance from its knuckle, divided by the length of its bones.
    """
    straightness = []
    for finger in FINGERS:
        joints = tf.gather(world, finger, axis=1)
        bones = tf.reduce_sum(tf.norm(joints[:, 1:] - joints[:, :-1], axis=-1), -1)
        straightness.append(tf.math.divide_no_nan(tf.norm(joints[:, -1] - joints[:, 0], axis=-1), bones))
    return tf.reduce_min(tf.stack(straightness), 0)


def measure_facing(landmarks: tf.Tensor) -> tf.Tensor:
    """Return how squarely the palm or the back faces the camera, (N,) 0..1.

    By the palm's width in the picture, compared with its length: a palm turned about its length looks narrow. The depth that the
    network gives says it less well: photos of hands that lie flat get any value.

    Args:
        landmarks: (N, 21, 2) as (y, x), in pixels.

    Returns:
        The width from the index finger's knuckle to that of the little finger, divided by what is usual for the length from wrist
        to the middle finger's knuckle; 1 for a wider one.
    """
    width = tf.norm(landmarks[:, INDEX_KNUCKLE] - landmarks[:, LITTLE_KNUCKLE], axis=-1)
    length = tf.norm(landmarks[:, MIDDLE_KNUCKLE] - landmarks[:, WRIST], axis=-1)
    return tf.minimum(tf.math.divide_no_nan(width * USUAL_LENGTH, length), 1.0)


def _sum_changes(values: tf.Tensor, weights: tf.Tensor, axis: int, step_px: int) -> tf.Tensor:
    """Return the sums (N,) of the squared differences of pixels so far apart, weighted by the pixel between them."""
    last, half = values.shape[axis], step_px // 2
    values, weights = (array if axis == 1 else tf.transpose(array, (0, 2, 1, 3)) for array in (values, weights))
    changes = tf.square(values[:, step_px:] - values[:, :-step_px])
    return tf.reduce_sum(changes * weights[:, half : last - half], [1, 2, 3])


def _mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return the mean of (N, S, S, 1) over the places that weigh, (N,); 0 where none does."""
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights, [1, 2, 3]), tf.reduce_sum(weights, [1, 2, 3]))
