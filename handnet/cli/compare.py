"""`handnet compare`."""

from pathlib import Path
from typing import Any

import click

from handnet.cli._console import echo

_FIGURES = ("mean_rank", "recall_at_1", "recall_at_5", "recall_at_10", "mean_average_precision")


@click.command()
@click.argument("run_folders", metavar="RUN RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--part", default="test", show_default=True, help="The part on which all RUNs were evaluated.")
@click.option("--protocol", default="person_template", show_default=True, help="person_template, photo, …")
@click.option("--direction", default="dorsal_to_palmar", show_default=True, help="Or palmar_to_dorsal.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the bootstrap.")
@click.option("--output", default=Path("comparison"), show_default=True, type=click.Path(path_type=Path))
def compare(run_folders: tuple[Path, ...], part: str, protocol: str, direction: str, seed: int, output: Path) -> None:
    """Compare each RUN with the first on the same photos: differences with intervals over people, paired.

    Every RUN must have been evaluated: `handnet eval RUN --part PART`. Writes comparison.json and the matrix of backbone × loss.
    """
    from handnet.config.run_folder import read_run
    from handnet.errors import ConfigError, EvaluationError, format_unknown
    from handnet.evaluation.report.plots import plot_matrix
    from handnet.files import write_bytes
    from handnet.metrics.comparison import ComparedRun, compare_runs
    from handnet.metrics.embedded import load_part
    from handnet.metrics.protocols import PROTOCOLS
    from handnet.metrics.ranking import DIRECTIONS, write_metrics

    if protocol not in PROTOCOLS:
        raise ConfigError(format_unknown("protocol", protocol, PROTOCOLS))
    if direction not in DIRECTIONS:
        raise ConfigError(format_unknown("direction", direction, DIRECTIONS))
    runs = []
    for folder in run_folders:
        config = read_run(folder).config
        file = folder / f"eval-{part}" / "embeddings.npz"
        if not file.exists():
            raise EvaluationError(
                f"{str(folder)!r} has not been evaluated on its {part} part. Do it: handnet eval {folder} --part {part}"
            )
        runs.append(ComparedRun(str(folder), config.model.arch, config.objective, load_part(file)))
    comparison = compare_runs(runs, protocol, direction, seed=seed)
    write_metrics(output / "comparison.json", comparison)
    write_bytes(output / "matrix.svg", plot_matrix(comparison["runs"]).encode())
    echo(format_comparison(comparison))
    echo(f"wrote {output / 'comparison.json'} and {output / 'matrix.svg'}")


def format_comparison(comparison: dict[str, Any]) -> str:
    """Return the figures of each run and the paired differences from the first, each with its interval."""
    lines = [f"{comparison['protocol']}, {comparison['direction']}; 95 % intervals over people"]
    for run in comparison["runs"]:
        cells = [f"{name} {_format(name, run[name])} {_interval(name, run['interval'][name])}" for name in _FIGURES]
        lines.append(f"{run['name']} ({run['backbone']}, {run['loss']})\n  " + "   ".join(cells))
    for row in comparison["differences"]:
        lines.append(f"{row['name']} minus {row['against']}")
        for name in _FIGURES:
            change = row[name]
            improvement = change["improvement"]
            relative = "" if improvement is None else f"; improvement {100 * improvement:+.1f} % of the first"
            verdict = "clear" if change["clear"] else "not clear: the interval holds 0"
            lines.append(
                f"  {name:24} {_format(name, change['difference'], True)} {_interval(name, change['interval'])} "
                f"{verdict}{relative}"
            )
    return "\n".join(lines)


def _format(name: str, value: float, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{value:{sign}.2f}" if "rank" in name else f"{100 * value:{sign}.1f} %"


def _interval(name: str, interval: list[float]) -> str:
    scale = 1 if "rank" in name else 100
    digits = 2 if "rank" in name else 1
    return f"[{scale * interval[0]:.{digits}f}, {scale * interval[1]:.{digits}f}]"
