"""What a backbone weighs: parameters, trained and in all, an estimate of the memory, a digest of its values."""

import hashlib

import keras
import numpy as np

MIB = 2**20


def describe_parameters(model: keras.Model, batch_size: int = 0) -> str:
    """Return one line: parameters trained and in all, and the memory that training needs.

    Args:
        model: the model, after `set_trainable`.
        batch_size: photos per step; 0 leaves the activations out.

    Returns:
        As "1,876,704 parameters, 1,876,704 trained; about 36 MiB for weights, gradients and two moments".
    """
    total, trained = count_parameters(model)
    memory = estimate_memory(model, batch_size)
    line = f"{total:,} parameters, {trained:,} trained; about {memory['weights'] // MIB:,} MiB for weights, gradients "
    line += "and two moments"
    if batch_size:
        line += f", {memory['activations'] // MIB:,} MiB for activations at {batch_size} photos a step"
    return line


def count_parameters(model: keras.Model) -> tuple[int, int]:
    """Return the number of parameters, all and trained."""
    total = sum(int(np.prod(v.shape)) for v in model.weights)
    return total, sum(int(np.prod(v.shape)) for v in model.trainable_weights)


def estimate_memory(model: keras.Model, batch_size: int) -> dict[str, int]:
    """Estimate the bytes that a training step needs.

    Weights are float32 under every policy; each trained one has a gradient and Adam's two moments. Activations are
    those that a gradient passes through, in the policy's type, and the gradients of the largest block; a recomputed
    block keeps its output alone, and one block at a time unfolds. docs/measurements/backbones.md compares it with measurements.

    Args:
        model: a backbone, or a model that contains one.
        batch_size: photos per step.

    Returns:
        Bytes under "weights" and "activations".
    """
    total, trained = count_parameters(model)
    values = _count_activations(model) * batch_size
    itemsize = 2 if "16" in keras.config.dtype_policy().name else 4
    return {"weights": 4 * (total + 3 * trained), "activations": values * itemsize}


def digest_weights(model: keras.Model) -> str:
    """Return a SHA-256 over names, shapes and float32 values of all weights, for keys of feature caches."""
    digest = hashlib.sha256()
    for variable in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(variable.value), dtype="<f4")
        digest.update(f"{variable.path}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _count_activations(model: keras.Model) -> int:
    first = next((i for i, layer in enumerate(model.layers) if layer.trainable_weights), len(model.layers))
    largest, kept = 0, 0
    for layer in model.layers[first:]:
        if isinstance(layer, keras.Model):
            kept += _count_activations(layer)
            continue
        own = _count_outputs(layer)
        if getattr(layer, "num_heads", 0):
            inside = _count_inside_block(layer)
            largest = max(largest, 2 * inside if layer.recompute else inside)
            own += 0 if layer.recompute else inside
        kept += own
    return kept + largest


def _count_outputs(layer: keras.layers.Layer) -> int:
    shapes = keras.tree.flatten(keras.tree.map_structure(lambda t: int(np.prod(t.shape[1:])), layer.output))
    return sum(shapes)


def _count_inside_block(block: keras.layers.Layer) -> int:
    # What TensorFlow without XLA was seen to keep: 14 arrays of the tokens' width; of the hidden width 4, or 7 where it is
    # gated; logits, weights and their gradient in the attention.
    _, tokens, width = block.input.shape
    hidden = block.hidden_width * (7 if block.gated else 4)
    return tokens * (14 * width + hidden) + 3 * block.num_heads * tokens * tokens
