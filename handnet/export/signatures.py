"""The signatures of the SavedModel, as graph functions of core TensorFlow operations."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.images.hand.findings import SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE
from handnet.images.hand_facts import FACT_SPECS, HandFacts, fit_with_facts, word_facts
from handnet.images.header_guard import load_photos
from handnet.images.seen_hand import PROBLEM_OUTPUTS, UNREADABLE, UNUSABLE
from handnet.images.traced_once import trace_apart
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.compact_graph import compact_graph
from handnet.networks.encoder import Encoder

# tf.types.experimental.PolymorphicFunction, which has no type.
Function: TypeAlias = Any

DEFAULT = "serving_default"


class PairHead(NamedTuple):
    """What decides on a pair in place of the cosine.

    Attributes:
        classifier: {"first", "second"}: features → probability (B, 1).
        features: "embedding" or "backbone": which features these are.
        calibration: of the score 2 · probability - 1.
    """

    classifier: keras.Model
    features: str
    calibration: Calibration


def build_signatures(
    encoder: Encoder, image: ImageConfig, calibration: Calibration | None, head: PairHead | None = None
) -> dict[str, Function]:
    """Build the graph functions by the names of the signatures; each takes any batch size, zero included.

    - `embed`, also by the name `serving_default`: `photos`, the bytes of JPEG, PNG, GIF or BMP files (B,) → `embeddings`,
      float32 (B, D) of unit length, and `ok`, bool (B,): false, with a row of zeros, where a photo cannot be decoded or,
      where the hand is cropped, shows none. Where the hand is found by its landmarks also, all of (B,): `hand_score` (0..1),
      `view` ("dorsal", "palmar"), `side` ("left", "right"), `view_confidence` (0.5..1, of both), `landmarks` (B, 21, 2) as
      (y, x) fractions of the upright photo's height and width, `quality` (0: do not use it, to 1), 0 and "" without a hand,
      and `finding` ("one hand", "no hand", "several hands", "a hand cut off by the border").
    - `embed_pixels`: `images`, uint8 (B, H, W, 3) of whole upright photos of one size → the same.
    - `verify`, where there is a calibration: `first` and `second`, the bytes of photos (B,) → `similarity`, `probability`
      (0..1, at prior 0.5), `decision` (similarity at or above the threshold of equal errors) and `ok`, all (B,). The
      similarity is the cosine, or the score of the head. Where the hand is found by its landmarks `ok` is false also for
      photos that show several hands or too little of one, and `first_problem` and `second_problem` say which photo it is
      and why, "" for a good one.
    - `verify_pixels`, likewise: `first` and `second`, uint8 (B, H, W, 3), whole upright photos, of one size in each.

    Args:
        encoder: without LoRA.
        image: how photos were decoded in training.
        calibration: from similarity to probability, or None.
        head: decides on pairs in place of the cosine and its calibration.
    """

    photos_spec = tf.TensorSpec((None,), tf.string, name="photos")
    images_spec = tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")
    pair_spec = [tf.TensorSpec((None,), tf.string, name=name) for name in ("first", "second")]
    pixels_spec = [tf.TensorSpec((None, None, None, 3), tf.uint8, name=name) for name in ("first", "second")]
    deciding = head.calibration if head is not None else calibration
    shared = share_steps(encoder, image, head)

    @partial(tf.function, input_signature=[photos_spec], autograph=False)
    def embed(photos: tf.Tensor) -> dict[str, tf.Tensor]:
        return shared.embed(*shared.load(photos))

    @partial(tf.function, input_signature=[images_spec], autograph=False)
    def embed_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return shared.embed(*shared.fit(images, images[:0]))

    # One function by two names: its graph is stored once.
    signatures = {DEFAULT: embed, "embed": embed, "embed_pixels": embed_pixels}
    if deciding is None:
        return signatures

    def answer(pixels: tf.Tensor, ok: tf.Tensor, *known: tf.Tensor) -> dict[str, tf.Tensor]:
        problems = tf.split(word_problems(ok, HandFacts(*known)), 2) if known else []
        fit = tf.equal(tf.concat(problems, axis=0), "") if known else ok
        similarity, both_fit = shared.compare(pixels, fit)
        seen = dict(zip(PROBLEM_OUTPUTS, problems, strict=False))
        return {**decide_pairs(similarity, both_fit, deciding), "ok": both_fit, **seen}

    @partial(tf.function, input_signature=pair_spec, autograph=False)
    def verify(first: tf.Tensor, second: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(check_as_many(first, second)):
            photos = shared.load(tf.concat([first, second], axis=0))
        return answer(*photos)

    @partial(tf.function, input_signature=pixels_spec, autograph=False)
    def verify_pixels(first: tf.Tensor, second: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(check_as_many(first, second)):
            photos = shared.fit(first, second)
        return answer(*photos)

    return {**signatures, "verify": verify, "verify_pixels": verify_pixels}


class Steps(NamedTuple):
    """The steps of the signatures, each a graph function: the model holds it once, no matter how many signatures call it.

    Attributes:
        load: bytes of photos (B,) → uint8 (B, S, S, 3) and bool (B,), as `load_photos`; then the fields of `HandFacts`, where
            hands are found by landmarks.
        fit: whole upright photos of two sizes, uint8 (B, H, W, 3) and (C, K, L, 3) → the same of the B + C photos.
        embed: all of these → `embeddings`, float32 (B, D), `ok`, and the facts by their names.
        compare: (squares, ok) of first photos and then of as many second ones → similarity, float32 (B,), and ok, bool (B,).
    """

    load: Function
    fit: Function
    embed: Function
    compare: Function


def share_steps(encoder: Encoder, image: ImageConfig, head: PairHead | None) -> Steps:
    """Build the steps; see `build_signatures` for the arguments."""
    photo, photos = (tf.TensorSpec((*some, None, None, 3), tf.uint8) for some in ((), (None,)))
    squares, ok = tf.TensorSpec((None, image.size_px, image.size_px, 3), tf.uint8), tf.TensorSpec((None,), tf.bool)
    facts = tuple(FACT_SPECS) if image.hand_finder == "landmarks" else ()
    each = (tf.TensorSpec(squares.shape[1:], tf.uint8), tf.TensorSpec((), tf.bool), *facts)
    of_photos = [tf.TensorSpec((None, *fact.shape), fact.dtype) for fact in facts]
    of_backbone = head is not None and head.features == "backbone"

    def share(*specs: tf.TensorSpec) -> Callable[[Callable[..., Any]], Function]:
        return partial(tf.function, input_signature=specs, autograph=False)

    @share(photo)
    def fit_one(photo: tf.Tensor) -> tuple[tf.Tensor, ...]:
        square, ok, known = fit_with_facts(photo, image)
        return square, ok, *(known or ())

    @share(tf.TensorSpec((None,), tf.string))
    def load(photos: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return load_photos(photos, image, fit_one, facts)

    # One loop for both: each would hold the crop, which is most of the graph, once more when TensorFlow prepares it.
    @share(photos, photos)
    def fit(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, ...]:
        count = tf.shape(first)[0]

        def fit_at(place: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return fit_one(tf.cond(place < count, lambda: first[place], lambda: second[place - count]))

        return tf.map_fn(fit_at, tf.range(count + tf.shape(second)[0]), fn_output_signature=each)

    @share(squares)
    def describe(pixels: tf.Tensor) -> tf.Tensor:
        return encode(encoder.backbone if of_backbone else encoder.model, pixels)

    @share(squares, ok, *of_photos)
    def embed(pixels: tf.Tensor, ok: tf.Tensor, *known: tf.Tensor) -> dict[str, tf.Tensor]:
        described = describe(pixels)
        embeddings = encoder.head(described, training=False) if of_backbone else described
        seen = word_facts(HandFacts(*known)) if known else {}
        return {"embeddings": tf.where(ok[:, None], embeddings, 0.0), "ok": ok, **seen}

    @share(squares, ok)
    def compare(pixels: tf.Tensor, ok: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        one, two = tf.split(describe(pixels), 2)
        both_ok = tf.reduce_all(tf.reshape(ok, (2, -1)), axis=0)
        if head is None:
            similarity = tf.reduce_sum(one * two, axis=1)
        else:
            similarity = 2.0 * head.classifier({"first": one, "second": two}, training=False)[:, 0] - 1.0
        return tf.where(both_ok, similarity, 0.0), both_ok

    # Each by itself before those that call it.
    for step in (describe, fit_one, load):
        trace_apart(step)
    return Steps(load, fit, embed, compare)


def word_problems(ok: tf.Tensor, facts: HandFacts) -> tf.Tensor:
    """Return why N photos cannot be compared, string (N,), "" where they can: as a run says it, `explain_unfit`.

    Args:
        ok: bool (N,), the photo can be decoded and shows a hand.
        facts: (N, …), as `FACT_SPECS` says of one photo.
    """
    unreadable = tf.where(facts.quality > 0.0, "", UNREADABLE)
    problems = tf.where(tf.equal(facts.finding, SEVERAL), NOT_ONE[SEVERAL], unreadable)
    return tf.where(ok, problems, UNUSABLE)


def check_as_many(first: tf.Tensor, second: tf.Tensor) -> list[tf.Operation]:
    """Return the operations, none outside of a graph, that fail unless both hold as many photos."""
    check = tf.debugging.assert_equal(
        tf.shape(first)[0], tf.shape(second)[0], "`first` and `second` must hold as many photos."
    )
    return [check] if check is not None else []


def score_squares(siamese: keras.Model, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the scores (B,) of pairs of uint8 (B, S, S, 3), B = 0 included."""
    count = tf.shape(first)[0]
    padding = [[0, tf.cast(tf.equal(count, 0), tf.int32)], [0, 0], [0, 0], [0, 0]]
    # The network takes float; what the layers would do by themselves is done here, where the type is known.
    pair = {name: tf.cast(tf.pad(part, padding), tf.float32) for name, part in (("first", first), ("second", second))}
    return siamese(pair, training=False)[:count, 0]


