"""`handnet eval`."""

import os
from pathlib import Path

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_data_of_run, with_part, with_skip
from handnet.cli._output import LEAST_FREE_BYTES, claim_output
from handnet.cli._run import open_run


@click.command("eval")
@click.argument("run_folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@with_data_of_run
@with_part
@with_skip
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report.  [default: RUN/eval-PART]")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed for galleries and the bootstrap."
)
@click.option(
    "--audit", "with_audit", is_flag=True, help="Look for shortcuts too, as `handnet audit` does; takes minutes."
)
@click.option(
    "--explain",
    "num_explained",
    default=0,
    show_default=True,
    type=click.IntRange(0, 12),
    help="Number of worst queries for which the report shows which places made the photos similar.",
)
@click.option(
    "--embeddings",
    help="Evaluate this .npz or .parquet file (any model's), or the folder of `embed --cluster`, instead of a run.",
)
@click.option("--val-embeddings", help="With --embeddings: other people, for thresholds.")
@click.option(
    "--full", is_flag=True, help="Print every figure, not the first 30 lines; the report always has them all."
)
@click.option(
    "--large",
    is_flag=True,
    help="With --embeddings: photo against photo alone, in blocks, for up to a million photos; continues when stopped.",
)
@click.option(
    "--processes",
    default=0,
    type=click.IntRange(0),
    help="With --large: number of processes.  [default: one for each core]",
)
@click.option("--normalize", is_flag=True, help="With --embeddings: divide each row by its norm first.")
def evaluate(
    run_folder: Path | None,
    data: str,
    part: str,
    skip_without_hand: bool,
    output: Path | None,
    seed: int,
    with_audit: bool,
    num_explained: int,
    embeddings: str | None,
    val_embeddings: str | None,
    full: bool,
    normalize: bool,
    large: bool,
    processes: int,
) -> None:
    """Evaluate RUN, or precomputed embeddings: table, metrics.json, embeddings.npz and a report on one page.

    Retrieval by person (the published protocol) and by photo in both directions and more, verification, open set and
    calibration; every figure with chance and a 95 % interval over people. Photos without views, e.g. of faces, are evaluated in
    pairs: pairs.json and report.html.
    """
    from handnet.data.remote.addresses import is_address
    from handnet.errors import ConfigError

    if (run_folder is None) == (embeddings is None):
        raise ConfigError("Give a RUN folder or --embeddings FILE, one of the two.")
    if embeddings is not None:
        # What is evaluated in a bucket is reported here.
        place = Path(embeddings.rstrip("/").rpartition("/")[2]) if is_address(embeddings) else Path(embeddings)
        target = output or place.parent / f"eval-{place.stem}"
        if large:
            if val_embeddings is not None:
                raise ConfigError("--large chooses no thresholds: leave out --val-embeddings.")
            _evaluate_large(embeddings, target, seed, normalize, processes or os.cpu_count() or 1)
        else:
            _evaluate_file(embeddings, val_embeddings, target, seed, normalize, full)
        return
    if val_embeddings is not None or normalize or large:
        raise ConfigError(
            "--val-embeddings, --normalize and --large belong to --embeddings FILE. Received: a RUN folder."
        )
    assert run_folder is not None
    from handnet.data.leaks import describe_seen
    from handnet.evaluation.report.pairs_terminal import format_pair_metrics
    from handnet.evaluation.report.terminal import format_metrics
    from handnet.library.evaluate_run import evaluate_opened

    target = output or run_folder / f"eval-{part}"
    opened = open_run(run_folder, data, part, skip_without_hand)
    if seen := describe_seen(opened.run, part):
        warn(seen)
    claim_output(target)
    found = evaluate_opened(opened, part, target, seed, with_audit, echo, show_progress, num_explained)
    if found.pair_metrics is not None:
        echo(format_pair_metrics(found.pair_metrics))
    if found.metrics is not None:
        echo(format_metrics(found.metrics, full))
    echo(f"wrote {found.report} and {', '.join(found.files[1:])}")


def _evaluate_file(file: str, val_file: str | None, target: Path, seed: int, normalize: bool, full: bool) -> None:
    from handnet.data.remote.addresses import hide_secrets
    from handnet.evaluation.report.page import write_report
    from handnet.evaluation.report.terminal import format_metrics
    from handnet.metrics.all_figures import evaluate_part, write_metrics
    from handnet.metrics.embedded import check_disjoint, check_same_model, load_part
    from handnet.metrics.pairs.all_pairs import score_pairs
    from handnet.metrics.pairs.calibration import fit_calibration

    part, shown = load_part(file, normalize), hide_secrets(file)
    calibration = None
    if val_file is not None:
        validation = load_part(val_file, normalize)
        check_same_model(validation, part)
        check_disjoint(validation, part)
        calibration = fit_calibration(score_pairs(validation))
    claim_output(target)
    metrics = evaluate_part(part, calibration, seed=seed)
    write_metrics(target / "metrics.json", metrics)
    write_report(target / "report.html", metrics, part, Path(shown).name, {"embeddings": shown}, seed)
    echo(format_metrics(metrics, full))
    echo(f"wrote {target / 'report.html'} and metrics.json")


def _evaluate_large(file: str, target: Path, seed: int, normalize: bool, num_processes: int) -> None:
    from handnet.evaluation.report.terminal import format_large
    from handnet.metrics.all_figures import describe_part, write_metrics
    from handnet.metrics.embedded import load_part
    from handnet.metrics.large_part import evaluate_large

    part = load_part(file, normalize, with_attributes=False)
    claim_output(target, LEAST_FREE_BYTES + 2 * part.embeddings.nbytes)
    found = evaluate_large(part, target / "work", num_processes, seed=seed, progress=show_progress)
    metrics = {"part": describe_part(part), "seed": seed, **found}
    write_metrics(target / "metrics.json", metrics)
    echo(format_large(metrics))
    echo(f"wrote {target / 'metrics.json'}")
