"""The weights of MediaPipe's hand landmark network for the backbone `hand-landmarks`, from its file in the cache."""

from handnet.images.hand_models.model_files import LOCATOR, find_models_folder, read_model_file
from handnet.images.hand_models.operations import read_weights
from handnet.images.hand_models.tflite import Network, parse_tflite
from handnet.networks.backbones.hand.landmarks import LAYERS
from handnet.networks.weights.pth import State
from handnet.networks.weights.source import Pretrained


def read_hand_landmarks() -> Pretrained:
    """Read the weights that `handnet weights fetch mediapipe-hands` keeps, under the variable paths of the backbone.

    Raises:
        WeightsError: their file is missing, or another one.
    """
    return Pretrained(name_weights(parse_tflite(read_model_file(LOCATOR, find_models_folder()))))


def name_weights(network: Network) -> State:
    """Return kernels and biases by variable path: convolutions in the file's order, then the matrix of the first output."""
    arrays = read_weights(network)
    # Weights are kept in half precision; an operation names what a DEQUANTIZE made of them.
    kept = {step.output: step.inputs[0] for step in network.operations if step.name == "DEQUANTIZE"}
    steps = [step for step in network.operations if step.name in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    # The matrices of score, side and landmarks in metres play no part.
    steps += [step for step in network.operations if step.output == network.outputs[0]]
    state: State = {}
    for layer, step in zip(LAYERS, steps, strict=True):
        for part, number in zip(("kernel", "bias"), step.inputs[1:], strict=True):
            state[f"{layer}/{part}"] = arrays[kept.get(number, number)]
    return state
