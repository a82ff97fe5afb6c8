"""A TensorFlow Lite network as a Keras model, with its weights as the model's own: on a GPU, under JAX, in a training."""

import keras

from handnet.images.hand_models.operations import KERAS, Tensor, read_weights, run_network
from handnet.images.hand_models.tflite import Network


def build_keras_model(network: Network, name: str) -> keras.Model:
    """Build the functional Keras model of a network.

    Args:
        network: as `read_tflite` gives it.
        name: of the model.

    Returns:
        A model from (B, H, W, 3) float32 in 0..1 to the list of the network's outputs, float32 under every precision
        policy. Its weights are not trainable until you set `trainable`.
    """
    pictures = keras.Input(network.shapes[network.input][1:], dtype="float32", name="pictures")
    return keras.Model(pictures, TfliteLayer(network)(pictures), name=name)


class TfliteLayer(keras.layers.Layer):
    """All operations of a network, with its weights.

    Args:
        network: as `read_tflite` gives it.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(trainable=False, dtype="float32", name="network")
        self.network = network
        self.numbers = []
        for number, array in read_weights(network).items():
            value = keras.initializers.Constant(array)
            self.numbers.append(number)
            self.add_weight(shape=array.shape, initializer=value, name=f"tensor_{number}")

    def call(self, pictures: Tensor) -> list[Tensor]:
        """Return the network's outputs for (B, H, W, 3) in 0..1."""
        weights = dict(zip(self.numbers, self.weights, strict=True))
        return run_network(self.network, pictures, KERAS, weights)
