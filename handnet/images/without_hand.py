"""Photos that show no hand, left out of a data set where the settings ask for it."""

from dataclasses import replace

from handnet.config.settings import Config
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet, leave_out
from handnet.images.photo_store import find_unusable
from handnet.images.unusable_photos import NO_HAND


def leave_out_without_hand(dataset: DataSet, config: Config, echo: Echo, progress: Progress = hide_progress) -> DataSet:
    """Return the data set without the photos in which no hand is found, and say how many they are.

    All photos are decoded, into the cache. Damaged and blank ones stay: they are refused as always.

    Args:
        dataset: the photos.
        config: `data.skip_without_hand`, without which the data set is returned as it is, and `image`, the hand finder chosen.
        echo: told what is left out.
        progress: told of (photos done, photos in all).
    """
    if not config.data.skip_without_hand or not any(tile.is_hand_crop for tile in config.image.tiles):
        return dataset
    problems = find_unusable([example.path for example in dataset.examples], config.image, progress)
    reasons = set(NO_HAND.values())
    kept = leave_out(dataset, {path for path, reason in problems.items() if reason in reasons})
    for line in kept.problems[len(dataset.problems) :]:
        echo(f"data: {line}")
    return kept


def skip_without_hand(config: Config) -> Config:
    """Return settings that leave photos without a hand out."""
    return replace(config, data=replace(config.data, skip_without_hand=True))
