"""The logistic function and its inverse in numpy: scipy's, which give the same to a few units in the last place, take a quarter
of a second to import, and `handnet verify` needs nothing else of scipy."""

from typing import Any

import numpy as np
import numpy.typing as npt


def expit(ratio: npt.ArrayLike) -> Any:
    """Return 1 / (1 + exp(-ratio)) in float64, an array of any shape or a number, without overflow."""
    values = np.asarray(ratio, np.float64)
    shrunk = np.exp(-np.abs(values))
    return (np.where(values >= 0, 1.0, shrunk) / (1.0 + shrunk))[()]


def logit(probability: npt.ArrayLike) -> Any:
    """Return log(p / (1 - p)) in float64, an array of any shape or a number: -inf at 0 and inf at 1."""
    values = np.asarray(probability, np.float64)
    with np.errstate(divide="ignore"):
        return (np.log(values) - np.log1p(-values))[()]
