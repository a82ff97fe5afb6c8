"""Training on several GPUs of one machine under TensorFlow: each takes a part of every batch, and the weights stay equal."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from handnet.config.settings import Config
from handnet.console import Echo
from handnet.errors import ConfigError


@contextlib.contextmanager
def spread_over_gpus(config: Config, echo: Echo) -> Iterator[None]:
    """Spread models that are made and fitted within the block over all GPUs that TensorFlow sees, where they are several.

    The losses gather the rows of all GPUs, so each of them sees the whole batch. On JAX `training.nodes` does the same.

    Args:
        config: the settings.
        echo: prints one line.

    Raises:
        ConfigError: several GPUs and `train.jit`.
    """
    devices = list_gpus() if keras.backend.backend() == "tensorflow" else []
    if len(devices) < 2:
        yield
        return
    if config.train.jit:
        raise ConfigError(
            f"train.jit does not run on several GPUs under TensorFlow, which sees {len(devices)} here. Leave it out, or let it "
            "see one: CUDA_VISIBLE_DEVICES=0."
        )
    strategy = tf.distribute.MirroredStrategy(devices)
    echo(f"each batch is spread over {len(devices)} GPUs; CUDA_VISIBLE_DEVICES=0 trains on one")
    with strategy.scope():
        yield


def list_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow sees."""
    return [device.name for device in tf.config.list_logical_devices("GPU")]


def synchronize(model: keras.Model) -> None:
    """Let BatchNorm average over the whole batch where it is spread over several GPUs, as it does on one.

    Args:
        model: that is trained; changed in place.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
