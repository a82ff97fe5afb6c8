"""Where the landmarks of both hands lie in the pictures that an encoder describes: what is compared with what."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.images.hand.front_end import find_hands
from handnet.images.hand_models.model_files import has_hand_models
from handnet.images.hand_models.models import share_hand_models


def find_picture_landmarks(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64] | None:
    """Return the 21 landmarks of each hand, in the order of `Hands.landmarks`; None where a hand is not found.

    They are looked for in the pictures themselves, which may have been cropped and aligned by colour. Where the networks that
    find them are not in the cache, there are none.

    Args:
        pictures: uint8 (2, S, S, 3).

    Returns:
        (2, 21, 2) as (y, x) in 0..1 of the picture.

    Raises:
        WeightsError: a file of the networks that find landmarks is another one.
    """
    if not has_hand_models():
        return None
    size, models = pictures.shape[1], share_hand_models()
    hands = [find_hands(tf.constant(picture), models) for picture in pictures]
    if not all(bool(hand.found[0]) for hand in hands):
        return None
    return np.stack([(np.asarray(hand.landmarks[0], np.float64) + 0.5) / size for hand in hands])
