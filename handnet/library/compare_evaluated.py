"""Runs compared on the same photos, from Python: `handnet.compare`, and what `handnet compare` shares with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handnet.errors import ConfigError, EvaluationError, format_unknown, quote
from handnet.library.evaluate_run import LEAST_FREE_BYTES, find_run_folder

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.config.split import Split
    from handnet.metrics.run_comparison import ComparedRun


def compare(
    first: "str | Path | Run",
    *others: "str | Path | Run",
    part: str = "test",
    protocol: str = "person_template",
    direction: str = "dorsal_to_palmar",
    output: str | Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare runs with the first one on the same photos, as `handnet compare` does; each must have been evaluated.

    Args:
        first: a run folder, or what `handnet.train` returned.
        others: one or more runs.
        part: the part on which all were evaluated.
        protocol: a protocol of metrics.json, e.g. "photo".
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        output: folder of comparison.html, comparison.json and differences.svg; None writes nothing.
        seed: random seed for the bootstrap.

    Returns:
        "runs", the figures of each, and "differences", those of each other run minus the first: {figure: {"difference",
        "interval", "clear"}}.

    Raises:
        HandnetError: a run that has not been evaluated, or on other photos; an unknown protocol; one line each.
    """
    from handnet.files import check_free_space, hold_lock
    from handnet.metrics.run_comparison import compare_runs

    runs = read_compared([find_run_folder(run) for run in (first, *others)], part, protocol, direction)
    comparison = compare_runs(runs, protocol, direction, seed=seed)
    if output is not None:
        check_free_space(Path(output), LEAST_FREE_BYTES)
        with hold_lock(Path(output)):
            write_compared(comparison, Path(output))
    return comparison


def read_compared(folders: Sequence[Path], part: str, protocol: str, direction: str) -> "list[ComparedRun]":
    """Read what runs were evaluated to, after a check of the other arguments; see `compare`."""
    from handnet.config.run_folder import WEIGHTS_FILE, read_run, read_run_split
    from handnet.metrics.embedded import load_part
    from handnet.metrics.protocols import PROTOCOLS
    from handnet.metrics.ranking import DIRECTIONS
    from handnet.metrics.run_comparison import ComparedRun
    from handnet.networks.heads import name_objective
    from handnet.networks.weights.manifest import hash_file

    if protocol not in PROTOCOLS:
        raise ConfigError(format_unknown("protocol", protocol, PROTOCOLS))
    if direction not in DIRECTIONS:
        raise ConfigError(format_unknown("direction", direction, DIRECTIONS))
    runs = []
    for folder in folders:
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
    return runs


def write_compared(comparison: dict[str, Any], output: Path) -> None:
    """Write comparison.json, differences.svg and comparison.html into a folder that no other process writes."""
    from handnet.evaluation.report.comparison_page import write_comparison
    from handnet.evaluation.report.plots.difference_plot import plot_differences
    from handnet.files import write_bytes
    from handnet.metrics.all_figures import write_metrics

    write_metrics(output / "comparison.json", comparison)
    write_bytes(output / "differences.svg", plot_differences(comparison).encode())
    write_comparison(output / "comparison.html", comparison)


def _advise(split: "Split", part: str, folder: Path) -> str:
    """Return the end of the sentence on a run without vectors of a part: the command that makes them, if any can."""
    if len(split.people(part)) > 1:
        return f". Evaluate it: handnet eval {quote(folder)} --part {part}"
    other = next((name for name in ("test", "val") if len(split.people(name)) > 1), "")
    advice = f" Evaluate and compare another part: handnet eval {quote(folder)} --part {other}" if other else ""
    return f", and cannot be: fewer than two people are in it.{advice}"
