"""The hand models, ready to run: as functions in core TensorFlow operations, and as Keras models."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from handnet.images.hand_models.keras_model import build_keras_model
from handnet.images.hand_models.model_files import DETECTOR, LOCATOR, ModelFile, find_models_folder, read_model_file
from handnet.images.hand_models.operations import TENSORFLOW, read_weights, run_network
from handnet.images.hand_models.tflite import Network, parse_tflite

Run = Callable[[tf.Tensor], list[tf.Tensor]]


class HandModels(NamedTuple):
    """The two networks, their weights constants: no variables, so they run in a tf.data map and in any export.

    Attributes:
        detect: (B, 192, 192, 3) in 0..1 -> for each of 2,016 anchors a box with 7 key points (B, 2016, 18) and a logit
            (B, 2016, 1); see `handnet.images.hand.palms`.
        locate: (B, 224, 224, 3) in 0..1, a hand with its fingers up -> landmarks (B, 63) as x, y, z in pixels, presence
            (B, 1) and handedness (B, 1) in 0..1, landmarks in metres (B, 63), and the features (B, 1152) that all of them
            are computed from.
    """

    detect: Run
    locate: Run


def load_hand_models(folder: Path | None = None) -> HandModels:
    """Load the two networks.

    Args:
        folder: that holds their files, by default that of `find_models_folder`.

    Raises:
        WeightsError: a file is missing or is another one.
    """
    return HandModels(_make_function(_read(DETECTOR, folder)), _make_function(_read_locator(folder)))


@cache
def _load_kept(folder: Path) -> HandModels:
    return load_hand_models(folder)


def share_hand_models(folder: Path | None = None) -> HandModels:
    """Return the two networks, read once in a process: so the graph in which they find a hand is laid out once.

    Args:
        folder: that holds their files, by default that of `find_models_folder`.

    Raises:
        WeightsError: a file is missing or is another one.
    """
    return _load_kept(folder or find_models_folder())


def build_hand_models(folder: Path | None = None) -> tuple[keras.Model, keras.Model]:
    """Build the two networks as functional Keras models, for a GPU, JAX or further training.

    Args:
        folder: that holds their files, by default that of `find_models_folder`.

    Returns:
        Detector and locator; inputs and outputs as in `HandModels`.

    Raises:
        WeightsError: a file is missing or is another one.
    """
    detector = build_keras_model(_read(DETECTOR, folder), "palm_detector")
    return detector, build_keras_model(_read_locator(folder), "hand_landmarks")


def _read(file: ModelFile, folder: Path | None) -> Network:
    return parse_tflite(read_model_file(file, folder or find_models_folder()))


def _read_locator(folder: Path | None) -> Network:
    """Read the second network, its pooled features as a last output."""
    network = _read(LOCATOR, folder)
    pooled = next(operation.output for operation in network.operations if operation.name == "MEAN")
    return replace(network, outputs=(*network.outputs, pooled))


def _make_function(network: Network) -> Run:
    weights = read_weights(network)
    return lambda pictures: run_network(network, pictures, TENSORFLOW, weights)
