"""What an evaluation is given: a run, its encoder, and the photos of one part of its split."""

from typing import NamedTuple

from handnet.config.run_folder import Run, read_run_split
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.rules import select_part
from handnet.networks.encoder import Encoder


class RunPart(NamedTuple):
    """One part of a run's split.

    Attributes:
        run: a finished run.
        encoder: its encoder, from `load_encoder`.
        dataset: the photos of all parts.
        part: "train", "val" or "test".
        seed: random seed for draws and bootstraps.
        echo: prints one line.
        progress: told of each piece of work.
    """

    run: Run
    encoder: Encoder
    dataset: DataSet
    part: str
    seed: int = 0
    echo: Echo = print
    progress: Progress = hide_progress

    def select_examples(self) -> list[Example]:
        """Return the photos of the part.

        Raises:
            ConfigError: an unknown part.
            DataError: the part has no people or no photos.
        """
        return select_part(self.dataset, read_run_split(self.run), self.part)
