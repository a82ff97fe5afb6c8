"""The one-cycle learning rate."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from handnet.config.settings import OptimizerConfig
from handnet.networks.backbones.trainable import scale_rates


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


def build_optimizer(
    config: OptimizerConfig, total_steps: int, rates: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Build the optimizer with its schedule over `total_steps` batches.

    Args:
        config: its settings, `layer_decay` aside.
        total_steps: batches of the whole run.
        rates: factors of the learning rate by variable path; None where all variables have the same.
    """
    rate: Any = config.learning_rate
    warmup_steps = round(config.warmup_fraction * total_steps)
    if config.schedule == "one-cycle":
        rate = OneCycle(config.learning_rate, max(1, total_steps))
    elif config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup_steps else config.learning_rate,
            max(1, total_steps - warmup_steps),
            warmup_target=config.learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        )
    elif warmup_steps:
        rate = keras.optimizers.schedules.PolynomialDecay(
            config.learning_rate / warmup_steps, warmup_steps, end_learning_rate=config.learning_rate
        )
    optimizer_class, options = OPTIMIZERS[config.name]
    optimizer = (scale_rates(optimizer_class, rates) if rates else optimizer_class)(
        learning_rate=rate,
        global_clipnorm=config.clip_norm or None,
        use_ema=config.ema_momentum > 0,
        ema_momentum=config.ema_momentum or 0.99,
        gradient_accumulation_steps=config.accumulate_steps if config.accumulate_steps > 1 else None,
        **options,
        **({} if config.name == "adam" else {"weight_decay": config.weight_decay}),
    )
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


OPTIMIZERS: Mapping[str, tuple[type[keras.optimizers.Optimizer], Mapping[str, float]]] = {
    "adam": (keras.optimizers.Adam, {}),
    "adamw": (keras.optimizers.AdamW, {}),
    "sgd": (keras.optimizers.SGD, {"momentum": 0.9}),
}
