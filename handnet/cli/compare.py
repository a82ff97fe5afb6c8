"""`handnet compare`."""

from pathlib import Path
from typing import Any

import click

from handnet.cli._console import echo
from handnet.cli._output import claim_output


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
    from handnet.library.compare_evaluated import read_compared, write_compared
    from handnet.metrics.run_comparison import compare_runs

    runs = read_compared(run_folders, part, protocol, direction)
    claim_output(output)
    comparison = compare_runs(runs, protocol, direction, seed=seed)
    write_compared(comparison, output)
    echo(format_comparison(comparison))
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


def _show(key: str, value: float, interval: list[float], difference: bool = False) -> str:
    from handnet.metrics.figures import FIGURES, format_figure, format_interval

    # Of two figures in per cent the difference is in points: "+5 %" could be taken for a twentieth more.
    unit = " points" if difference else " %"
    unit = "" if FIGURES[key].unit == "rank" else unit
    return f"{format_figure(key, value, signed=difference)}{unit} [{format_interval(key, interval, ', ')}]"
