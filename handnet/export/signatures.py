"""The signatures of the SavedModel, as graph functions of core TensorFlow operations."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.images.decode import read_photo
from handnet.images.hand.findings import FINDINGS, SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE
from handnet.images.hand_facts import FACT_SPECS, HandFacts, fit_with_facts, word_facts
from handnet.images.header_guard import load_photos
from handnet.images.pillow_decode import read_for_graph
from handnet.images.seen_hand import PROBLEM_OUTPUTS, UNREADABLE, UNUSABLE
from handnet.metrics.pairs.calibration import Calibration, compute_probability
from handnet.networks.encoder import Encoder
from handnet.networks.merging import merge_equal_nodes

# tf.types.experimental.PolymorphicFunction, which has no type.
Function: TypeAlias = Any
# What a signature returns, by name.
Outputs: TypeAlias = dict[str, npt.NDArray[Any]]

DEFAULT = "serving_default"
# Where signatures differ by more when run as they were written, they are run as TensorFlow optimises them.
_PLAIN_ERROR = 1e-5
# Photos on which the signatures other than `embed` are compared; pixels of each are sent alone, since each has its own size.
_NUM_FEW = 4
# The beginning of a PNG and no more; the JPEG library would write of such a JPEG on standard error.
_DAMAGED = b"\x89PNG\r\n\x1a\n"


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
        return shared.embed(*shared.fit(images))

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
            parts = [shared.fit(first), shared.fit(second)]
        return answer(*(tf.concat(part, axis=0) for part in zip(*parts, strict=True)))

    return {**signatures, "verify": verify, "verify_pixels": verify_pixels}


class Steps(NamedTuple):
    """The steps of the signatures, each a graph function: the model holds it once, no matter how many signatures call it.

    Attributes:
        load: bytes of photos (B,) → uint8 (B, S, S, 3) and bool (B,), as `load_photos`; then the fields of `HandFacts`, where
            hands are found by landmarks.
        fit: whole upright photos, uint8 (B, H, W, 3) → the same.
        embed: all of these → `embeddings`, float32 (B, D), `ok`, and the facts by their names.
        compare: (squares, ok) of first photos and then of as many second ones → similarity, float32 (B,), and ok, bool (B,).
    """

    load: Function
    fit: Function
    embed: Function
    compare: Function


def share_steps(encoder: Encoder, image: ImageConfig, head: PairHead | None) -> Steps:
    """Build the steps; see `build_signatures` for the arguments."""
    photo = tf.TensorSpec((None, None, 3), tf.uint8)
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

    @share(tf.TensorSpec((None, None, None, 3), tf.uint8))
    def fit(images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.map_fn(fit_one, images, fn_output_signature=each)

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
    functions = {name: function.get_concrete_function() for name, function in signatures.items()}
    # Not `keras.export.ExportArchive`, which stores each variable twice.
    module = tf.Module()
    used = {variable.ref(): variable for function in functions.values() for variable in function.variables}
    module.weights = list(used.values())
    tf.saved_model.save(module, str(folder), signatures=functions)
    merge_equal_nodes(folder)
    return list(signatures)


def compare_archive(
    folder: Path,
    paths: Sequence[str],
    expected: npt.NDArray[np.float32],
    image: ImageConfig,
    calibration: Calibration | None,
    scores: npt.NDArray[np.float32] | None = None,
) -> float:
    """Run every signature of a written SavedModel on photos and return the largest difference from what is expected.

    `embed` is run on all photos, the others, which call the same steps, on the first four.

    Args:
        folder: the SavedModel.
        paths: one photo or more.
        expected: float32 (N, D), the encoder's vectors of these photos.
        image: how photos were decoded in training.
        calibration: what `verify` was built with.
        scores: float32 (N,), the head's scores of each photo with the first; None where the cosine decides.

    Returns:
        The largest absolute difference of vectors, similarities and probabilities; infinity where a flag or a decision is
        not the right one, or where a damaged photo among the others is not flagged or moves its neighbours.
    """
    signatures = tf.saved_model.load(str(folder)).signatures
    # A photo that ends within its header stands between good ones. Half a photo would not do: phones append videos.
    contents = [read_for_graph(path) for path in paths]
    pixels = [read_photo(tf.constant(photo), image)[None] for photo in contents[:_NUM_FEW]]
    contents.insert(1, _DAMAGED)
    ok = np.arange(len(contents)) != 1
    vectors = np.insert(expected, 1, 0.0, axis=0)

    def compare_vectors(name: str, count: int) -> tuple[list[float], Outputs]:
        received = _run(signatures[name], photos=tf.constant(contents[:count]))
        return [_differ(received["embeddings"], vectors[:count]), _differ_flags(received["ok"], ok[:count])], received

    def compare_others() -> float:
        few = _NUM_FEW + 1
        differences, seen = compare_vectors(DEFAULT, few)
        for photo, vector in zip(pixels, expected, strict=False):
            received = _run(signatures["embed_pixels"], images=photo)
            differences.append(_differ(received["embeddings"], vector[None]))
        if calibration is not None:
            # Each against the first, which is also the pair of a photo with itself; of the damaged one there is none.
            similarities = np.insert(expected @ expected[0] if scores is None else scores, 1, 0.0)[:few]
            first, fit = contents[:few], ok[:few] & _find_fit(seen)
            answered = fit & fit[0]
            received = _run(signatures["verify"], first=tf.constant(first), second=tf.constant(first[:1] * len(first)))
            differences.append(_differ_flags(received["ok"], answered))
            differences += _differ_pairs(received, similarities, answered, calibration)
            for photo, row in zip(pixels, np.flatnonzero(ok[:few]), strict=True):
                received = _run(signatures["verify_pixels"], first=photo, second=pixels[0])
                differences += _differ_pairs(received, similarities[[row]], answered[[row]], calibration)
        return float(np.max(differences))

    difference = float(np.max(compare_vectors("embed", len(contents))[0]))
    # The others hold the same steps. Optimising these once more for each takes several times as long as running them.
    with _without_graph_optimizer():
        other = compare_others()
    if not other <= _PLAIN_ERROR:
        other = compare_others()
    return max(difference, other)


def _find_fit(seen: Outputs) -> npt.NDArray[np.bool_]:
    """Return of which photos a pair may have an answer, (N,) bool, by what `embed` says of them."""
    if "finding" not in seen:
        return np.ones(len(seen["ok"]), np.bool_)
    several = seen["finding"] == FINDINGS[SEVERAL].encode()
    return np.asarray(~several & (seen["quality"] > 0.0), np.bool_)


@contextlib.contextmanager
def _without_graph_optimizer() -> Iterator[None]:
    """Run graph functions as they were written."""
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _differ_pairs(
    received: Mapping[str, npt.NDArray[np.generic]],
    similarities: npt.NDArray[np.floating],
    ok: npt.NDArray[np.bool_],
    calibration: Calibration,
) -> list[float]:
    expected = np.where(ok, similarities, 0.0)
    # From the model's own similarities, so that a steep curve does not magnify their rounding.
    probability = compute_probability(calibration, received["similarity"])
    decision = received["similarity"] >= np.float32(calibration.equal_error_threshold)
    return [
        _differ(received["similarity"], expected),
        _differ(received["probability"], np.where(ok, probability, 0.0)),
        _differ_flags(received["decision"], ok & decision),
    ]


def _run(signature: Callable[..., Mapping[str, tf.Tensor]], **inputs: tf.Tensor) -> Outputs:
    return {name: value.numpy() for name, value in signature(**inputs).items()}


def _differ(received: npt.NDArray[Any], expected: npt.NDArray[np.floating]) -> float:
    # NaN compares as different.
    difference = float(np.max(np.abs(received - expected), initial=0.0))
    return difference if np.isfinite(difference) else np.inf


def _differ_flags(received: npt.NDArray[np.generic], expected: npt.NDArray[np.bool_]) -> float:
    return 0.0 if np.array_equal(received, expected) else np.inf