def encode(encoder: keras.Model, pixels: tf.Tensor) -> tf.Tensor:
    """Embed uint8 (B, S, S, 3), B = 0 included, on which TensorFlow's convolutions for the CPU fail."""
    count = tf.shape(pixels)[0]
    added = tf.cast(tf.equal(count, 0), tf.int32)
    return encoder(tf.pad(pixels, [[0, added], [0, 0], [0, 0], [0, 0]]), training=False)[:count]


def decide_pairs(similarity: tf.Tensor, ok: tf.Tensor, calibration: Calibration) -> dict[str, tf.Tensor]:
    """Turn similarities into probabilities and decisions; a pair with a photo that failed is never accepted.

    Args:
        similarity: float32 (B,), cosine.
        ok: bool (B,), both photos could be decoded.
        calibration: its logistic curve and its threshold of equal errors are used.
    """
    # In float64: a steep curve would magnify float32's rounding.
    ratio = calibration.slope * tf.cast(similarity, tf.float64) + calibration.intercept
    probability = tf.cast(tf.sigmoid(ratio), tf.float32)
    return {
        "similarity": similarity,
        "probability": tf.where(ok, probability, 0.0),
        "decision": ok & (similarity >= calibration.equal_error_threshold),
    }


def write_archive(
    encoder: Encoder,
    image: ImageConfig,
    calibration: Calibration | None,
    folder: Path,
    head: PairHead | None = None,
) -> list[str]:
    """Write the SavedModel and return the names of its signatures."""
    signatures = build_signatures(encoder, image, calibration, head)
    functions = {name: trace_apart(function) for name, function in signatures.items()}
    # Not `keras.export.ExportArchive`, which stores each variable twice.
    module = tf.Module()
    used = {variable.ref(): variable for function in functions.values() for variable in function.variables}
    module.weights = list(used.values())
    # An exported model is not trained: without its gradients it is written in two thirds of the time.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=functions, options=options)
    compact_graph(folder)
    return list(signatures)
