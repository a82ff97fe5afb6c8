"""A few photos decoded and embedded operation by operation: for one answer, which a graph takes longer to trace than to give.

Nothing of it is read from the cache or kept in it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.checks import read_photo
from handnet.embedding.encode import embed_features, embed_once
from handnet.embedding.run_vectors import PhotoVectors
from handnet.images.blank_check import is_blank
from handnet.images.decode import read_photo as read_upright
from handnet.images.hand_facts import fit_with_facts, read_found_hand
from handnet.images.photo_store import Decoded
from handnet.images.pillow_decode import prepare_for_graph
from handnet.images.unusable_photos import DAMAGED, explain_unusable
from handnet.networks.encoder import Encoder


def decode_few(paths: Sequence[str], image: ImageConfig) -> list[Decoded]:
    """Return the pixels of photos as the network sees them, or why there are none, and what is seen of their hands.

    Args:
        paths: files.
        image: how they are decoded.
    """
    return [_decode(path, image) for path in paths]


def embed_few(encoder: Encoder, images: npt.NDArray[np.uint8], *, of_backbone: bool) -> PhotoVectors:
    """Embed a few photos.

    Args:
        encoder: the run's.
        images: uint8 (N, S, S, 3).
        of_backbone: a classifier of pairs takes the backbone's features, not the embeddings.
    """
    features = embed_once(encoder.backbone, images)
    embeddings = embed_features(encoder.head, features)
    return PhotoVectors(features if of_backbone else embeddings, embeddings)


def _decode(path: str, image: ImageConfig) -> Decoded:
    contents, problem = read_photo(path)
    contents, problem = (contents, problem) if problem else prepare_for_graph(contents)
    if problem:
        return Decoded(None, problem)
    try:
        photo = read_upright(tf.constant(contents), image)
        square, ok, facts = fit_with_facts(photo, image)
    except tf.errors.InvalidArgumentError:
        return Decoded(None, DAMAGED)
    if not ok:
        return Decoded(None, explain_unusable(bool(is_blank(photo)), image))
    return Decoded(np.asarray(square, np.uint8), "", None if facts is None else read_found_hand(facts))
