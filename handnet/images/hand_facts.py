"""What the landmarks say of the hand that a crop shows, as a graph gives it: score, side, view, quality."""

from typing import NamedTuple

import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.example import SIDES, VIEWS
from handnet.images.decode import find_hand, fit_photo, is_usable
from handnet.images.hand.findings import FINDINGS, NONE
from handnet.images.hand.front_end import NUM_LANDMARKS, Hands, take_surest
from handnet.images.hand.presence import judge_finding
from handnet.images.hand.quality import measure_quality, rate_quality
from handnet.images.seen_hand import SeenHand, read_facts
from handnet.images.traced_once import trace_once


class HandFacts(NamedTuple):
    """The facts of one photo's hand as a graph gives them; all 0 where no hand is found.

    Attributes:
        score: float32 scalar, 0..1, that there is a hand.
        palmar: probability that the palm is seen.
        right: probability that it is a right hand.
        landmarks: (21, 2) as (y, x), fractions of the upright photo's height and width.
        quality: 0..1, that of its worst measure (`handnet.images.hand.quality_rule`); 0: do not use it, 1: nothing is wrong.
        finding: int32, of `handnet.images.hand.findings`: is it one hand, several, or one that is cut off?
    """

    score: tf.Tensor
    palmar: tf.Tensor
    right: tf.Tensor
    landmarks: tf.Tensor
    quality: tf.Tensor
    finding: tf.Tensor


FACT_SPECS = HandFacts(
    score=tf.TensorSpec((), tf.float32),
    palmar=tf.TensorSpec((), tf.float32),
    right=tf.TensorSpec((), tf.float32),
    landmarks=tf.TensorSpec((NUM_LANDMARKS, 2), tf.float32),
    quality=tf.TensorSpec((), tf.float32),
    finding=tf.TensorSpec((), tf.int32),
)


def fit_with_facts(photo: tf.Tensor, config: ImageConfig) -> tuple[tf.Tensor, tf.Tensor, HandFacts | None]:
    """Turn an upright photo into the square that the network sees, and say what is seen.

    Args:
        photo: uint8 (H, W, 3).
        config: as `fit_photo` takes it.

    Returns:
        The square, uint8 (S, S, 3); whether it can be used, bool scalar; the facts, None where crops do not go by landmarks.
    """
    # Of two hands, so that several are said.
    hand = find_hand(photo, config, 2)
    square = fit_photo(photo, config, hand)
    return square, is_usable(photo, square, config), None if hand is None else state_facts(photo, hand)


@trace_once
def state_facts(photo: tf.Tensor, hands: Hands) -> HandFacts:
    """Return the facts of the first hand of an upright photo (H, W, 3), and whether it is the only one of two searched for."""
    hand = take_surest(hands)
    quality = rate_quality(measure_quality(photo, hand))
    shape = tf.cast(tf.shape(photo)[:2], tf.float32)
    finding = judge_finding(hands, tf.shape(photo))
    landmarks = (hand.landmarks[0] + 0.5) / shape
    facts = HandFacts(hand.score[0], hand.palmar[0], hand.right[0], landmarks, quality[0], finding)
    return HandFacts(*(tf.where(hand.found[0], fact, tf.zeros_like(fact)) for fact in facts))


def read_found_hand(facts: HandFacts) -> SeenHand:
    """Return the facts of a hand that was found, from tensors or arrays of one photo."""
    score, palmar, right, quality = (float(fact) for fact in (facts.score, facts.palmar, facts.right, facts.quality))
    return read_facts(score, palmar, right, quality, int(facts.finding))


def word_facts(facts: HandFacts) -> dict[str, tf.Tensor]:
    """Return the facts of N photos by the names that an exported model gives them, view and side as words.

    Args:
        facts: (N, …), as `FACT_SPECS` says of one photo.

    Returns:
        `hand_score`, `view_confidence` and `quality`, float32 (N,); `view` and `side`, string (N,); `landmarks`, float32
        (N, 21, 2); `finding`, string (N,), one of `FINDINGS`. 0, "" and "no hand" where none is found.
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
        "finding": tf.where(found, tf.gather(FINDINGS, facts.finding), FINDINGS[NONE]),
    }
