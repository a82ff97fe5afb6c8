"""The one-cycle learning rate."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("handnet")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from peak / 25 to the peak over 30 % of the steps, then falls to peak / 250,000, both along a half cosine.

    Args:
        peak: highest learning rate.
        total_steps: steps in all, at least 1.
        rise_fraction: share of the steps before the peak, 0..1.

    Reference:
        Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates"; the
        divisors and the cosines are those of PyTorch's OneCycleLR.
    """

    def __init__(self, peak: float, total_steps: int, rise_fraction: float = 0.3) -> None:
        super().__init__()
        self.peak, self.total_steps, self.rise_fraction = peak, total_steps, rise_fraction

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, from 0."""
        start, end = self.peak / 25.0, self.peak / 250_000.0
        rise = self.rise_fraction * self.total_steps - 1.0
        fall = self.total_steps - 1.0 - rise
        at = ops.minimum(ops.cast(step, "float32"), float(self.total_steps - 1))
        rising = _blend(start, self.peak, at / max(rise, 1e-6))
        falling = _blend(self.peak, end, (at - rise) / max(fall, 1e-6))
        return ops.where(at <= rise, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Return the options, for Keras."""
        return {"peak": self.peak, "total_steps": self.total_steps, "rise_fraction": self.rise_fraction}


def _blend(start: float, end: float, share: Any) -> Any:
    return end + (start - end) / 2.0 * (1.0 + ops.cos(math.pi * share))
