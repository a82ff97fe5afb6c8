"""The losses by name. One class and one line in LOSSES add a loss; the tests walk the dict."""

from collections.abc import Mapping

import keras

from handnet.losses.contrastive import BatchContrastiveLoss, ContrastiveLoss
from handnet.losses.metric_loss import MetricLoss
from handnet.losses.options import build_from
from handnet.losses.triplet import TripletLoss


def build_loss(name: str, options: Mapping[str, object]) -> keras.losses.Loss:
    """Return the loss of that name.

    Args:
        name: a key of LOSSES.
        options: the options of its class; those left out take the class's defaults.

    Raises:
        ConfigError: an unknown name or option (the nearest valid one is named), a missing or an invalid value.
    """
    return build_from(LOSSES, name, options)


LOSSES: dict[str, type[MetricLoss]] = {
    "contrastive": ContrastiveLoss,
    "batch_contrastive": BatchContrastiveLoss,
    "triplet": TripletLoss,
}
