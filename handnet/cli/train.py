"""`handnet train`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_config_file, with_overrides
from handnet.cli._run import open_data
from handnet.cli._tensorflow import start_tensorflow
from handnet.errors import quote

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.config.settings import Config
    from handnet.config.split import Split
    from handnet.data.dataset import DataSet

# Asked for before any work; train() asks for what the network needs.
_LEAST_FREE_BYTES = 100_000_000


@click.command()
@with_config_file
@click.option(
    "--data", default="", metavar="DIR", help="Data set; else $HANDNET_DATA, else data/hands11k. 'synthetic' draws one."
)
@click.option("--reader", help="How the data set is laid out: hands11k, folder, … (data.reader)")
@click.option("--arch", help="hand, small, resnet50, vgg16, dino, dino-small, … (model.arch)")
@click.option("--loss", help="contrastive, triplet, … (loss.name)")
@click.option(
    "--run", "run_folder", type=click.Path(path_type=Path), help="Run folder to create.  [default: runs/ARCH-LOSS]"
)
@click.option("--resume", is_flag=True, help="Continue the interrupted run given by --run.")
@click.option("--epochs", type=int, help="Number of epochs (train.epochs).")
@click.option("--batch", type=int, help="Photos (or, for the twin network, pairs) in a batch.")
@click.option("--precision", help="float32, mixed_float16, mixed_bfloat16 or auto (train.precision)")
@click.option("--weights", help="none, preset, pip, handnet-synthetic, a path, or the folder of a run (model.weights)")
@click.option("--freeze/--no-freeze", default=None, help="Train only the head, or everything (model.trainable).")
@click.option(
    "--crop",
    help="none; hand, hand-upright, hand-canonical, hand-palm: the hand alone; hand-and-photo; middle (image.crop)",
)
@click.option("--seed", type=int, help="Random seed of weights, batches and augmentation (train.seed).")
@click.option(
    "--overfit", type=int, metavar="N", help="Only check that the pair classifier can learn N training pairs exactly."
)
@with_overrides("optimizer.learning_rate=1e-3")
def train(
    config_file: Path | None,
    data: str,
    run_folder: Path | None,
    resume: bool,
    batch: int | None,
    overfit: int | None,
    overrides: tuple[str, ...],
    **options: Any,
) -> None:
    """Train an encoder on hand photos; settings come from CONFIG.toml, then the options, then --set.

    Settings that you leave out follow from --arch and --loss: the published settings, where there are any.
    """
    from handnet.cli._data import read_data
    from handnet.errors import ConfigError
    from handnet.networks.heads import name_objective

    given = _collect_settings(options)
    if resume:
        if run_folder is None:
            raise ConfigError("--resume needs --run DIR: the run to continue.")
        if given or overrides or config_file or batch is not None or overfit is not None:
            raise ConfigError("--resume takes all settings from the run. Give --run (and --data) alone.")
        _resume(run_folder, data)
        return
    config = _read_settings(config_file, overrides, given, batch)
    run_folder = run_folder or Path("runs") / f"{config.model.arch}-{name_objective(config)}"
    if overfit is None:
        _check_target(run_folder)
    dataset = read_data(config.data.reader, data or config.data.path, config.data.fill_labels)
    start_tensorflow()
    from handnet.training.overfit import overfit_pairs
    from handnet.training.pair_training import check_pairs

    if overfit is not None:
        epochs_needed = overfit_pairs(config, dataset, overfit, echo=echo, progress=show_progress)
        echo(f"all pairs are classified correctly after {epochs_needed} epochs")
        return
    check_pairs(config, dataset)
    _train(config, run_folder, dataset)


# Options that set one setting each.
_SETTINGS = {
    "reader": ("data", "reader"),
    "arch": ("model", "arch"),
    "loss": ("loss", "name"),
    "epochs": ("train", "epochs"),
    "precision": ("train", "precision"),
    "weights": ("model", "weights"),
    "crop": ("image", "crop"),
    "seed": ("train", "seed"),
    "freeze": ("model", "trainable"),
}


def _collect_settings(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that were given as options, by section."""
    given: dict[str, dict[str, Any]] = {}
    for name, (section, key) in _SETTINGS.items():
        if options[name] is not None:
            given.setdefault(section, {})[key] = options[name]
    if options["freeze"] is not None:
        given["model"]["trainable"] = "none" if options["freeze"] else "all"
    return given


def _read_settings(
    config_file: Path | None, overrides: tuple[str, ...], given: Mapping[str, Mapping[str, Any]], batch: int | None
) -> "Config":
    from handnet.config.toml import read_tree
    from handnet.networks.complete_config import complete_config

    config = complete_config(read_tree(config_file, overrides, given))
    if batch is None:
        return config
    # What a batch holds follows from the loss.
    start_tensorflow()
    from handnet.training.objective import resize_batch

    return resize_batch(config, batch)


def _check_target(run_folder: Path) -> None:
    from handnet.config.run_folder import check_absent
    from handnet.files import check_free_space

    check_absent(run_folder)
    check_free_space(run_folder, _LEAST_FREE_BYTES)


def _resume(run_folder: Path, data: str) -> None:
    from handnet.config.run_folder import WEIGHTS_FILE, read_run
    from handnet.files import check_free_space

    run = read_run(run_folder)
    done = run.facts.get("status") == "finished"
    if done and (run.config.pairs.form == "none" or "pairs" in run.facts):
        echo(
            f"{run_folder} is finished: {run.facts['epochs_done']} epochs. Evaluate it with: handnet eval {quote(run_folder)}"
        )
        return
    file = run_folder / WEIGHTS_FILE
    check_free_space(run_folder, 4 * file.stat().st_size if file.is_file() else _LEAST_FREE_BYTES)
    dataset = open_data(run, data).dataset
    start_tensorflow()
    _train(run.config, run_folder, dataset, resume=True, finished=run if done else None)


def _train(
    config: "Config", run_folder: Path, dataset: "DataSet", resume: bool = False, finished: "Run | None" = None
) -> None:
    """Train the encoder, unless it is that of a finished run, and then the classifier of pairs that the settings ask for."""
    from handnet.config.run_folder import read_run_split
    from handnet.training.pair_training import train_pairs
    from handnet.training.train import train as train_encoder

    command = ["handnet", *sys.argv[1:]]
    try:
        run = finished or train_encoder(
            config,
            run_folder,
            dataset,
            resume=resume,
            command=command,
            echo=echo,
            warn=warn,
            progress=show_progress,
        )
        if config.pairs.form != "none":
            train_pairs(run, dataset, echo=echo, progress=show_progress)
    except KeyboardInterrupt:
        if (run_folder / "checkpoint").exists():
            warn(f"stopped; continue with: handnet train --resume --run {quote(run_folder)}")
        raise
    if advice := advise_evaluation(read_run_split(run), dataset, run_folder):
        echo(advice)


def advise_evaluation(split: "Split", dataset: "DataSet", run_folder: Path) -> str:
    """Return the command that evaluates a run on a part that can be evaluated; "" where there is none."""
    from handnet.data.dataset import people_to_match
    from handnet.data.leaks import select_photos

    for part, option in (("test", ""), ("val", " --part val")):
        if len(people_to_match(select_photos(dataset, split, part))) > 1:
            return f"next: handnet eval {quote(run_folder)}{option}"
    return ""
