"""A small .tflite file with every operation that handnet reads, and what TensorFlow Lite's interpreter computes with it.

pip install tensorflow ai-edge-litert && python tests/goldens/make_tflite.py
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

FOLDER = Path(__file__).parent
SIDE_PX = 16


def convert_tiny_network() -> bytes:
    """Return the file: one input (1, 16, 16, 3), outputs (1, 128, 1) and (1, 8), float16 weights."""
    random = keras.initializers.RandomNormal(stddev=0.3, seed=0)
    options = {"kernel_initializer": random, "bias_initializer": random}
    depthwise = {"depthwise_initializer": random, "bias_initializer": random, "padding": "same"}
    slopes = keras.initializers.RandomUniform(-0.5, 1.5, seed=1)
    pictures = keras.Input((SIDE_PX, SIDE_PX, 3), batch_size=1)
    x = keras.layers.Conv2D(8, 3, 2, "same", activation="relu6", **options)(pictures)
    x = keras.layers.DepthwiseConv2D(5, **depthwise)(x)
    x = keras.layers.PReLU(alpha_initializer=slopes, shared_axes=[1, 2])(x)
    y = keras.layers.Conv2D(8, 1, activation="relu", **options)(x)
    x = keras.layers.Add()([x, y])
    y = keras.layers.MaxPooling2D(2, padding="same")(x)
    y = keras.layers.DepthwiseConv2D(3, 2, activation="relu6", **depthwise)(y)
    # Not before a convolution: TensorFlow's graph optimiser drops a padding of channels there.
    padded = keras.layers.Lambda(lambda t: tf.pad(t, [[0, 0], [0, 0], [0, 0], [0, 4]]))(y)
    y = keras.layers.Add()([padded, keras.layers.Conv2D(12, 1, **options)(y)])
    y = keras.layers.Conv2D(8, 1, **options)(y)
    y = keras.layers.UpSampling2D(4, interpolation="bilinear")(y)
    x = keras.layers.Add()([x, y])
    flat = keras.layers.Reshape((-1, 1))(keras.layers.Conv2D(1, 1, **options)(x))
    more = keras.layers.Reshape((-1, 1))(keras.layers.Conv2D(1, 1, **options)(x))
    column = keras.layers.Concatenate(axis=1)([flat, more])
    pooled = keras.layers.Dense(8, **options)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(pictures, [keras.layers.Activation("sigmoid")(pooled), column])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def main() -> None:
    contents = convert_tiny_network()
    (FOLDER / "tiny.tflite").write_bytes(contents)
    interpreter = Interpreter(model_content=contents)
    interpreter.allocate_tensors()
    picture = np.random.default_rng(0).random((1, SIDE_PX, SIDE_PX, 3), np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
    np.savez_compressed(FOLDER / "tiny_tflite.npz", picture=picture, first=outputs[0], second=outputs[1])


if __name__ == "__main__":
    main()
