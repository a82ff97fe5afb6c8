"""The losses by name. One class and one line in LOSSES add a loss; the tests walk the dict."""

from collections.abc import Mapping
from typing import Any

from handnet.errors import ConfigError, format_unknown
from handnet.losses.contrastive import BatchContrastiveLoss, ContrastiveLoss
from handnet.losses.memory import CrossBatchMemory
from handnet.losses.metric_loss import MetricLoss, PairLoss, attach
from handnet.losses.option_checks import require_options
from handnet.losses.proxies import ArcFaceLoss, CosFaceLoss, ProxyAnchorLoss
from handnet.losses.similarity import CircleLoss, InfoNCELoss, MultiSimilarityLoss, SupConLoss
from handnet.losses.triplet import TripletLoss

__all__ = ["LOSSES", "MetricLoss", "attach", "build_loss"]

MEMORY_OPTIONS = ("memory_size", "memory_warm_up_steps", "memory_max_age_steps")


def build_loss(name: str, options: Mapping[str, object]) -> MetricLoss:
    """Return the loss of that name.

    Args:
        name: a key of LOSSES.
        options: the options of its class; those left out take the class's defaults. A loss on the pairs of a batch
            also takes `memory_size` (0: no memory), `memory_warm_up_steps` and `memory_max_age_steps`: see
            `CrossBatchMemory`.

    Raises:
        ConfigError: an unknown name or option (the nearest valid one is named), a missing or an invalid value.
    """
    if name not in LOSSES:
        raise ConfigError(format_unknown("loss", name, list(LOSSES)))
    takes_memory = issubclass(LOSSES[name], PairLoss)
    require_options(name, LOSSES[name], options, MEMORY_OPTIONS if takes_memory else ())
    own: dict[str, Any] = {option: value for option, value in options.items() if option not in MEMORY_OPTIONS}
    build: Any = LOSSES[name]
    loss: MetricLoss = build(**own)
    memory: dict[str, Any] = {
        option.removeprefix("memory_"): options[option] for option in MEMORY_OPTIONS if option in options
    }
    if memory.get("size", 0) != 0:
        loss.state = CrossBatchMemory(**memory)
    elif any(value != 0 for value in memory.values()):
        raise ConfigError("`memory_warm_up_steps` and `memory_max_age_steps` need `memory_size`. Received no size.")
    return loss


LOSSES: dict[str, type[MetricLoss]] = {
    "contrastive": ContrastiveLoss,
    "batch_contrastive": BatchContrastiveLoss,
    "triplet": TripletLoss,
    "infonce": InfoNCELoss,
    "supcon": SupConLoss,
    "multi_similarity": MultiSimilarityLoss,
    "circle": CircleLoss,
    "proxy_anchor": ProxyAnchorLoss,
    "arcface": ArcFaceLoss,
    "cosface": CosFaceLoss,
}
