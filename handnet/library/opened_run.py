"""How every command and function opens a run: its settings, its split, the data, and the photos of a part."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from handnet.console import Echo, Progress, hide_progress
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.config.split import Split
    from handnet.data.dataset import DataSet
    from handnet.data.example import Example


class OpenRun(NamedTuple):
    """A run and its data.

    Attributes:
        run: the run folder's settings and facts.
        split: who is in which part.
        dataset: the photos.
        examples: the photos of the part that was asked for; without a part all photos.
    """

    run: "Run"
    split: "Split"
    dataset: "DataSet"
    examples: "list[Example]"

    def select(self, part: str) -> "list[Example]":
        """Return the photos of one part.

        Raises:
            ConfigError: an unknown part.
            DataError: the part has no people or no photos.
        """
        from handnet.data.splits.rules import select_part

        return select_part(self.dataset, self.split, part)


def open_run(
    folder: Path,
    data: str = "",
    part: str = "",
    echo: Echo = print,
    progress: Progress = hide_progress,
    skip_without_hand: bool = False,
) -> OpenRun:
    """Read a run and its data, so that an error in either is printed before TensorFlow starts.

    Args:
        folder: the run.
        data: the data set; "" takes the one that the run was trained on.
        part: "train", "val" or "test"; "" takes all photos.
        echo: told what was left out of the data set.
        progress: told of each piece of work.
        skip_without_hand: leave photos without a hand out, even if the run's settings do not ask for it.

    Raises:
        RunError: there is no run, or it is damaged.
        ConfigError: an unknown part.
        DataError: there are no data, or no photos of the part.
    """
    from handnet.config.run_folder import read_run

    return open_data(read_run(folder), data, part, echo, progress, skip_without_hand)


def open_data(
    run: "Run",
    data: str = "",
    part: str = "",
    echo: Echo = print,
    progress: Progress = hide_progress,
    skip_without_hand: bool = False,
) -> OpenRun:
    """Read the data of a run that has been read, the same way as `open_run`."""
    from handnet.config.run_folder import read_run_split
    from handnet.library.data_folder import read_data

    settings = run.config.data
    folder = data or run.facts["data"]["directory"]
    dataset = read_data(settings.reader, folder, settings.fill_labels, echo, progress)
    opened = OpenRun(run, read_run_split(run), dataset, dataset.examples)
    if part:
        opened = opened._replace(examples=opened.select(part))
    if skip_without_hand or settings.skip_without_hand:
        # All photos are decoded for it, so a part that there is not has been refused before.
        dataset = _leave_out_without_hand(run, dataset, echo, progress)
        opened = opened._replace(dataset=dataset, examples=dataset.examples)
        opened = opened._replace(examples=opened.select(part)) if part else opened
    return opened


def _leave_out_without_hand(run: "Run", dataset: "DataSet", echo: Echo, progress: Progress) -> "DataSet":
    from handnet.data.dataset import leave_known_out
    from handnet.images.kept_photos import find_kept_files

    known = leave_known_out(dataset, run.facts["data"])
    if find_kept_files([example.path for example in known.examples], run.config.image) is not None:
        # All others are in the cache of decoded photos, so there is nothing to look for.
        for line in known.problems[len(dataset.problems) :]:
            echo(f"data: {line}")
        return known
    start_tensorflow()
    from handnet.images.without_hand import leave_out_without_hand, skip_without_hand

    return leave_out_without_hand(dataset, skip_without_hand(run.config), echo, progress)
