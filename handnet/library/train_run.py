"""Training from Python: `handnet.train`, and the two steps of it that the command line shares."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.console import Echo, Progress, hide_progress
from handnet.errors import ConfigError, quote
from handnet.library.given_weights import check_given_weights
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.config.settings import Config
    from handnet.config.split import Split
    from handnet.data.dataset import DataSet

# Asked for before any work; the training asks for what the network needs.
LEAST_FREE_BYTES = 100_000_000


def train(
    config: str | Path | Mapping[str, Any] | None = None,
    *,
    data: str | Path = "",
    run: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    nodes: int = 1,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> "Run":
    """Train an encoder on hand photos and leave everything about it in a run folder, as `handnet train` does.

    Args:
        config: a TOML file such as "configs/scratch.toml", or sections of settings such as {"model": {"arch": "hand"}};
            without it the defaults of `handnet train`.
        data: the data set's folder; "" takes what the settings name, else $HANDNET_DATA, else data/hands11k; "synthetic"
            draws synthetic hands once.
        run: the run folder to create; without it runs/ARCH-LOSS. With `resume` the run to continue.
        settings: single settings laid over `config`, e.g. {"train.epochs": 3, "loss.options.margin": 0.2}.
        resume: continue the interrupted run `run`; all settings come from it.
        nodes: how many processes, of which this is one, train together, on JAX; see docs/scale.md.
        echo: is given each line of the training.
        progress: is told of each piece of work.

    Returns:
        The finished run: its folder, settings and facts. `handnet.load` and `handnet.evaluate` take it.

    Raises:
        HandnetError: a wrong setting, data that do not suffice, a run that exists, a full disk; one line each.
    """
    from handnet.library.data_folder import read_data
    from handnet.networks.heads import name_objective

    if resume:
        if run is None or config is not None or settings:
            raise ConfigError("resume=True takes all settings from the run: give run (and data) alone.")
        return resume_run(Path(run), str(data), num_nodes=nodes, echo=echo, warn=echo, progress=progress)
    chosen = complete_settings(config, settings or {})
    folder = Path("runs") / f"{chosen.model.arch}-{name_objective(chosen)}" if run is None else Path(run)
    check_target(folder)
    # Several processes on JAX find one another before one of them uses it.
    if nodes == 1:
        check_given_weights(chosen)
    source = str(data) or chosen.data.path
    dataset = read_data(chosen.data.reader, source, chosen.data.fill_labels, echo, progress)
    start_tensorflow()
    from handnet.training.pair_training import check_pairs

    check_pairs(chosen, dataset)
    return train_run(chosen, folder, dataset, num_nodes=nodes, echo=echo, warn=echo, progress=progress)


def complete_settings(config: str | Path | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> "Config":
    """Return whole settings from a file or sections, with single ones laid over them.

    Args:
        config: see `train`.
        settings: values by dotted names.

    Raises:
        ConfigError: a setting that does not exist or has a value that it cannot have.
    """
    from handnet.config.presets import merge_trees
    from handnet.config.toml import read_tree
    from handnet.networks.complete_config import complete_config

    tree = dict(config) if isinstance(config, Mapping) else read_tree(None if config is None else Path(config))
    for name, value in settings.items():
        *sections, key = str(name).split(".")
        if not sections:
            raise ConfigError(f"Expected a setting by its section and name, e.g. train.epochs. Received: {name!r}.")
        over: dict[str, Any] = {key: value}
        for section in reversed(sections):
            over = {section: over}
        tree = merge_trees(tree, over)
    return complete_config(tree)


def check_target(folder: Path) -> None:
    """Raise RunError where a run or anything else lies at `folder`, DiskError where no run can be written there."""
    from handnet.config.run_folder import check_absent
    from handnet.files import check_free_space

    check_absent(folder)
    check_free_space(folder, LEAST_FREE_BYTES)


def resume_run(
    folder: Path,
    data: str,
    *,
    num_nodes: int = 1,
    command: Sequence[str] = (),
    echo: Echo,
    warn: Echo,
    progress: Progress,
) -> "Run":
    """Continue an interrupted run, or return a finished one; see `train_run` for the arguments."""
    from handnet.config.run_folder import WEIGHTS_FILE, read_run
    from handnet.files import check_free_space
    from handnet.library.opened_run import open_data

    run = read_run(folder)
    done = run.facts.get("status") == "finished"
    if done and (run.config.pairs.form == "none" or "pairs" in run.facts):
        echo(f"{folder} is finished: {run.facts['epochs_done']} epochs. Evaluate it with: handnet eval {quote(folder)}")
        return run
    file = folder / WEIGHTS_FILE
    check_free_space(folder, 4 * file.stat().st_size if file.is_file() else LEAST_FREE_BYTES)
    dataset = open_data(run, data, echo=echo, progress=progress).dataset
    start_tensorflow()
    return train_run(
        run.config,
        folder,
        dataset,
        resume=True,
        finished=run if done else None,
        num_nodes=num_nodes,
        command=command,
        echo=echo,
        warn=warn,
        progress=progress,
    )


def train_run(
    config: "Config",
    folder: Path,
    dataset: "DataSet",
    *,
    resume: bool = False,
    finished: "Run | None" = None,
    num_nodes: int = 1,
    command: Sequence[str] = (),
    echo: Echo,
    warn: Echo,
    progress: Progress,
) -> "Run":
    """Train the encoder, unless it is that of a finished run, and then the classifier of pairs that the settings ask for.

    Args:
        config: the settings.
        folder: the run folder.
        dataset: the photos.
        resume: continue an interrupted run.
        finished: the run, where only its classifier of pairs is missing.
        num_nodes: how many processes train together; the first one alone prints and writes.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: told of each piece of work.
    """
    from handnet.config.run_folder import read_run, read_run_split
    from handnet.images.without_hand import leave_out_without_hand
    from handnet.training.joining import collect_shared_facts
    from handnet.training.nodes import check_same_training, end_together, join_nodes
    from handnet.training.pair_training import train_pairs
    from handnet.training.train import train as train_encoder

    if finished and num_nodes > 1:
        raise ConfigError(f"The classifier of pairs is trained by one process. Leave --nodes {num_nodes} out.")
    nodes = join_nodes(num_nodes)
    if not nodes.is_first:
        echo = warn = lambda line: None
        progress = hide_progress
    try:
        with end_together(nodes, folder):
            if nodes.total > 1:
                check_same_training(nodes, collect_shared_facts(config, dataset, resume))
            run = finished or train_encoder(
                config,
                folder,
                dataset,
                resume=resume,
                command=command,
                echo=echo,
                warn=warn,
                progress=progress,
                nodes=nodes,
            )
        if nodes.total > 1:
            if config.pairs.form != "none":
                echo(f"one process trains the classifier of pairs: handnet train --resume --run {quote(folder)}")
            return run
        if config.pairs.form != "none":
            # The encoder's training has said what it left out.
            dataset = leave_out_without_hand(dataset, run.config, lambda line: None, progress)
            train_pairs(run, dataset, echo=echo, progress=progress)
            run = read_run(folder)
    except KeyboardInterrupt:
        if (folder / "checkpoint").exists():
            warn(f"stopped; continue with: handnet train --resume --run {quote(folder)}")
        raise
    if advice := advise_evaluation(read_run_split(run), dataset, folder):
        echo(advice)
    return run


def advise_evaluation(split: "Split", dataset: "DataSet", run_folder: Path) -> str:
    """Return the command that evaluates a run on a part that can be evaluated; "" where there is none."""
    from handnet.data.dataset import people_to_match
    from handnet.data.leaks import select_photos

    for part, option in (("test", ""), ("val", " --part val")):
        if len(people_to_match(select_photos(dataset, split, part))) > 1:
            return f"next: handnet eval {quote(run_folder)}{option}"
    return ""
