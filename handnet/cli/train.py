"""`handnet train`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_config_file, with_overrides, with_skip_setting
from handnet.library.given_weights import check_given_weights
from handnet.library.start import start_tensorflow
from handnet.library.train_run import check_target, resume_run, train_run

if TYPE_CHECKING:
    from handnet.config.settings import Config


@click.command()
@with_config_file
@click.option(
    "--data", default="", metavar="DIR", help="Data set; else $HANDNET_DATA, else data/hands11k. 'synthetic' draws one."
)
@click.option("--reader", help="How the data set is laid out: hands11k, folder, … (data.reader)")
@click.option("--arch", help="hand-lite2, hand, small, resnet50, vgg16, dino, … (model.arch)")
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
    help="none; hand, hand-upright, hand-canonical, hand-palm, hand-warped: the hand alone; hand-and-photo; middle (image.crop)",
)
@click.option("--seed", type=int, help="Random seed of weights, batches and augmentation (train.seed).")
@click.option(
    "--overfit", type=int, metavar="N", help="Only check that the pair classifier can learn N training pairs exactly."
)
@click.option(
    "--nodes",
    type=click.IntRange(1),
    default=1,
    help="This is one of N processes that train together, on JAX; a launcher such as srun starts them all (docs/scale.md).",
    metavar="N",
)
@with_skip_setting
@with_overrides("optimizer.learning_rate=1e-3")
def train(
    config_file: Path | None,
    data: str,
    run_folder: Path | None,
    resume: bool,
    batch: int | None,
    overfit: int | None,
    nodes: int,
    overrides: tuple[str, ...],
    **options: Any,
) -> None:
    """Train an encoder on hand photos; settings come from CONFIG.toml, then the options, then --set.

    Settings that you leave out follow from --arch and --loss: the published settings, where there are any.
    """
    from handnet.cli._data import read_data
    from handnet.errors import ConfigError
    from handnet.networks.heads import name_objective

    given, command = _collect_settings(options), ["handnet", *sys.argv[1:]]
    if resume:
        if run_folder is None:
            raise ConfigError("--resume needs --run DIR: the run to continue.")
        if given or overrides or config_file or batch is not None or overfit is not None:
            raise ConfigError("--resume takes all settings from the run. Give --run (and --data) alone.")
        resume_run(run_folder, data, num_nodes=nodes, command=command, echo=echo, warn=warn, progress=show_progress)
        return
    config = _read_settings(config_file, overrides, given, batch)
    run_folder = run_folder or Path("runs") / f"{config.model.arch}-{name_objective(config)}"
    if overfit is None:
        check_target(run_folder)
    # Several processes on JAX find one another before one of them uses it.
    if nodes == 1:
        check_given_weights(config)
    dataset = read_data(config.data.reader, data or config.data.path, config.data.fill_labels)
    start_tensorflow()
    from handnet.training.overfit import overfit_pairs
    from handnet.training.pair_training import check_pairs

    if overfit is not None:
        if nodes > 1:
            raise ConfigError("--overfit runs on one process. Leave --nodes out.")
        epochs_needed = overfit_pairs(config, dataset, overfit, echo=echo, progress=show_progress)
        echo(f"all pairs are classified correctly after {epochs_needed} epochs")
        return
    check_pairs(config, dataset)
    train_run(
        config,
        run_folder,
        dataset,
        num_nodes=nodes,
        command=command,
        echo=echo,
        warn=warn,
        progress=show_progress,
    )


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
    if options["skip_without_hand"]:
        given.setdefault("data", {})["skip_without_hand"] = True
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
