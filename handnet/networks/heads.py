"""Projection heads: what follows the backbone, before the embedding is brought to unit length.

Without Keras at import, so that settings can be completed and checked before TensorFlow starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handnet.config.settings import Config, ModelConfig
from handnet.errors import ConfigError, format_unknown
from handnet.metrics.joined_lda import Source, fit_joined_discriminant
from handnet.metrics.lda import fit_discriminant

if TYPE_CHECKING:
    import keras

Floats = npt.NDArray[Any]
# Settings, features (N, F), what they consist of, and the identity and, where there are any, the view of each row → the
# head's weights.
Fit = Callable[[ModelConfig, Floats, Sequence[Source], Sequence[str], Sequence[str] | None], list[Floats]]


def _check_nothing(_: ModelConfig) -> None:
    """Accept all settings."""


@dataclass(frozen=True)
class Head:
    """One projection head.

    Attributes:
        build: settings, the backbone's features (B, F) and what they consist of → (B, `model.embedding_size`).
        fit: finds the head's weights from the training features at once, in the order of `Encoder.head.weights`; None
            where the head is trained by gradient.
        check: raises ConfigError where the settings do not suit the head.
        describe: settings → how the head was found, for the model card; only of heads with a `fit`.
        settings: dotted names, or patterns of them, of the settings that it uses and not every head does; given for another
            head they are refused.
    """

    build: Callable[[Config, Any, Sequence[Source]], keras.KerasTensor]
    fit: Fit | None = None
    check: Callable[[ModelConfig], None] = _check_nothing
    describe: Callable[[ModelConfig], str] = lambda _: ""
    settings: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """How the head is trained: "gradient" or "closed form"."""
        return "gradient" if self.fit is None else "closed form"


def select_head(model: ModelConfig) -> Head:
    """Return the head that the settings name.

    Raises:
        ConfigError: an unknown head, or settings that do not suit it.
    """
    if model.head not in HEADS:
        raise ConfigError(format_unknown("value of model.head:", model.head, HEADS))
    head = HEADS[model.head]
    head.check(model)
    return head


def name_objective(config: Config) -> str:
    """Return what an encoder is trained for: the name of the loss, or of the head where it is found in closed form."""
    return config.loss.name if select_head(config.model).fit is None else config.model.head


def _build_mlp(config: Config, features: Any, sources: Sequence[Source]) -> keras.KerasTensor:
    import keras

    settings, seed = config.model, config.train.seed
    glorot = keras.initializers.GlorotUniform
    x = _scale_depths(features, sources)
    x = keras.layers.Dense(settings.hidden_size, kernel_initializer=glorot(seed + 1), name="head_hidden")(x)
    x = keras.layers.BatchNormalization(name="head_norm")(x)
    x = keras.layers.ReLU(name="head_relu")(x)
    x = keras.layers.Dropout(settings.dropout, seed=seed + 3, name="head_dropout")(x)
    return keras.layers.Dense(settings.embedding_size, kernel_initializer=glorot(seed + 2), name="head_embedding")(x)


def _scale_depths(features: Any, sources: Sequence[Source]) -> Any:
    import keras

    if all(len(source.widths) == 1 for source in sources):
        return features
    # Depths of a network differ in scale by more than ten times: each feature is brought to one, as the batches have it.
    return keras.layers.BatchNormalization(center=False, scale=False, name="head_scale")(features)


def _build_projection(config: Config, features: Any, sources: Sequence[Source]) -> keras.KerasTensor:
    import keras

    glorot = keras.initializers.GlorotUniform(config.train.seed + 2)
    x = _scale_depths(features, sources)
    return keras.layers.Dense(config.model.embedding_size, kernel_initializer=glorot, name="head_embedding")(x)


def _build_linear(config: Config, features: Any, _: Sequence[Source]) -> keras.KerasTensor:
    import keras

    # Random until it is found from the features; float32 under every policy, as it was found.
    glorot = keras.initializers.GlorotUniform(config.train.seed + 2)
    width = config.model.embedding_size
    return keras.layers.Dense(width, kernel_initializer=glorot, dtype="float32", name="head_linear")(features)


def _check_frozen(model: ModelConfig) -> None:
    if model.trainable != "none":
        raise ConfigError(
            f"model.head = {model.head!r} is found from the features of a frozen backbone. Received: model.trainable="
            f"{model.trainable!r}. Give --freeze, or model.head = 'mlp'."
        )


def _fit_lda(
    model: ModelConfig,
    features: Floats,
    _: Sequence[Source],
    identities: Sequence[str],
    views: Sequence[str] | None,
) -> list[Floats]:
    return list(fit_discriminant(features, list(identities), views, model.embedding_size, model.lda_penalty))


def _build_joined(config: Config, features: Any, sources: Sequence[Source]) -> keras.KerasTensor:
    from handnet.networks.joined_discriminant import JoinedDiscriminantLayer

    size = config.model.embedding_size
    return JoinedDiscriminantLayer(
        [sum(source.widths) for source in sources], _count_directions(size, sources), size, config.train.seed
    )(features)


def _count_directions(embedding_size: int, sources: Sequence[Source]) -> int:
    # Two coordinates are the view's.
    directions = (embedding_size - 2) // len(sources)
    if directions < 1:
        raise ConfigError(
            f"`model.embedding_size` must be at least {len(sources) + 2} for head 'joined-lda': two numbers, and one for each "
            f"source of features. Received: {embedding_size}."
        )
    return directions


def _fit_joined(
    model: ModelConfig,
    features: Floats,
    sources: Sequence[Source],
    identities: Sequence[str],
    views: Sequence[str] | None,
) -> list[Floats]:
    directions = _count_directions(model.embedding_size, sources)
    weights = {name: source.score_weight for name, source in model.sources.items()}
    sources = [source._replace(score_weight=weights.get(source.name, 1.0)) for source in sources]
    penalties = model.lda_penalty, model.lda_view_penalty
    found = fit_joined_discriminant(features, sources, identities, views, directions, *penalties)
    arrays = [array for source in found.maps for array in source]
    return [*arrays, found.view_kernel, found.view_bias, np.asarray(found.has_views, np.float32)]


HEADS: dict[str, Head] = {
    "mlp": Head(_build_mlp, settings=("model.hidden_size", "model.dropout")),
    "linear": Head(_build_projection),
    "lda": Head(
        _build_linear,
        fit=_fit_lda,
        check=_check_frozen,
        describe=lambda model: f"discriminant analysis in closed form, penalty {model.lda_penalty:g}",
        settings=("model.lda_penalty",),
    ),
    "joined-lda": Head(
        _build_joined,
        fit=_fit_joined,
        check=_check_frozen,
        describe=lambda model: (
            f"discriminant analysis in closed form of each source of features, penalty {model.lda_penalty:g}, lengths by the "
            "variance between people"
        ),
        settings=("model.lda_penalty", "model.lda_view_penalty", "model.sources.*.score_weight"),
    ),
}
