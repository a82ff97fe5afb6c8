"""Every operation against TensorFlow Lite's interpreter, with TensorFlow and with Keras, and the real hand models too."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from handnet.images.hand_models.keras_model import build_keras_model
from handnet.images.hand_models.model_files import DETECTOR, LOCATOR
from handnet.images.hand_models.operations import OPERATIONS, TENSORFLOW, run_network
from handnet.images.hand_models.tflite import OPTIONS, read_tflite
from tests.forked import run_program
from tests.hand_models import find_hand_models
from tests.photos import find_real_data

GOLDENS = Path(__file__).parents[2] / "goldens"
FILE = GOLDENS / "tiny.tflite"
# Boxes and landmarks come in pixels and are compared as fractions of the picture.
TOLERANCE = 1e-4
ON_JAX = """
import sys, numpy as np
from pathlib import Path
from handnet.images.hand_models.keras_model import build_keras_model
from handnet.images.hand_models.tflite import read_tflite
model = build_keras_model(read_tflite(Path(sys.argv[1])), "tiny")
np.savez(sys.argv[3], *model.predict(np.load(sys.argv[2])["picture"], verbose=0))
"""


def read_golden():
    with np.load(GOLDENS / "tiny_tflite.npz") as file:
        return file["picture"], [file["first"], file["second"]]


def run_interpreter(path, pictures):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    network = interpreter.Interpreter(str(path), num_threads=1)
    network.allocate_tensors()
    rows = []
    for picture in pictures:
        network.set_tensor(network.get_input_details()[0]["index"], picture[np.newaxis])
        network.invoke()
        rows.append([network.get_tensor(output["index"]) for output in network.get_output_details()])
    return [np.concatenate(outputs) for outputs in zip(*rows, strict=True)]


def test_every_operation_that_is_read_can_be_carried_out():
    assert set(OPERATIONS) == set(OPTIONS) - {"DEQUANTIZE"}


def test_tensorflow_computes_what_the_interpreter_computes():
    picture, expected = read_golden()
    for output, value in zip(run_network(read_tflite(FILE), picture, TENSORFLOW), expected, strict=True):
        np.testing.assert_allclose(output, value, atol=1e-6)


def test_the_keras_model_computes_the_same_whatever_the_precision_policy():
    picture, expected = read_golden()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_keras_model(read_tflite(FILE), "tiny")
    finally:
        keras.config.set_dtype_policy(before)
    assert model.count_params() == sum(np.size(weight) for weight in model.get_weights()) > 500
    assert not model.trainable_weights
    for output, value in zip(model.predict(np.repeat(picture, 3, 0), verbose=0), expected, strict=True):
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, np.repeat(value, 3, 0), atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_the_keras_model_computes_the_same_on_jax(tmp_path):
    _, expected = read_golden()
    target = tmp_path / "outputs.npz"
    run_program(ON_JAX, str(FILE), str(GOLDENS / "tiny_tflite.npz"), str(target), backend="jax")
    with np.load(target) as file:
        for name, value in zip(file.files, expected, strict=True):
            np.testing.assert_allclose(file[name], value, atol=1e-6)


def take_real_photos(side_px):
    paths = sorted((find_real_data("hands11k-mini") / "Hands").glob("*.jpg"))[::107]
    photos = [tf.io.decode_jpeg(path.read_bytes(), channels=3) for path in paths]
    return np.stack([tf.image.resize(photo, (side_px, side_px)) / 255.0 for photo in photos])


def take_random(side_px):
    return np.random.default_rng(3).random((3, side_px, side_px, 3), np.float32)


@pytest.mark.parametrize("take", [take_real_photos, take_random])
@pytest.mark.parametrize("file", [DETECTOR, LOCATOR], ids=lambda file: file.name)
def test_the_hand_models_compute_what_the_interpreter_computes(file, take):
    path = find_hand_models() / file.name
    network = read_tflite(path)
    side_px = network.shapes[network.input][1]
    pictures = take(side_px)
    expected = run_interpreter(path, pictures)
    model = build_keras_model(network, "hands")
    # Numbers in pixels are compared as fractions of the picture, the others as they are.
    units = [side_px if value.shape[-1] in (18, 63) and np.abs(value).max() > 2 else 1 for value in expected]
    for outputs in (run_network(network, pictures, TENSORFLOW), model(pictures)):
        for output, value, unit in zip(outputs, expected, units, strict=True):
            np.testing.assert_allclose(np.asarray(output) / unit, value / unit, atol=TOLERANCE, rtol=0)
