"""Evaluating a run from Python: `handnet.evaluate`, and what `handnet eval` shares with it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from handnet.console import Echo, Progress, hide_progress
from handnet.library.opened_run import OpenRun, open_run
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.evaluation.run_part import RunPart
    from handnet.networks.encoder import Encoder


class Evaluation(NamedTuple):
    """What evaluating a run gives.

    Attributes:
        folder: where the files lie.
        metrics: metrics.json's content: every figure with chance and interval; None where photos have no views.
        pair_metrics: pairs.json's content; None where the run has no classifier of pairs and the photos have views.
        files: the names of the files written, the page first.
    """

    folder: Path
    metrics: dict[str, Any] | None
    pair_metrics: dict[str, Any] | None
    files: tuple[str, ...]

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "report.html"


def evaluate(
    run: "str | Path | Run",
    *,
    data: str | Path = "",
    part: str = "test",
    output: str | Path | None = None,
    seed: int = 0,
    audit: bool = False,
    explain: int = 0,
    skip_without_hand: bool = False,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> Evaluation:
    """Evaluate a run on people it was not trained on: metrics.json, embeddings.npz and a report on one page.

    Args:
        run: a run folder, or what `handnet.train` returned.
        data: the data set's folder; "" takes the one that the run was trained on.
        part: "test", "val" or "train".
        output: folder for the files; without it RUN/eval-PART.
        seed: random seed for galleries and the bootstrap.
        audit: look for shortcuts too, as `handnet audit` does; takes minutes.
        explain: show for so many of the worst queries which places made them similar, in the report; seconds for each.
        skip_without_hand: leave photos out that show no hand; without it as the run was trained.
        echo: is given notes, e.g. what was left out of the data set.
        progress: is told of each piece of work.

    Raises:
        HandnetError: no run, no photos of the part, too few people, photos that cannot be decoded; one line each.
    """
    from handnet.data.leaks import describe_seen
    from handnet.files import check_free_space, hold_lock

    folder = find_run_folder(run)
    target = folder / f"eval-{part}" if output is None else Path(output)
    opened = open_run(folder, str(data), part, echo, progress, skip_without_hand)
    if seen := describe_seen(opened.run, part):
        echo(f"warning: {seen}")
    check_free_space(target, LEAST_FREE_BYTES)
    with hold_lock(target):
        return evaluate_opened(opened, part, target, seed, audit, echo, progress, explain)


# Pictures, figures and a page.
LEAST_FREE_BYTES = 10_000_000


def find_run_folder(run: "str | Path | Run") -> Path:
    """Return the folder of a run, or of its path."""
    return Path(run) if isinstance(run, str | Path) else run.folder


def evaluate_opened(
    opened: OpenRun,
    part: str,
    target: Path,
    seed: int,
    with_audit: bool,
    echo: Echo,
    progress: Progress,
    num_explained: int = 0,
) -> Evaluation:
    """Evaluate a run that is open, into the folder `target`, which no other process writes; see `evaluate`."""
    from handnet.data.dataset import forget_views, has_one_view, has_views

    run, dataset = opened.run, opened.dataset
    from handnet.evaluation.run_part import RunPart

    if has_one_view(dataset.examples) and run.config.loss.options.get("views") == "any":
        # There is nothing to rank one view against.
        dataset = forget_views(dataset)
    of = RunPart(run, load_once(run), dataset, part, seed, echo, progress)
    if not has_views(dataset.examples):
        return Evaluation(target, None, _evaluate_pairs(of, target, "report.html"), ("report.html", "pairs.json"))
    files: tuple[str, ...] = ("report.html", "metrics.json", "embeddings.npz")
    pair_metrics = None
    if run.config.pairs.form != "none":
        pair_metrics = _evaluate_pairs(of, target, "pairs.html")
        files += ("pairs.html", "pairs.json")
    return Evaluation(target, _evaluate_hands(of, target, with_audit, num_explained), pair_metrics, files)


def _evaluate_hands(of: "RunPart", target: Path, with_audit: bool, num_explained: int) -> dict[str, Any]:
    from handnet.evaluation.closest_shares import explain_closest_people
    from handnet.evaluation.hands import describe_run, evaluate_run, explain_worst
    from handnet.evaluation.origin import describe_origin
    from handnet.evaluation.report.page import choose_closest, write_report
    from handnet.metrics.all_figures import write_metrics

    origin = describe_origin(of.run, of.dataset, of.select_examples())
    metrics, embedded = evaluate_run(of, with_audit, target)
    replace(embedded, model=origin["weights"], photos=origin["data"]["fingerprint"]).save(target / "embeddings.npz")
    write_metrics(target / "metrics.json", {**metrics, **origin})
    title, about = f"{of.run.folder.name}: {of.part} people", describe_run(of.run, of.dataset, of.part)
    explained = explain_worst(of, metrics, embedded, num_explained)
    evidence = {}
    if explained:
        from handnet.evaluation.report.evidence_page import draw_evidence

        evidence = {pair: draw_evidence(found) for pair, found in explained.items()}
    shares = explain_closest_people(of, embedded, choose_closest(embedded))
    write_report(target / "report.html", metrics, embedded, title, about, of.seed, evidence, shares)
    return {**metrics, **origin}


def load_once(run: "Run") -> "Callable[[], Encoder]":
    """Return a function that starts TensorFlow and loads the encoder of a run when it is called first.

    Raises:
        RunError: the run has no weights, even if all vectors are known.
    """
    from handnet.config.run_folder import find_weights

    find_weights(run)

    @cache
    def load() -> "Encoder":
        start_tensorflow()
        from handnet.networks.encoder import load_encoder

        return load_encoder(run)

    return load


def _evaluate_pairs(of: "RunPart", target: Path, page: str) -> dict[str, Any]:
    # The classifier of pairs is one of Keras.
    of.load()
    from handnet.evaluation.hands import describe_run
    from handnet.evaluation.origin import describe_origin
    from handnet.evaluation.pairs import evaluate_pairs
    from handnet.evaluation.report.pairs_page import write_pair_report
    from handnet.metrics.all_figures import write_metrics

    metrics, table, scores, main = evaluate_pairs(of, output=target)
    metrics = {**metrics, **describe_origin(of.run, of.dataset, table.examples)}
    write_metrics(target / "pairs.json", metrics)
    paths = [example.path for example in table.examples]
    photos = [(paths[a], paths[b]) for a, b in table.rows]
    title, about = (
        f"{of.run.folder.name}: pairs of {of.part} people",
        describe_run(of.run, of.dataset, of.part),
    )
    write_pair_report(target / page, metrics, main, scores[main], table.same, photos, title, about)
    return metrics
