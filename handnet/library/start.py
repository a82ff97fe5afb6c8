"""Starting TensorFlow without its start-up lines, which bury handnet's own and read like errors."""

import contextlib
import gc
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from handnet.console import turn_stderr_aside
from handnet.errors import ConfigError
from handnet.networks.garbage import pause_collections


def start_tensorflow() -> None:
    """Import TensorFlow and let it look for devices; what it prints is shown only if that fails.

    Raises:
        ConfigError: KERAS_BACKEND names what is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Over ~/.keras/keras.json, where another program's backend may be named that is not installed here.
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if importlib.util.find_spec(backend) is None:
        raise ConfigError(f"KERAS_BACKEND names {backend!r}, which is not installed here. Unset it.")
    if not Path("/proc/driver/nvidia").exists() and shutil.which("nvidia-smi") is None:
        # Spares a failed search for a driver, and its error line.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with turn_stderr_aside(), _hidden(list_unused(backend)), _uncollected():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
        if backend != "tensorflow":
            # It reads photos alone there; it would take a GPU's whole memory at its first operation.
            tf.config.set_visible_devices([], "GPU")
        # Its warnings, e.g. of a graph traced again for another batch size, are for those who write it.
        tf.get_logger().setLevel("ERROR")


def list_unused(backend: str) -> tuple[str, ...]:
    """Return what TensorFlow and Keras import for wrappers, data frames and pictures, and handnet does not use.

    It takes two seconds. In a program of the user's own it is imported all the same: Keras would not know there
    what it was not let import, e.g. a data frame as input.
    """
    if "handnet.cli.main" not in sys.modules:
        return ()
    return ("sklearn", "pandas", "matplotlib", "scipy", "IPython", *(("jax",) if backend == "tensorflow" else ()))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave the million objects of what is imported out of garbage collections, now and later: they live until the end."""
    with pause_collections():
        yield
        gc.freeze()


@contextlib.contextmanager
def _hidden(packages: Sequence[str]) -> Iterator[None]:
    """Let imports of packages fail as where they are not installed, but of those that have been imported already."""
    absent = [package for package in packages if package not in sys.modules]
    # How Python marks a module that cannot be imported.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in absent:
            del sys.modules[package]
