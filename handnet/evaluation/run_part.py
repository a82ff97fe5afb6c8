"""What an evaluation is given: a run, its encoder, and the photos of one part of its split."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from handnet.config.run_folder import Run, read_run_split
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.rules import select_part

if TYPE_CHECKING:
    from handnet.networks.encoder import Encoder


class RunPart(NamedTuple):
    """One part of a run's split.

    Attributes:
        run: a finished run.
        load: loads its encoder, by `load_encoder`; called where something is not in the cache.
        dataset: the photos of all parts.
        part: "train", "val" or "test".
        seed: random seed for draws and bootstraps.
        echo: prints one line.
        progress: told of each piece of work.
    """

    run: Run
    load: "Callable[[], Encoder]"
    dataset: DataSet
    part: str
    seed: int = 0
    echo: Echo = print
    progress: Progress = hide_progress

    @property
    def encoder(self) -> "Encoder":
        """The run's encoder."""
        return self.load()

    def select_examples(self) -> list[Example]:
        """Return the photos of the part.

        Raises:
            ConfigError: an unknown part.
            DataError: the part has no people or no photos.
        """
        return select_part(self.dataset, read_run_split(self.run), self.part)
