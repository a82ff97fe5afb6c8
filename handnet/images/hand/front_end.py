"""Hands in a photo, on any background: 21 landmarks each, how sure they are, and which hand it may be.

Two networks work one after the other: the first finds palms in a small copy of the photo, the second finds the landmarks in
the square that holds a hand, its fingers up. Core TensorFlow operations only, so the same code runs in a tf.data map and
inside an exported model.

Reference: Zhang et al., "MediaPipe Hands: On-device real-time hand tracking" (2020).
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.hand.palms import PICTURE_PX, Palms, decode_palms, merge_palms
from handnet.images.hand.regions import (
    MARGIN_FRACTION,
    Regions,
    cut_regions,
    enclose_hands,
    from_regions,
    halve_photo,
    lay_closer,
    lay_whole,
)
from handnet.images.hand.side_and_view import NUM_FEATURES, find_thumb_side, score_view
from handnet.images.hand_models.models import HandModels
from handnet.images.traced_once import trace_once

CROP_PX = 224
NUM_LANDMARKS = 21
# Photos as large as this or larger are halved before hands are looked for in them.
MAX_SIDE_PX = 1024.0
# A palm, then a hand, counts as found from this score on. The reference takes hands from 0.5 on; where there is one, the score is
# 0.97 or more in 99 of 100 photos (hands11k-mini, and pasted on other grounds), and faces reach 0.8.
MIN_PALM_SCORE = 0.5
MIN_HAND_SCORE = 0.9
# Exponents of red, green and blue that turn the grey of skin into its colour.
_WARMTH = (0.7, 1.0, 1.4)


class Hands(NamedTuple):
    """Hands of a photo, the surest palm first: fields (N, …) float32.

    Attributes:
        found: (N,) bool; the other fields of a hand that was not found mean nothing.
        score: (N,) 0..1, that the square holds a hand.
        palm_score: (N,) 0..1, of the detector.
        landmarks: (N, 21, 2) as (y, x) in pixels of the photo: the wrist, then the thumb and the four fingers, each from its
            root to its tip.
        depth: (N, 21) of the landmarks, in pixels of the photo, positive away from the camera, the wrist about 0.
        world: (N, 21, 3) as (y, x, z) in metres, turned as the photo is, from the middle of the hand.
        thumb_right: (N,) bool, that the thumb is on the right when the fingers point up.
        palmar: (N,) probability that the palm is seen, not the back.
        right: (N,) probability that it is a right hand.
        regions: the squares that the landmarks were found in.
        features: (N, 1152) of the second network.
    """

    found: tf.Tensor
    score: tf.Tensor
    palm_score: tf.Tensor
    landmarks: tf.Tensor
    depth: tf.Tensor
    world: tf.Tensor
    thumb_right: tf.Tensor
    palmar: tf.Tensor
    right: tf.Tensor
    regions: Regions
    features: tf.Tensor


def find_hands(photo: tf.Tensor, models: HandModels, num_hands: int = 1) -> Hands:
    """Find the hands of one photo.

    The photo is looked at whole, as the reference does. Where its surest palm is no hand's, it is looked at more closely, in
    overlapping parts, and turned, and the look with the surest palm decides.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        models: the two networks.
        num_hands: how many at most; the work grows with the palms that are there.

    Returns:
        `num_hands` hands, of which `found` says whether they are there.
    """
    # One graph for photos of any type.
    return _find_in_any(tf.cast(photo, tf.float32), models, num_hands)


@trace_once
def _find_in_any(photo: tf.Tensor, models: HandModels, num_hands: int) -> Hands:
    longer = tf.cast(tf.reduce_max(tf.shape(photo)[:2]), tf.float32)
    # Shrunk once, or every look would shrink it again.
    photo, scale = halve_photo(photo, lambda scale: longer * scale >= MAX_SIDE_PX)
    photo = tint_grey(photo)
    return _scale_places(_find_in_small(photo, models, num_hands), 1.0 / scale)


def tint_grey(photo: tf.Tensor) -> tf.Tensor:
    """Return a grey photo with the warmth of skin, for the networks alone; a photo with any colour as it is, to the bit.

    The detector has seen colour photos and hardly finds a palm without: of 80 hands 22 are found in grey and 73 tinted.

    Args:
        photo: (H, W, 3) float32, 0..255.
    """

    def is_grey(pixels: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(tf.equal(pixels[..., 1:], pixels[..., :1]))

    def tint() -> tf.Tensor:
        # Black and white stay what they are.
        return 255.0 * (photo / 255.0) ** tf.constant(_WARMTH)

    # A few pixels tell of nearly every colour photo that it is none, at no cost.
    grey = tf.cond(is_grey(photo[::8, ::8]), lambda: is_grey(photo), lambda: tf.constant(False))
    tinted = tf.cond(grey, tint, lambda: photo)
    return tf.ensure_shape(tinted, photo.shape)


def _find_in_small(photo: tf.Tensor, models: HandModels, num_hands: int) -> Hands:
    shape = tf.cast(tf.shape(photo)[:2], tf.float32)

    def look(step: tf.Tensor, _: Hands) -> tuple[tf.Tensor, Hands]:
        frames = tf.cond(step == 0, lambda: lay_whole(shape), lambda: lay_closer(shape))
        palms, regions = find_palms(photo, frames, models, num_hands)
        return step + 1, find_landmarks(photo, regions, palms.score[0], models)

    def is_missing(step: tf.Tensor, hands: Hands) -> tf.Tensor:
        # So the first hand is the same one, however many are asked for.
        return (step < 2) & ~hands.found[0]

    return tf.while_loop(is_missing, look, (tf.constant(0), _make_none(num_hands)))[1]


def find_palms(photo: tf.Tensor, frames: Regions, models: HandModels, num_palms: int) -> tuple[Palms, Regions]:
    """Return the palms of one photo in the frame that shows the surest one, and the squares that hold their hands.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        frames: the squares of the photo that the detector looks at.
        models: the two networks.
        num_palms: how many at most.

    Returns:
        Palms (1, N, …) and N squares.
    """
    margin_px = MARGIN_FRACTION * tf.cast(tf.reduce_max(tf.shape(photo)[:2]), tf.float32)
    pictures = cut_regions(photo, frames, PICTURE_PX, margin_px)
    palms = merge_palms(decode_palms(*models.detect(pictures)), num_palms, MIN_PALM_SCORE)
    best = tf.argmax(palms.score[:, 0])[tf.newaxis]
    palms = Palms(*(tf.gather(values, best) for values in palms))
    frame = Regions(*(tf.gather(values, best) for values in frames))
    return palms, enclose_hands(palms, frame)


def find_landmarks(photo: tf.Tensor, regions: Regions, palm_score: tf.Tensor, models: HandModels) -> Hands:
    """Find the landmarks of the hand that each square holds.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        regions: N squares.
        palm_score: (N,) of the detector; 0 where there is no palm.
        models: the two networks.
    """
    raw, score, world, features = _locate(photo, regions, palm_score, models)
    points = tf.reshape(raw, (-1, NUM_LANDMARKS, 3)) / CROP_PX
    landmarks = from_regions(tf.reverse(points[..., :2], [-1]), regions)
    thumb_right = find_thumb_side(landmarks)
    palmar = score_view(features, thumb_right)
    score = tf.where(palm_score > 0.0, score[:, 0], 0.0)
    return Hands(
        (palm_score >= MIN_PALM_SCORE) & (score >= MIN_HAND_SCORE),
        score,
        palm_score,
        landmarks,
        points[..., 2] * regions.side[:, tf.newaxis],
        _turn(tf.reshape(world, (-1, NUM_LANDMARKS, 3)), regions.direction),
        thumb_right,
        palmar,
        # The palm of a right hand, fingers up, has its thumb on the right; its back on the left.
        tf.where(thumb_right, palmar, 1.0 - palmar),
        regions,
        features,
    )


def _locate(photo: tf.Tensor, regions: Regions, palm_score: tf.Tensor, models: HandModels) -> tuple[tf.Tensor, ...]:
    """Return what the second network says of each square: landmarks, score, world, features (N, …); 0 where there is no palm."""

    def look(regions: Regions) -> tuple[tf.Tensor, ...]:
        raw, score, _, world, features = models.locate(cut_regions(photo, regions, CROP_PX))
        return raw, score, world, features

    num_squares = palm_score.shape[0]
    if num_squares == 1:
        return look(regions)

    # One by one, so that the first hand is the same one to the bit, however many are asked for.
    def look_at_one(region: Regions) -> tuple[tf.Tensor, ...]:
        return tuple(values[0] for values in look(Regions(*(value[tf.newaxis] for value in region))))

    # The surest come first. Most photos show one hand: to look for more costs nothing then.
    count = tf.maximum(tf.reduce_sum(tf.cast(palm_score > 0.0, tf.int32)), 1)
    widths = (3 * NUM_LANDMARKS, 1, 3 * NUM_LANDMARKS, NUM_FEATURES)
    found = tf.map_fn(
        look_at_one,
        Regions(*(values[:count] for values in regions)),
        fn_output_signature=tuple(tf.TensorSpec((width,), tf.float32) for width in widths),
    )
    rest = [[0, num_squares - count], [0, 0]]
    return tuple(
        tf.ensure_shape(tf.pad(values, rest), (num_squares, width)) for values, width in zip(found, widths, strict=True)
    )


def take_surest(hands: Hands) -> Hands:
    """Return the first of the hands, as `Hands` of one."""
    return tf.nest.map_structure(lambda values: values[:1], hands)


def _scale_places(hands: Hands, scale: tf.Tensor) -> Hands:
    """Return the hands in pixels of a photo that is `scale` times as large."""
    regions = hands.regions
    return hands._replace(
        landmarks=(hands.landmarks + 0.5) * scale - 0.5,
        depth=hands.depth * scale,
        regions=Regions((regions.centre + 0.5) * scale - 0.5, regions.side * scale, regions.direction),
    )


def _make_none(num_hands: int) -> Hands:
    points = tf.zeros((num_hands, NUM_LANDMARKS, 2))
    score, world = tf.zeros((num_hands,)), tf.zeros((num_hands, NUM_LANDMARKS, 3))
    regions = Regions(tf.zeros((num_hands, 2)), score, tf.zeros((num_hands, 2)))
    none = score > 0.0
    features = tf.zeros((num_hands, NUM_FEATURES))
    return Hands(none, score, score, points, points[..., 0], world, none, score, score, regions, features)


def _turn(world: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
    """Turn (N, 21, 3) as (x, y, z) in the upright square to (y, x, z) in the photo."""
    right, down, away = tf.unstack(world, axis=-1)
    up_y, up_x = direction[:, :1], direction[:, 1:]
    return tf.stack([right * up_x - down * up_y, -right * up_y - down * up_x, away], -1)
