"""`handnet eval`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._options import with_data_of_run, with_part
from handnet.cli._output import claim_output
from handnet.cli._run import open_run
from handnet.cli._tensorflow import start_tensorflow

if TYPE_CHECKING:
    from handnet.evaluation.run_part import RunPart


@click.command("eval")
@click.argument("run_folder", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@with_data_of_run
@with_part
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report.  [default: RUN/eval-PART]")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed for galleries and the bootstrap."
)
@click.option(
    "--audit", "with_audit", is_flag=True, help="Look for shortcuts too, as `handnet audit` does; takes minutes."
)
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path),
    help="Evaluate this .npz or .parquet file (any model's) instead of a run.",
)
@click.option(
    "--val-embeddings", type=click.Path(path_type=Path), help="With --embeddings: other people, for thresholds."
)
@click.option("--normalize", is_flag=True, help="With --embeddings: divide each row by its norm first.")
def evaluate(
    run_folder: Path | None,
    data: str,
    part: str,
    output: Path | None,
    seed: int,
    with_audit: bool,
    embeddings: Path | None,
    val_embeddings: Path | None,
    normalize: bool,
) -> None:
    """Evaluate RUN, or precomputed embeddings: table, metrics.json, embeddings.npz and a report on one page.

    Retrieval by person (the published protocol) and by photo in both directions and more, verification, open set and
    calibration; every figure with chance and a 95 % interval over people. Photos without views, e.g. of faces, are evaluated in
    pairs: pairs.json and report.html.
    """
    from handnet.errors import ConfigError

    if (run_folder is None) == (embeddings is None):
        raise ConfigError("Give a RUN folder or --embeddings FILE, one of the two.")
    if embeddings is not None:
        target = output or embeddings.parent / f"eval-{embeddings.stem}"
        _evaluate_file(embeddings, val_embeddings, target, seed, normalize)
        return
    if val_embeddings is not None or normalize:
        raise ConfigError("--val-embeddings and --normalize belong to --embeddings FILE. Received: a RUN folder.")
    assert run_folder is not None
    from handnet.data.dataset import forget_views, has_one_view, has_views

    opened = open_run(run_folder, data, part)
    run, dataset = opened.run, opened.dataset
    target = output or run_folder / f"eval-{part}"
    claim_output(target)

    start_tensorflow()
    from handnet.evaluation.run_part import RunPart
    from handnet.networks.encoder import load_encoder

    if has_one_view(dataset.examples) and run.config.loss.options.get("views") == "any":
        # There is nothing to rank one view against.
        dataset = forget_views(dataset)
    of = RunPart(run, load_encoder(run), dataset, part, seed, echo, show_progress)
    if not has_views(dataset.examples):
        _evaluate_pairs(of, target, "report.html")
        return
    if run.config.pairs.form != "none":
        _evaluate_pairs(of, target, "pairs.html")
    _evaluate_hands(of, target, with_audit)


def _evaluate_hands(of: "RunPart", target: Path, with_audit: bool) -> None:
    from handnet.evaluation.hands import describe_run, evaluate_run
    from handnet.evaluation.origin import describe_origin
    from handnet.evaluation.report.page import write_report
    from handnet.evaluation.report.terminal import format_metrics
    from handnet.metrics.all_figures import write_metrics

    origin = describe_origin(of.run, of.dataset, of.select_examples())
    metrics, embedded = evaluate_run(of, with_audit, target)
    replace(embedded, model=origin["weights"], photos=origin["data"]["fingerprint"]).save(target / "embeddings.npz")
    write_metrics(target / "metrics.json", {**metrics, **origin})
    title, about = f"{of.run.folder.name}: {of.part} people", describe_run(of.run, Path(of.dataset.directory))
    write_report(target / "report.html", metrics, embedded, title, about, of.seed)
    echo(format_metrics(metrics))
    echo(f"wrote {target / 'report.html'}, metrics.json and embeddings.npz")


def _evaluate_pairs(of: "RunPart", target: Path, page: str) -> None:
    from handnet.evaluation.hands import describe_run
    from handnet.evaluation.origin import describe_origin
    from handnet.evaluation.pairs import evaluate_pairs
    from handnet.evaluation.report.pairs_page import write_pair_report
    from handnet.evaluation.report.pairs_terminal import format_pair_metrics
    from handnet.metrics.all_figures import write_metrics

    metrics, table, scores, main = evaluate_pairs(of, output=target)
    write_metrics(target / "pairs.json", {**metrics, **describe_origin(of.run, of.dataset, table.examples)})
    paths = [example.path for example in table.examples]
    photos = [(paths[a], paths[b]) for a, b in table.rows]
    title, about = f"{of.run.folder.name}: pairs of {of.part} people", describe_run(of.run, Path(of.dataset.directory))
    write_pair_report(target / page, metrics, main, scores[main], table.same, photos, title, about)
    echo(format_pair_metrics(metrics))
    echo(f"wrote {target / page} and pairs.json")


def _evaluate_file(file: Path, val_file: Path | None, target: Path, seed: int, normalize: bool) -> None:
    from handnet.evaluation.report.page import write_report
    from handnet.evaluation.report.terminal import format_metrics
    from handnet.metrics.all_figures import evaluate_part, write_metrics
    from handnet.metrics.embedded import check_disjoint, check_same_model, load_part
    from handnet.metrics.pairs.all_pairs import score_pairs
    from handnet.metrics.pairs.calibration import fit_calibration

    part = load_part(file, normalize)
    calibration = None
    if val_file is not None:
        validation = load_part(val_file, normalize)
        check_same_model(validation, part)
        check_disjoint(validation, part)
        calibration = fit_calibration(score_pairs(validation))
    claim_output(target)
    metrics = evaluate_part(part, calibration, seed=seed)
    write_metrics(target / "metrics.json", metrics)
    write_report(target / "report.html", metrics, part, file.name, {"embeddings": str(file)}, seed)
    echo(format_metrics(metrics))
    echo(f"wrote {target / 'report.html'} and metrics.json")
