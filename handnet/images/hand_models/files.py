"""The two files of the hand models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from handnet.images.hand_models.operations import TENSORFLOW, read_weights, run_network
from handnet.images.hand_models.tflite import read_tflite


class HandModels(NamedTuple):
    detect: Callable[[Any], list[Any]]
    locate: Callable[[Any], list[Any]]
