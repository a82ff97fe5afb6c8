"""`handnet cv`."""

import sys
from pathlib import Path
from typing import Any

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_config_file, with_overrides, with_skip_setting
from handnet.cli._output import claim_output
from handnet.library.given_weights import check_given_weights
from handnet.library.start import start_tensorflow

# Asked for before any work; each fold's training asks for what the network needs.
_LEAST_FREE_BYTES = 100_000_000


@click.command("cv")
@with_config_file
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2), help="Number of folds.")
@click.option("--data", default="", metavar="DIR", help="Data set; else $HANDNET_DATA, else data/hands11k.")
@click.option("--reader", default="", help="How the data set is laid out: hands11k, folder, … (data.reader)")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Folder for the folds.  [default: runs/cv-ARCH-LOSS]"
)
@click.option(
    "--split-seed",
    default=42,
    show_default=True,
    type=click.IntRange(0),
    help="Random seed for dealing people into folds.",
)
@with_skip_setting
@with_overrides("train.epochs=10")
def cross_validation(
    config_file: Path | None,
    folds: int,
    data: str,
    reader: str,
    folder: Path | None,
    split_seed: int,
    skip_without_hand: bool,
    overrides: tuple[str, ...],
) -> None:
    """Cross-validate: train and test on each fold of the people in turn, so that everybody is tested once.

    If you interrupt it, the same command continues. Folds trained with other settings, photos or labels are refused.
    """
    from handnet.config.toml import read_tree
    from handnet.networks.complete_config import complete_config
    from handnet.networks.heads import name_objective

    given: dict[str, Any] = {}
    if reader:
        given["reader"] = reader
    if skip_without_hand:
        given["skip_without_hand"] = True
    config = complete_config(read_tree(config_file, overrides, {"data": given} if given else {}))
    folder = folder or Path("runs") / f"cv-{config.model.arch}-{name_objective(config)}"
    from handnet.cli._data import read_data

    claim_output(folder, _LEAST_FREE_BYTES)
    check_given_weights(config)
    dataset = read_data(config.data.reader, data or config.data.path, config.data.fill_labels)
    start_tensorflow()
    from handnet.evaluation.folds import cross_validate
    from handnet.evaluation.report.comparison_page import write_folds

    metrics = cross_validate(
        config,
        folder,
        dataset,
        folds,
        split_seed=split_seed,
        command=["handnet", *sys.argv[1:]],
        echo=echo,
        warn=warn,
        progress=show_progress,
    )
    echo(format_folds(metrics))
    write_folds(folder / "report.html", metrics)
    echo(f"wrote {folder / 'report.html'} and metrics.json")


def format_folds(metrics: dict[str, Any]) -> str:
    """Return the pooled figures of both directions as a table, each with interval and chance."""
    from handnet.metrics.figures import DIRECTION_NAMES

    lines = [
        f"{metrics['num_people']} people, each tested once in {metrics['num_folds']} folds; 95 % interval over people; (chance)"
    ]
    for name in ("person_template", "photo"):
        for direction, words in DIRECTION_NAMES.items():
            figures = metrics["protocols"][name][direction]
            low, high = figures["interval"]["recall_at_1"]
            rank_low, rank_high = figures["interval"]["mean_rank"]
            chance = figures["chance"]
            lines.append(
                f"{name.replace('_', ' '):16} {words}  R@1 {100 * figures['recall_at_1']:5.1f} % "
                f"[{100 * low:.1f}, {100 * high:.1f}] "
                f"({100 * chance['recall_at_1']:.1f})   mean rank {figures['mean_rank']:6.2f} [{rank_low:.2f}, {rank_high:.2f}] "
                f"({chance['mean_rank']:.1f})"
            )
    return "\n".join(lines)
