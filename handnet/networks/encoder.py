"""The encoder (backbone, projection head, unit length) and the twin network over it, as Keras functional models."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from handnet.config.run_folder import (
    WEIGHTS_FILE,
    Run,
    find_weights,
    is_run,
    read_run,
)
from handnet.config.settings import Config
from handnet.errors import RunError, WeightsError, name_few
from handnet.networks.backbones import find_backbone
from handnet.networks.backbones.assign import copy_weights
from handnet.networks.backbones.build import build_backbone
from handnet.networks.backbones.taps import list_sources
from handnet.networks.backbones.trainable import set_trainable
from handnet.networks.backbones.vision_transformer.lora import merge_lora
from handnet.networks.device import set_precision
from handnet.networks.heads import select_head

ENCODER_NAME = "encoder"
UNIT_LAYER = "unit"


@keras.saving.register_keras_serializable("handnet")
class UnitNormalization(keras.layers.Layer):
    """Scales each row to Euclidean length 1, in float32 under every precision policy; a row of zeros stays zero."""

    def __init__(self, name: str | None = None, dtype: str | None = "float32", trainable: bool = False) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)

    def call(self, inputs: Any) -> Any:
        """Return float32 (B, D) rows of unit length from (B, D)."""
        rows = ops.cast(inputs, "float32")
        return rows * ops.rsqrt(ops.maximum(ops.sum(ops.square(rows), axis=-1, keepdims=True), 1e-12))


@keras.saving.register_keras_serializable("handnet")
class PairDistance(keras.layers.Layer):
    """Euclidean distance of two batches of vectors, in float32, with a finite gradient at distance 0."""

    def __init__(self, name: str | None = None, dtype: str | None = "float32", trainable: bool = False) -> None:
        super().__init__(name=name, dtype=dtype, trainable=trainable)

    def call(self, first: Any, second: Any) -> Any:
        """Return float32 (B, 1) distances of (B, D) and (B, D)."""
        difference = ops.cast(first, "float32") - ops.cast(second, "float32")
        return ops.sqrt(ops.maximum(ops.sum(ops.square(difference), axis=-1, keepdims=True), 1e-12))


class Encoder(NamedTuple):
    """An encoder and its two parts, which share its variables.

    Attributes:
        model: image (B, S, S, 3) of values 0..255 → float32 (B, D) of unit length; what is saved and exported.
        backbone: image (B, S, S, 3) → features (B, F).
        head: features (B, F) → float32 (B, D) of unit length.
    """

    model: keras.Model
    backbone: keras.Model
    head: keras.Model


def build_encoder(config: Config, weights: str | None = None) -> Encoder:
    """Build the encoder of a configuration.

    Args:
        config: `image.size_px` and `model`; `model.weights` may be the folder of a run, whose backbone it then begins with.
        weights: instead of `config.model.weights`; "none" where weights are loaded over it at once.

    Returns:
        The encoder; D is `model.embedding_size`.

    Raises:
        ConfigError: an unknown architecture, head or way of training.
        WeightsError: the weights are out of reach or do not fit.
        RunError: the run that they are to come from is damaged.
    """
    settings, size = config.model, config.image.size_px
    head = select_head(settings)
    weights = settings.weights if weights is None else weights
    from_run = is_run(Path(weights))
    rank = settings.trainable.removeprefix("lora-")
    backbone = build_backbone(
        settings.arch,
        image_size_px=size,
        weights="none" if from_run else weights,
        position_rule=settings.position_rule,
        seed=config.train.seed,
        lora_rank=int(rank) if rank.isdecimal() and rank != settings.trainable else 0,
        drop_path_rate=settings.drop_path,
        recompute=settings.recompute,
        taps=settings.taps,
        sources=settings.sources,
    )
    if from_run and (entry := find_backbone(settings.arch)).joins_sources:
        raise WeightsError(
            f"{settings.arch!r} joins frozen networks that come with their own weights: there is nothing to take from the run "
            f"{weights!r}. Give --weights {entry.defaults['model']['weights']}."
        )
    if from_run:
        copy_weights(load_run_backbone(Path(weights), settings.arch), backbone, weights)
    set_trainable(backbone, "lora" if rank != settings.trainable else settings.trainable, settings.freeze_norms)
    images = keras.Input((size, size, 3), name="image")
    features = backbone(images)
    embeddings = UnitNormalization(name=UNIT_LAYER)(head.build(config, features, list_sources(backbone)))
    # The head's layers lie flat in the encoder, next to the backbone: so weight files have always held them.
    return Encoder(
        keras.Model(images, embeddings, name=ENCODER_NAME),
        backbone,
        keras.Model(features, embeddings, name="head"),
    )


def load_run_weights(model: keras.Model, file: Path) -> None:
    """Load a weight file of a run into the model it was saved from; RunError where it is damaged or of another model."""
    try:
        with warnings.catch_warnings():
            # Keras only warns where a file lacks a layer, and leaves its random weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(file)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"{str(file)!r} does not fit the run's configuration or is damaged: {reason} Train it again, as you must where an "
            "earlier handnet built the backbone in another way (inception-v3)."
        ) from None
    # The file has no checksums, and a network with a damaged number answers all the same: often that all hands are one person's.
    not_finite = [v.path for v in model.weights if not np.isfinite(keras.ops.convert_to_numpy(v.value)).all()]
    if not_finite:
        raise RunError(
            f"{str(file)!r} is damaged: it holds values that are no finite numbers ({name_few(not_finite)}). Train it again, or "
            "copy it again if this is a copy."
        )


def load_run_backbone(folder: Path, arch: str) -> keras.Model:
    """Return the backbone of a run, LoRA updates merged.

    Raises:
        RunError: the run is damaged, or was stopped before it began.
        WeightsError: it has trained another architecture.
    """
    run = read_run(folder)
    if run.config.model.arch != arch:
        raise WeightsError(
            f"The run {str(folder)!r} has trained {run.config.model.arch!r}. Received: arch={arch!r}. "
            f"Choose {run.config.model.arch!r}."
        )
    if not (folder / WEIGHTS_FILE).is_file():
        raise RunError(f"{str(folder)!r} has no {WEIGHTS_FILE}: the run was stopped before it began.")
    encoder = build_encoder(run.config, weights="none")
    load_run_weights(encoder.model, folder / WEIGHTS_FILE)
    return merge_lora(encoder.backbone)


def merge_encoder(encoder: Encoder) -> Encoder:
    """Return the same encoder without LoRA, the updates added to the matrices; without LoRA it is returned itself."""
    backbone = merge_lora(encoder.backbone)
    if backbone is encoder.backbone:
        return encoder
    images = keras.Input(encoder.model.input_shape[1:], name="image")
    return Encoder(keras.Model(images, encoder.head(backbone(images)), name=ENCODER_NAME), backbone, encoder.head)


def build_twin(encoder: keras.Model) -> keras.Model:
    """Build the twin network: {"first", "second"} images → their embeddings' distance (B, 1), one encoder for both.

    Given the head of an encoder, it takes features instead of images.
    """
    shape = encoder.input_shape[1:]
    first, second = keras.Input(shape, name="first"), keras.Input(shape, name="second")
    distance = PairDistance(name="distance")(encoder(first), encoder(second))
    return keras.Model({"first": first, "second": second}, distance, name="twin")


def load_encoder(run: Run) -> Encoder:
    """Build a run's encoder in float32 and load its best weights.

    Raises:
        RunError: the weights are missing or do not fit.
    """
    set_precision("float32")
    encoder = build_encoder(run.config, weights="none")
    load_run_weights(encoder.model, find_weights(run))
    return encoder
