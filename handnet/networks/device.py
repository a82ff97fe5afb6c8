"""Which device and precision a run uses, and a warning where a GPU is not used."""

import importlib.metadata
import re
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from handnet.console import Echo

# The backend's name, and what brings NVIDIA's libraries.
_LIBRARIES = {"tensorflow": ("TensorFlow", "handnet[gpu]"), "jax": ("JAX", "jax[cuda12]")}


def choose_precision(precision: str) -> str:
    """Resolve "auto": mixed_bfloat16 on a GPU with bfloat16 units (compute capability 8.0 and up), else float32."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if any(capability >= (8, 0) for _, capability in _list_gpus()) else "float32"


def _list_gpus() -> list[tuple[str, tuple[int, ...]]]:
    """Return name and compute capability of each GPU that the backend uses; TensorFlow may be the CPU's where JAX is not."""
    if keras.backend.backend() == "jax":
        import jax

        gpus = [device for device in jax.local_devices() if device.platform == "gpu"]
        # AMD's is no pair of numbers.
        return [(gpu.device_kind, tuple(map(int, re.findall(r"\b\d+\b", gpu.compute_capability)))) for gpu in gpus]
    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        found.append((details.get("device_name", gpu.name), details.get("compute_capability", (0, 0))))
    return found


def set_precision(precision: str) -> None:
    """Set Keras's policy for the layers built from now on, and all else that keras.json or the environment may have set.

    A file in the home folder, or KERAS_MAX_EPOCHS, must not make another network or another training of the same settings.
    """
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    keras.config.set_dtype_policy(precision)


def describe_device(precision: str) -> str:
    """Return one line: backend, device, precision."""
    names = [name for name, _ in _list_gpus()]
    device = f"{len(names)} GPU ({', '.join(names)})" if names else "CPU"
    return f"device: {device}, precision: {precision}, Keras {keras.version()} on {keras.backend.backend()}"


def _is_installed(package: str) -> bool:
    # Found by the name of its folder: reading what all packages are called takes a tenth of a second.
    return any(importlib.metadata.distributions(name=package))


def warn_device(warn: Echo) -> None:
    """Warn of a GPU that the backend does not use, and of two TensorFlow wheels that overwrite each other."""
    has_driver = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    if has_driver and not _list_gpus():
        backend, wanted = _LIBRARIES["jax" if keras.backend.backend() == "jax" else "tensorflow"]
        warn(
            f"THIS MACHINE HAS AN NVIDIA GPU AND {backend.upper()} DOES NOT USE IT: training runs on the CPU, many times slower. "
            f"Install NVIDIA's libraries for {backend}: pip install '{wanted}'."
        )
    if _is_installed("tensorflow") and _is_installed("tensorflow-cpu"):
        warn(
            "tensorflow and tensorflow-cpu are both installed and overwrite each other's files. Fix it: "
            "pip uninstall -y tensorflow-cpu tensorflow && pip install tensorflow."
        )
