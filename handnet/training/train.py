"""Training an encoder: one function for every method."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from handnet.config.run_folder import Run
from handnet.config.settings import Config
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.files import hold_lock
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.without_hand import leave_out_without_hand
from handnet.networks.heads import select_head
from handnet.networks.tensorflow_errors import explain_failures
from handnet.training.closed_form import find_head
from handnet.training.gradient import train_by_gradient
from handnet.training.nodes import ALONE, Nodes
from handnet.training.session import Job, select_people


def train(
    config: Config,
    folder: Path,
    dataset: DataSet,
    *,
    resume: bool = False,
    command: Sequence[str] = (),
    echo: Echo = print,
    warn: Echo = print,
    progress: Progress = hide_progress,
    nodes: Nodes = ALONE,
) -> Run:
    """Train an encoder and leave everything about it in a run folder.

    Args:
        config: the settings; with `resume` those of the run.
        folder: the run folder, made here; with `resume` it exists.
        dataset: the photos.
        resume: continue an interrupted run.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: told of each piece of work.
        nodes: the processes that train together; the first one alone writes.

    Returns:
        The finished run.

    Raises:
        ConfigError: settings that do not fit each other.
        RunError: the run exists (or, with `resume`, does not, or is finished), or was trained on other data.
        DataError: the data do not suffice.
        WeightsError: the backbone's weights are out of reach.
        DiskError: the run cannot be written, or another process is writing it.
        DeviceError: the memory of the device does not suffice.
    """
    job = Job(config, dataset, folder, resume, command, echo, warn, progress, nodes)
    with hold_lock(folder) if nodes.is_first else contextlib.nullcontext(), explain_failures(folder):
        if config.data.skip_without_hand:
            # People who are too few with all photos are so without some. All photos are decoded to know which those are.
            select_people(job._replace(echo=_ignore, warn=_ignore))
        config = settle_hand_finder(config, [example.path for example in dataset.examples], echo)
        dataset = leave_out_without_hand(dataset, config, echo, progress)
        return METHODS[select_head(config.model).method](job._replace(config=config, dataset=dataset))


def _ignore(line: str) -> None:
    """Say nothing now: the training says it again of the photos that are left."""


# From what is to be trained to the finished run, by `Head.method`.
METHODS: Mapping[str, Callable[[Job], Run]] = {"gradient": train_by_gradient, "closed form": find_head}
