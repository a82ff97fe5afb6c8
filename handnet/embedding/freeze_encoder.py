"""Keeping a run's encoder as a frozen graph at its first answer; `handnet.embedding.frozen_encoder` reads and runs it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.config.run_folder import Run
from handnet.data.cache import mark_used, trim_cache, use_folder, write_cached
from handnet.data.checks import read_photo
from handnet.embedding.encode import embed_once
from handnet.embedding.few_photos import decode_few
from handnet.embedding.frozen_encoder import (
    PAIR_GRAPH,
    PHOTO_GRAPH,
    FrozenEncoder,
    find_frozen_file,
    is_switched_on,
    join_frozen,
)
from handnet.errors import RunError
from handnet.files import check_free_space
from handnet.images.blank_check import is_blank
from handnet.images.decode import read_photo as read_upright
from handnet.images.hand_facts import fit_with_facts
from handnet.networks.encoder import Encoder
from handnet.networks.freezing import freeze
from handnet.networks.frozen_graph import FrozenGraph
from handnet.networks.graph_session import GraphError

# Largest difference of a number of a unit vector. The optimizer of TensorFlow, which the frozen graph does without, rounds
# some operation of the hand's mask otherwise: then single pixels of a crop differ by one of 255, and the vector by some 1e-5.
MAX_ERROR = 2e-4


def keep_frozen(run: Run, encoder: Encoder, classifier: keras.Model | None, digest: str, paths: Sequence[str]) -> str:
    """Freeze a run's encoder, compare it with the encoder on photos, and keep it in the cache, unless switched off.

    Args:
        run: the run.
        encoder: its encoder.
        classifier: its classifier of pairs, if any.
        digest: of the model, as galleries know it.
        paths: photos, of which one at least can be used.

    Returns:
        "" or why nothing is kept.

    Raises:
        DiskError: the cache cannot be written.
        RunError: the frozen graph gives other vectors.
    """
    if not is_switched_on():
        return ""
    if keras.backend.backend() != "tensorflow":
        return f"the encoder runs on {keras.backend.backend()}"
    file = find_frozen_file(run)
    # Before the work, not after it.
    check_free_space(file.parent, 0)
    try:
        graphs = {PHOTO_GRAPH: _freeze_photo(encoder, run.config.image)}
        if classifier is not None:
            graphs[PAIR_GRAPH] = _freeze_pair(classifier)
        facts = {"width": int(encoder.model.output_shape[-1]), "digest": digest}
        if reason := _compare(FrozenEncoder(run, facts, graphs), run, encoder, paths):
            return reason
    except GraphError as error:
        return str(error)
    use_folder(file.parent)
    write_cached(file, join_frozen(facts, graphs))
    mark_used([file])
    trim_cache()
    return ""


def _freeze_photo(encoder: Encoder, image: ImageConfig) -> FrozenGraph:
    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="contents")], autograph=False)
    def embed(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        photo = read_upright(contents, image)
        square, ok, facts = fit_with_facts(photo, image)
        features = encoder.backbone(square[None], training=False)
        embedding = encoder.head(features, training=False)
        found = {"ok": ok, "blank": is_blank(photo), "features": features[0], "embedding": embedding[0]}
        if facts is None:
            return found
        return {**found, **{name: getattr(facts, name) for name in ("score", "palmar", "right", "quality", "finding")}}

    return freeze(embed.get_concrete_function())


def _freeze_pair(classifier: keras.Model) -> FrozenGraph:
    width = classifier.inputs[0].shape[-1]
    specs = [tf.TensorSpec((1, width), tf.float32, name=name) for name in ("first", "second")]

    @tf.function(input_signature=specs, autograph=False)
    def score(first: tf.Tensor, second: tf.Tensor) -> dict[str, Any]:
        return {"score": 2.0 * classifier({"first": first, "second": second}, training=False)[:, 0] - 1.0}

    return freeze(score.get_concrete_function())


def _compare(frozen: FrozenEncoder, run: Run, encoder: Encoder, paths: Sequence[str]) -> str:
    """Compare vectors and refusals of photos; return "" or why that says nothing: none of them can be used."""
    squares = [found.pixels for found in decode_few(paths, run.config.image)]
    usable = [square for square in squares if square is not None]
    if not usable:
        return "none of the photos can be used"
    vectors = iter(embed_once(encoder.model, np.stack(usable)))
    for path, square in zip(paths, squares, strict=True):
        received = frozen.embed(read_photo(path)[0])
        if (square is None) != (received.embedding is None):
            raise RunError(
                f"Of the encoder and its frozen graph one refuses {path!r}. The graph: {received.problem!r}."
            )
        if square is None or received.embedding is None:
            continue
        if not (error := float(np.max(np.abs(next(vectors) - received.embedding)))) <= MAX_ERROR:
            raise RunError(
                f"The frozen encoder differs from the encoder by {error:.2g} on {path!r}; at most {MAX_ERROR:g} is allowed."
            )
    return ""
