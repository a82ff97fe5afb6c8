"""The loss of a run, the batches that it takes, and the model that is fitted to it."""

from dataclasses import replace
from typing import Literal

import keras

from handnet.config.presets import check_name
from handnet.config.settings import Config
from handnet.errors import ConfigError, DataError
from handnet.losses import LOSSES, MetricLoss, attach, build_loss
from handnet.networks.encoder import build_twin
from handnet.networks.heads import select_head
from handnet.training.batch_statistics import BatchStatistics


def choose_sampler(config: Config) -> Literal["people", "pairs"]:
    """Return what the batches of a configuration's loss are made of: people × views × photos, or pairs of photos.

    Raises:
        ConfigError: an unknown loss, or settings of the sampler that its batches do not have.
    """
    name, sampler = config.loss.name, config.sampler
    check_name("loss", name, LOSSES)
    expected: Literal["people", "pairs"] = "pairs" if LOSSES[name].consumes == "distances" else "people"
    if sampler.name not in ("", expected):
        raise ConfigError(
            f"The loss {name!r} takes batches of {expected}. Received: sampler.name={sampler.name!r}. Leave sampler.name out."
        )
    if sampler.alike_fraction and expected == "pairs":
        raise ConfigError(
            f"`sampler.alike_fraction` is for batches of people, and the loss {name!r} takes pairs. Received: "
            f"{sampler.alike_fraction:g}. Leave it out."
        )
    return expected


def count_batch_photos(config: Config) -> int:
    """Return how many photos a batch has."""
    sampler = config.sampler
    if choose_sampler(config) == "pairs":
        return 2 * sampler.pairs_per_batch
    return 2 * sampler.people_per_batch * sampler.photos_per_view


def resize_batch(config: Config, size: int) -> Config:
    """Return the configuration with batches of another size.

    Args:
        config: the settings.
        size: pairs in a batch of pairs, else photos in a batch.

    Raises:
        ConfigError: a number of photos that no number of people has, or a head that is found without batches.
    """
    if select_head(config.model).fit is not None:
        raise ConfigError(
            f"--batch changes nothing with the head {config.model.head!r}, which is found from all photos at once. Received: "
            f"{size}. Leave it out."
        )
    if choose_sampler(config) == "pairs":
        return replace(config, sampler=replace(config.sampler, pairs_per_batch=size))
    per_person = 2 * config.sampler.photos_per_view
    if size % per_person or size < 2 * per_person:
        raise ConfigError(
            f"--batch must be a multiple of {per_person} photos (a person has {per_person} in a batch), at least "
            f"{2 * per_person}. Received: {size}."
        )
    return replace(config, sampler=replace(config.sampler, people_per_batch=size // per_person))


def build_training_loss(config: Config, num_identities: int, with_views: bool) -> MetricLoss:
    """Build the loss of a configuration.

    Args:
        config: the settings.
        num_identities: identities in the training labels.
        with_views: whether the photos are of backs and palms.

    Raises:
        ConfigError: an unknown loss, invalid options, or a sampler that does not fit the loss.
        DataError: it compares views, and the photos have none.
    """
    choose_sampler(config)
    name = config.loss.name
    classes = {"num_classes": num_identities} if LOSSES[name].needs_classes else {}
    loss = build_loss(name, {**classes, **config.loss.options})
    if not with_views and getattr(loss, "views", "any") != "any":
        raise DataError(
            f"The loss {name!r} compares views here, and these photos have none. Give --set loss.options.views=any. "
            f"Received: views={loss.views!r}."
        )
    return loss


def build_training_model(network: keras.Model, loss: MetricLoss) -> keras.Model:
    """Return the model that is fitted: twin network, network with the loss's own weights, or the network itself."""
    if loss.consumes == "distances":
        return build_twin(network)
    return network if loss.state is None else keras.Model(network.input, attach(loss, network.output), name="training")


def build_statistics(loss: MetricLoss) -> list[keras.metrics.Metric]:
    """Return what is logged of the batches in addition to the loss: active triplets, distances, collapse; pairs have none."""
    if loss.consumes == "distances":
        return []
    margin = getattr(loss, "margin", None)
    return [BatchStatistics(margin)] if isinstance(margin, float) else [BatchStatistics()]
