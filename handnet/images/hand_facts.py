"""What the landmarks say of the hand that a crop shows, as a graph gives it: score, side, view, quality."""

from typing import NamedTuple

import tensorflow as tf

from handnet.config.settings import ImageConfig
from handnet.data.example import SIDES, VIEWS
from handnet.images.decode import find_hand, fit_photo, is_usable
from handnet.images.hand.front_end import NUM_LANDMARKS, Hands
from handnet.images.hand.quality import measure_quality, rate_quality
from handnet.images.seen_hand import SeenHand, read_facts


class HandFacts(NamedTuple):
    """The facts of one photo's hand as a graph gives them; all 0 where no hand is found.

    Attributes:
        score: float32 scalar, 0..1, that there is a hand.
        palmar: probability that the palm is seen.
        right: probability that it is a right hand.
        landmarks: (21, 2) as (y, x), fractions of the upright photo's height and width.
        quality: 0..1, that of its worst measure (`handnet.images.hand.quality_rule`); 0: do not use it, 1: nothing is wrong.
    """

    score: tf.Tensor
    palmar: tf.Tensor
    right: tf.Tensor
    landmarks: tf.Tensor
    quality: tf.Tensor


FACT_SPECS = HandFacts(
    *(tf.TensorSpec(shape, tf.float32) for shape in ((), (), (), (NUM_LANDMARKS, 2), ())),
)


def fit_with_facts(photo: tf.Tensor, config: ImageConfig) -> tuple[tf.Tensor, tf.Tensor, HandFacts | None]:
    """Turn an upright photo into the square that the network sees, and say what is seen.

    Args:
        photo: uint8 (H, W, 3).
        config: as `fit_photo` takes it.

    Returns:
        The square, uint8 (S, S, 3); whether it can be used, bool scalar; the facts, None where crops do not go by landmarks.
    """
    hand = find_hand(photo, config)
    square = fit_photo(photo, config, hand)
    return square, is_usable(photo, square, config), None if hand is None else state_facts(photo, hand)


def state_facts(photo: tf.Tensor, hand: Hands) -> HandFacts:
    """Return the facts of the first hand of an upright photo (H, W, 3)."""
    quality = rate_quality(measure_quality(photo, hand))
    shape = tf.cast(tf.shape(photo)[:2], tf.float32)
    facts = HandFacts(hand.score[0], hand.palmar[0], hand.right[0], (hand.landmarks[0] + 0.5) / shape, quality[0])
    return HandFacts(*(tf.where(hand.found[0], fact, tf.zeros_like(fact)) for fact in facts))


def read_found_hand(facts: HandFacts) -> SeenHand:
    """Return the facts of a hand that was found, from tensors or arrays of one photo."""
    return read_facts(float(facts.score), float(facts.palmar), float(facts.right), float(facts.quality))


def word_facts(facts: HandFacts) -> dict[str, tf.Tensor]:
    """Return the facts of N photos by the names that an exported model gives them, view and side as words.

    Args:
        facts: (N, …), as `FACT_SPECS` says of one photo.

    Returns:
        `hand_score`, `view_confidence` and `quality`, float32 (N,); `view` and `side`, string (N,); `landmarks`, float32
        (N, 21, 2). 0 and "" where no hand is found.
    """
    found = facts.score > 0.0
    palmar, right = facts.palmar > 0.5, facts.right > 0.5
    confidence = tf.maximum(facts.palmar, 1.0 - facts.palmar)
    return {
        "hand_score": facts.score,
        "view": tf.where(found, tf.gather(VIEWS, tf.cast(palmar, tf.int32)), ""),
        "side": tf.where(found, tf.gather(SIDES, tf.cast(right, tf.int32)), ""),
        "view_confidence": tf.where(found, confidence, 0.0),
        "landmarks": facts.landmarks,
        "quality": facts.quality,
    }
