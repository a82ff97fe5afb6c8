"""A few steps of training on drawn images."""

import keras
import numpy as np

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 70, 70, 3), dtype=np.uint8)
TARGETS = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)


def read(model: keras.Model) -> dict[str, np.ndarray]:
    return {v.path: np.array(keras.ops.convert_to_numpy(v.value)) for v in model.weights}


def fit(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps: int = 2) -> set[str]:
    """Train on the whole batch; return the paths of the weights that changed."""
    before, side = read(model), model.input_shape[1]
    targets = np.resize(TARGETS, (4, model.output_shape[1]))
    model.compile(optimizer, "mse")
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    model.fit(IMAGES[:, :side, :side], targets, batch_size=4, epochs=steps, verbose=0, shuffle=False)
    return {path for path, values in read(model).items() if not np.array_equal(values, before[path])}
