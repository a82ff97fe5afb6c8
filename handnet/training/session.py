"""What every training begins with: the people of each part, and what a run remembers of its data."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from handnet.config.run_folder import fingerprint_data
from handnet.config.settings import Config
from handnet.config.split import Split
from handnet.data.dataset import DataSet, people_to_match, require_both_views
from handnet.data.example import Example
from handnet.data.splits.rules import make_split, select_part

Echo = Callable[[str], None]


class People(NamedTuple):
    """Who trains and who validates.

    Attributes:
        split: who is in which part.
        training: photos of the training people.
        validation: photos of those validation people who can be matched; none where they are fewer than two.
    """

    split: Split
    training: list[Example]
    validation: list[Example]


def select_people(config: Config, dataset: DataSet, echo: Echo, warn: Echo) -> People:
    """Split a data set by the settings, and say what is unusual about it.

    Raises:
        DataError: too few people.
    """
    split = make_split(config.data.split, dataset, config.data.split_options)
    if split.note:
        echo(split.note)
    training, note = require_both_views(select_part(dataset, split, "train"), "Training")
    if note:
        echo(note)
    validation: list[Example] = []
    if split.val or config.model.head == "mlp":
        validation = _select_validation(dataset, select_part(dataset, split, "val") if split.val else [], warn)
    return People(split, training, validation)


def fingerprint_people(people: People, digests: Sequence[str]) -> str:
    """Digest the photos' contents and labels, training before validation."""
    return fingerprint_data(digests, [_label(example) for example in [*people.training, *people.validation]])


def describe_data(dataset: DataSet, people: People, fingerprint: str) -> dict[str, Any]:
    """Return what a run remembers of its data."""
    training, validation = people.training, people.validation
    return {
        "directory": dataset.directory,
        "reader": dataset.name,
        "fingerprint": fingerprint,
        "num_people": {"train": count_people(training), "val": count_people(validation)},
        "num_photos": {"train": len(training), "val": len(validation)},
        "problems": list(dataset.problems),
    }


def _select_validation(dataset: DataSet, examples: list[Example], warn: Echo) -> list[Example]:
    both = set(people_to_match(examples))
    if len(both) < 2:
        warn(
            "fewer than two validation people have photos to match (both views, or two photos): no figures during training, "
            "and the last weights are kept."
        )
        return []
    return [example for example in examples if example.identity in both]


def _label(example: Example) -> str:
    return f"{example.identity}|{example.view}|{example.side}"


def count_people(examples: Sequence[Example]) -> int:
    """Return how many people the photos are of."""
    return len({example.identity for example in examples})
