"""`handnet compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo
from handnet.cli._output import claim_output

if TYPE_CHECKING:
    from handnet.config.split import Split


@click.command()
@click.argument("run_folders", metavar="RUN RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--part", default="test", show_default=True, help="The part on which all RUNs were evaluated.")
@click.option(
    "--protocol", default="person_template", show_default=True, help="A protocol of metrics.json, e.g. photo."
)
@click.option(
    "--direction", default="dorsal_to_palmar", show_default=True, help="dorsal_to_palmar or palmar_to_dorsal."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed for the bootstrap.")
@click.option(
    "--output", default=Path("comparison"), show_default=True, type=click.Path(path_type=Path), help="Folder to write."
)
def compare(run_folders: tuple[Path, ...], part: str, protocol: str, direction: str, seed: int, output: Path) -> None:
    """Compare each RUN with the first on the same photos: differences with intervals over people, paired.

    Every RUN must have been evaluated: `handnet eval RUN --part PART`. Writes comparison.html, comparison.json and
    differences.svg, a plot of the figures and the differences.
    """
    from handnet.config.run_folder import WEIGHTS_FILE, read_run, read_run_split
    from handnet.errors import ConfigError, EvaluationError, format_unknown, quote
    from handnet.evaluation.report.comparison_page import write_comparison
    from handnet.evaluation.report.plots.difference_plot import plot_differences
    from handnet.files import write_bytes
    from handnet.metrics.all_figures import write_metrics
    from handnet.metrics.embedded import load_part
    from handnet.metrics.protocols import PROTOCOLS
    from handnet.metrics.ranking import DIRECTIONS
    from handnet.metrics.run_comparison import ComparedRun, compare_runs
    from handnet.networks.heads import name_objective
    from handnet.networks.weights.manifest import hash_file

    if protocol not in PROTOCOLS:
        raise ConfigError(format_unknown("protocol", protocol, PROTOCOLS))
    if direction not in DIRECTIONS:
        raise ConfigError(format_unknown("direction", direction, DIRECTIONS))
    runs = []
    for folder in run_folders:
        run = read_run(folder)
        config = run.config
        file = folder / f"eval-{part}" / "embeddings.npz"
        if not file.exists():
            raise EvaluationError(
                f"{str(folder)!r} has not been evaluated on its {part} part{_advise(read_run_split(run), part, folder)}"
            )
        vectors = load_part(file)
        if vectors.model and vectors.model != hash_file(folder / WEIGHTS_FILE):
            raise EvaluationError(
                f"{str(file)!r} holds vectors of other weights than the run has now. Evaluate it again: handnet eval "
                f"{quote(folder)} --part {part}"
            )
        runs.append(ComparedRun(str(folder), config.model.arch, name_objective(config), vectors))
    claim_output(output)
    comparison = compare_runs(runs, protocol, direction, seed=seed)
    write_metrics(output / "comparison.json", comparison)
    write_bytes(output / "differences.svg", plot_differences(comparison).encode())
    echo(format_comparison(comparison))
    write_comparison(output / "comparison.html", comparison)
    echo(f"wrote {output / 'comparison.html'}, comparison.json and differences.svg")


def format_comparison(comparison: dict[str, Any]) -> str:
    """Return the figures of each run and the paired differences from the first, each with its interval."""
    from handnet.metrics.figures import list_means

    figures = list_means()
    lines = [f"{comparison['protocol']}, {comparison['direction']}; 95 % intervals over people"]
    for run in comparison["runs"]:
        cells = [f"{figure.label} {_show(key, run[key], run['interval'][key])}" for key, figure in figures.items()]
        lines.append(f"{run['name']} ({run['backbone']}, {run['loss']})\n  " + "   ".join(cells))
    for row in comparison["differences"]:
        lines.append(f"{row['name']} minus {row['against']}")
        for key, figure in figures.items():
            change = row[key]
            improvement = change["improvement"]
            relative = "" if improvement is None else f"; relative improvement {100 * improvement:+z.1f} %"
            verdict = "clear" if change["clear"] else "not clear: the interval holds 0"
            shown = _show(key, change["difference"], change["interval"], difference=True)
            lines.append(f"  {figure.label:12} {shown} {verdict}{relative}")
    return "\n".join(lines)


def _advise(split: "Split", part: str, folder: Path) -> str:
    """Return the end of the sentence on a run without vectors of a part: the command that makes them, if any can."""
    from handnet.errors import quote

    if len(split.people(part)) > 1:
        return f". Evaluate it: handnet eval {quote(folder)} --part {part}"
    other = next((name for name in ("test", "val") if len(split.people(name)) > 1), "")
    advice = f" Evaluate and compare another part: handnet eval {quote(folder)} --part {other}" if other else ""
    return f", and cannot be: fewer than two people are in it.{advice}"


def _show(key: str, value: float, interval: list[float], difference: bool = False) -> str:
    from handnet.metrics.figures import FIGURES, format_figure, format_interval

    # Of two figures in per cent the difference is in points: "+5 %" could be taken for a twentieth more.
    unit = " points" if difference else " %"
    unit = "" if FIGURES[key].unit == "rank" else unit
    return f"{format_figure(key, value, signed=difference)}{unit} [{format_interval(key, interval, ', ')}]"
