"""`handnet train`."""

import sys
from pathlib import Path
from typing import Any

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._tensorflow import start_tensorflow

# Asked for before any work; train() asks for what the network needs.
_LEAST_FREE_BYTES = 100_000_000


@click.command()
@click.argument("config_file", metavar="[CONFIG.toml]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--data", default="", metavar="DIR", help="Data set; else $HANDNET_DATA, else data/hands11k. 'synthetic' draws one."
)
@click.option("--arch", help="hand, small, resnet50, vgg16, dino, dino-small, … (model.arch)")
@click.option("--loss", help="contrastive, triplet, … (loss.name)")
@click.option(
    "--run", "run_folder", type=click.Path(path_type=Path), help="Run folder to make.  [default: runs/ARCH-LOSS]"
)
@click.option("--resume", is_flag=True, help="Continue the interrupted run given by --run.")
@click.option("--epochs", type=int, help="train.epochs")
@click.option("--batch", type=int, help="Photos (or, for the twin network, pairs) in a batch.")
@click.option("--precision", help="float32, mixed_float16, mixed_bfloat16 or auto (train.precision)")
@click.option("--weights", help="none, preset, handnet-synthetic, a path, or the folder of a run (model.weights)")
@click.option("--freeze/--no-freeze", default=None, help="Train the head alone, or everything (model.trainable).")
@click.option(
    "--crop", help="none; hand, hand-upright, hand-canonical: the hand alone; hand-and-photo; middle (image.crop)"
)
@click.option("--seed", type=int, help="train.seed")
@click.option(
    "--overfit", type=int, metavar="N", help="Only check that the pair classifier can learn N training pairs by heart."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any setting, as optimizer.learning_rate=1e-3."
)
def train(
    config_file: Path | None,
    data: str,
    arch: str | None,
    loss: str | None,
    run_folder: Path | None,
    resume: bool,
    epochs: int | None,
    batch: int | None,
    precision: str | None,
    weights: str | None,
    freeze: bool | None,
    crop: str | None,
    seed: int | None,
    overfit: int | None,
    overrides: tuple[str, ...],
) -> None:
    """Train an encoder on hand photos; settings come from CONFIG.toml, then the options, then --set.

    What is not said follows from --arch and --loss: the published settings, where there are any.
    """
    from handnet.config.presets import complete_tree, merge_trees
    from handnet.config.run_folder import check_absent, read_run
    from handnet.config.toml import parse_config, read_tree
    from handnet.errors import ConfigError
    from handnet.files import check_free_space

    given: dict[str, dict[str, Any]] = {}
    done = False
    for section, key, value in (
        ("model", "arch", arch),
        ("loss", "name", loss),
        ("train", "epochs", epochs),
        ("train", "precision", precision),
        ("model", "weights", weights),
        ("model", "trainable", None if freeze is None else "none" if freeze else "all"),
        ("image", "crop", crop),
        ("train", "seed", seed),
    ):
        if value is not None:
            given.setdefault(section, {})[key] = value
    if resume:
        if run_folder is None:
            raise ConfigError("--resume needs --run DIR: the run to continue.")
        if given or overrides or config_file or batch or overfit is not None:
            raise ConfigError("--resume takes all settings from the run. Give --run (and --data) alone.")
        run = read_run(run_folder)
        done = run.facts.get("status") == "finished"
        if done and (run.config.pairs.form == "none" or "pairs" in run.facts):
            echo(
                f"{run_folder} is finished: {run.facts['epochs_done']} epochs. Evaluate it with: handnet eval {run_folder}"
            )
            return
        config = run.config
        data = data or run.facts["data"]["directory"]
    else:
        tree = complete_tree(read_tree(config_file, overrides, given))
        if batch is not None:
            tree = merge_trees(tree, {"sampler": _size_batch(tree, batch)})
        config = parse_config(tree)
        run_folder = run_folder or Path("runs") / f"{config.model.arch}-{config.objective}"
        if overfit is None:
            check_absent(run_folder)
        check_free_space(run_folder, _LEAST_FREE_BYTES)

    from handnet.cli._data import read_data

    dataset = read_data(config.data.reader, data or config.data.path)
    start_tensorflow()
    from handnet.training.gradient import train as train_model
    from handnet.training.pair_training import check_pairs, overfit_pairs, train_pairs

    if not resume and overfit is None:
        check_pairs(config, dataset)
    if overfit is not None:
        epochs_needed = overfit_pairs(config, dataset, overfit, echo=echo, progress=show_progress)
        echo(f"all pairs are judged right after {epochs_needed} epochs: zero error")
        return
    try:
        if not done:
            run = train_model(
                config,
                run_folder,
                dataset,
                resume=resume,
                command=["handnet", *sys.argv[1:]],
                echo=echo,
                warn=warn,
                progress=show_progress,
            )
        if config.pairs.form != "none":
            train_pairs(run, dataset, echo=echo, progress=show_progress)
    except KeyboardInterrupt:
        if (run_folder / "checkpoint").exists():
            warn(f"stopped; continue with: handnet train --resume --run {run_folder}")
        raise
    echo(f"next: handnet eval {run_folder}")


def _size_batch(tree: dict[str, Any], batch: int) -> dict[str, int]:
    """Turn --batch into the sampler's settings: photos for people × views × photos, else pairs."""
    from handnet.errors import ConfigError

    sampler = tree.get("sampler", {})
    if sampler.get("name") == "pairs":
        return {"pairs_per_batch": batch}
    per_person = 2 * sampler.get("photos_per_view", 1)
    if batch % per_person or batch < 2 * per_person:
        raise ConfigError(
            f"--batch must be a multiple of {per_person} photos (a person has {per_person} in a batch), at least "
            f"{2 * per_person}. Received: {batch}."
        )
    return {"people_per_batch": batch // per_person}
