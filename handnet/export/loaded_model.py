"""The signatures of a SavedModel, run by TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.networks.graph_session import GraphError, Value


class LoadedModel:
    """See `handnet.export.exported_model.Signatures`."""

    def __init__(self, folder: Path) -> None:
        """Load a SavedModel.

        Args:
            folder: of the version.

        Raises:
            GraphError: it cannot be loaded.
        """
        try:
            # The signatures live as long as the model does.
            self._loaded = tf.saved_model.load(str(folder))
            self.signatures = self._loaded.signatures
        # Of a damaged file TensorFlow raises errors of any kind, e.g. IndexError where variables end too early.
        except Exception as error:
            raise GraphError(" ".join(str(error).split())[:120]) from error

    def run(self, signature: str, **inputs: Value) -> dict[str, npt.NDArray[Any]]:
        """Compute all outputs of a signature.

        Raises:
            GraphError: the computation fails.
        """
        given = {
            name: tf.constant(value) if isinstance(value, np.ndarray) else tf.constant(value, tf.string)
            for name, value in inputs.items()
        }
        try:
            found = self.signatures[signature](**given)
        except tf.errors.ResourceExhaustedError:
            # Callers know what to say of a device's memory.
            raise
        except (KeyError, tf.errors.OpError) as error:
            raise GraphError(f"The exported model fails: {' '.join(str(error).split())[:200]}") from None
        return {name: value.numpy() for name, value in found.items()}
