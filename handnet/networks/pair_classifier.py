"""The classifier of a pair: the features of two photos to the probability that both show one person, whichever comes first."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from handnet.config.settings import PairsConfig
from handnet.errors import ConfigError, format_unknown
from handnet.networks.encoder import Encoder

Tensor = Any
EPSILON = 1e-6


class PairForm(NamedTuple):
    """How two vectors become one.

    Attributes:
        join: (B, F), (B, F) → (B, J).
        symmetric: whether `join` gives the same for either order; where not, the logits of both orders are averaged.
        hidden: whether hidden layers follow; without them the logit is a weighted sum of the joined features.
    """

    join: Callable[[Tensor, Tensor], Tensor]
    symmetric: bool = True
    hidden: bool = True


def concatenate(first: Tensor, second: Tensor) -> Tensor:
    """Return both vectors one after the other, (B, 2F)."""
    return ops.concatenate([first, second], axis=-1)


def differ_absolutely(first: Tensor, second: Tensor) -> Tensor:
    """Return |a - b|, (B, F)."""
    return ops.abs(first - second)


def differ_squared(first: Tensor, second: Tensor) -> Tensor:
    """Return (a - b)², (B, F)."""
    return ops.square(first - second)


def multiply(first: Tensor, second: Tensor) -> Tensor:
    """Return a · b by element, (B, F)."""
    return first * second


def differ_chi_square(first: Tensor, second: Tensor) -> Tensor:
    """Return the terms (a - b)² / (a + b) of the weighted χ² distance, (B, 2F); the logit's weights are its w.

    It is meant for features of at least 0. To allow negative ones, positive and negative parts are kept apart; of
    features that are not negative the second half is 0. Where a and b are 0 the term is 0.

    Reference:
        Taigman et al. 2014, "DeepFace", section 4.1.
    """
    first, second = (ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1) for x in (first, second))
    return ops.square(first - second) / (first + second + EPSILON)


def build_pair_classifier(num_features: int, config: PairsConfig, seed: int = 0) -> keras.Model:
    """Build the classifier of a pair of feature vectors.

    Joined features → batch normalisation → Dense, ReLU, dropout (wider, then narrower) → one logit → sigmoid. Exchanging
    the two photos gives exactly the same output outside of training.

    Args:
        num_features: F.
        config: form, hidden sizes and dropout.
        seed: of the initial weights and of dropout.

    Returns:
        {"first", "second"}: float (B, F) → float32 (B, 1), 0..1.

    Raises:
        ConfigError: an unknown form.
    """
    if config.form not in PAIR_FORMS:
        raise ConfigError(format_unknown("value of pairs.form:", config.form, [*PAIR_FORMS, "none"]))
    form = PAIR_FORMS[config.form]
    first = keras.Input((num_features,), name="first")
    second = keras.Input((num_features,), name="second")
    num_joined = int(form.join(first, second).shape[-1])
    x = joined = keras.Input((num_joined,), name="joined")
    x = keras.layers.BatchNormalization(momentum=0.9, name="pair_norm")(x)
    for k, size in enumerate(config.hidden_sizes if form.hidden else ()):
        x = keras.layers.Dense(
            size, "relu", kernel_initializer=keras.initializers.HeUniform(seed + k), name=f"pair_hidden_{k}"
        )(x)
        x = keras.layers.Dropout(config.dropout, seed=seed + 100 + k, name=f"pair_dropout_{k}")(x)
    logit = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed + 50), name="pair_logit")(x)
    score = keras.Model(joined, logit, name="pair_score")
    output = score(form.join(first, second))
    if not form.symmetric:
        output = (output + score(form.join(second, first))) / 2
    probability = keras.layers.Activation("sigmoid", dtype="float32", name="probability")(output)
    return keras.Model({"first": first, "second": second}, probability, name="pair_classifier")


def build_siamese(encoder: Encoder, classifier: keras.Model | None = None, features: str = "embedding") -> keras.Model:
    """Build the Siamese model: two images to one score, one encoder for both.

    Args:
        encoder: of both images.
        classifier: from `build_pair_classifier`; without it the score is the cosine.
        features: "embedding" or "backbone": what the classifier takes.

    Returns:
        {"first", "second"}: images (B, S, S, 3) → score, float32 (B, 1): the cosine, or 2 · probability - 1; -1..1.
    """
    shape = encoder.model.input_shape[1:]
    first, second = keras.Input(shape, name="first"), keras.Input(shape, name="second")
    describe = encoder.model if classifier is None or features == "embedding" else encoder.backbone
    one, two = describe(first), describe(second)
    if classifier is None:
        score = ops.sum(one * two, axis=-1, keepdims=True)
    else:
        score = 2.0 * classifier({"first": one, "second": two}) - 1.0
    return keras.Model({"first": first, "second": second}, score, name="siamese")


PAIR_FORMS: dict[str, PairForm] = {
    "concatenation": PairForm(concatenate, symmetric=False),
    "absolute-difference": PairForm(differ_absolutely),
    "squared-difference": PairForm(differ_squared),
    "product": PairForm(multiply),
    "chi-square": PairForm(differ_chi_square, hidden=False),
    "l1-sigmoid": PairForm(differ_absolutely, hidden=False),
}
