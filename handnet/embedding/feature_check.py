"""The largest error that the features of an engine may have, measured against how much photos differ from each other."""

import keras
import numpy as np
import numpy.typing as npt

from handnet.embedding.engines import Engine
from handnet.embedding.predict import build_predict
from handnet.errors import RunError

# The most that the error may be of what photos differ by. Its square is the share of noise in the features' variance: 1 %.
# Of errors of 0.12 and 0.14, two networks in bfloat16, 122 people showed no loss of accuracy, and could not exclude one of 2.6
# points of R@1 (docs/measurements/speed.md, "Features in bfloat16"): so they stay refused.
MAX_ERROR = 0.1
# The most where the user asks for bfloat16: errors up to 0.24 were measured, with no loss shown (same place).
MAX_ASKED_ERROR = 0.25
NUM_CHECKED = 8


def check_features(
    engine: Engine, backbone: keras.Model, images: npt.NDArray[np.uint8], max_error: float = MAX_ERROR
) -> float:
    """Return the error of an engine's features, of what the photos' features differ by from their mean.

    Features of all hands have much in common, so that even wrong ones have a cosine near 1 with the right ones.

    Args:
        engine: what is checked.
        backbone: what it was built from.
        images: uint8 (B, S, S, 3), a few photos; of one photo, the error is taken of its features' length.
        max_error: the most that it may be.

    Raises:
        RunError: it is more.
    """
    expected = np.asarray(keras.ops.convert_to_numpy(build_predict(backbone)(images)), np.float64)
    received = engine.embed(images).astype(np.float64)
    spread = expected - expected.mean(axis=0) if len(expected) > 1 else expected
    error = float(np.linalg.norm(received - expected) / max(float(np.linalg.norm(spread)), 1e-12))
    if not error <= max_error:
        raise RunError(
            f"The engine {engine.name} in {engine.precision} gives other features than the backbone: the error is {error:.3f} of "
            f"what photos differ by, expected at most {max_error}. Use --set features.engine=tensorflow."
        )
    return error
