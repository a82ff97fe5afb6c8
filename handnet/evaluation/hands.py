"""Evaluation of a run on photos with views: embeddings, thresholds, baselines, and every figure of the report."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from handnet.config.run_folder import Run, read_run_split
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.leaks import describe_seen
from handnet.data.splits.rules import select_part
from handnet.embedding.run_vectors import embed_run_part
from handnet.evaluation.run_part import RunPart
from handnet.evaluation.thresholds import find_thresholds
from handnet.images.kept_photos import find_kept_files, read_squares
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.baselines import embed_raw_pixels, embed_skin_colour
from handnet.metrics.embedded import EmbeddedPart, label_embeddings
from handnet.networks.heads import name_objective

if TYPE_CHECKING:
    from handnet.evaluation.evidence import Evidence


class Evaluation(NamedTuple):
    """What evaluating a run gives: metrics.json's content and the embedded photos."""

    metrics: dict[str, Any]
    part: EmbeddedPart


def evaluate_run(of: RunPart, with_audit: bool = False, output: Path | None = None) -> Evaluation:
    """Evaluate a run on one part of its split.

    Thresholds and calibration are those of the validation people (`find_thresholds`): whichever part it is, they are kept in the
    run, for `handnet verify`. The figures have them for the test part alone: what is fitted on people says nothing of those
    people.

    Args:
        of: the run and its photos.
        with_audit: look for shortcuts too, on altered photos.
        output: folder of the figures, for the calibration of data that are not the run's own (`find_thresholds`).

    Raises:
        DataError: the part has no photos, or some that cannot be decoded.
        EvaluationError: fewer than two people of the part have both views.
    """
    examples = of.select_examples()
    embedded = embed_run_part(of.run, of.load, examples, of.progress, of.part)
    is_test = of.part == "test"
    calibration = find_thresholds(of.run, of.load, of.dataset, of.echo, output if is_test else None)
    metrics = evaluate_part(embedded, calibration if is_test else None, embed_baselines(of, examples), seed=of.seed)
    if with_audit:
        model = of.encoder.model
        from handnet.embedding.encode import embed_batches
        from handnet.evaluation.audit import audit_part

        embed, image = partial(embed_batches, model), of.run.config.image
        metrics["audit"] = audit_part(embed, embedded, image, seed=of.seed, progress=of.progress)
    return Evaluation(metrics, embedded)


def explain_worst(
    of: RunPart, metrics: Mapping[str, Any], part: EmbeddedPart, num_queries: int
) -> "dict[tuple[int, int], Evidence]":
    """Return what makes the worst queries, back → palm, similar to the wrong person found first and to the right one.

    Args:
        of: the run and its photos.
        metrics: what `evaluate_run` returned.
        part: the embedded photos.
        num_queries: how many of the worst queries, 0 for none.

    Returns:
        (row of the query, row of the other photo) → the evidence.
    """
    worst = metrics["worst_queries"]["dorsal_to_palmar"][:num_queries]
    pairs = [(query["row"], other["row"]) for query in worst for other in (*query["wrong"][:1], query["right"])]
    if not pairs:
        return {}
    encoder, image, model = of.encoder, of.run.config.image, of.run.config.model
    from handnet.evaluation.evidence import average_features, explain_pair
    from handnet.images.photo_store import load_cached, prepare_photos

    training = select_part(of.dataset, read_run_split(of.run), "train")
    mean = average_features(encoder, [example.path for example in training], image, model, of.progress)
    count, found = of.progress("explain the worst queries"), {}
    for done, (query, other) in enumerate(pairs, 1):
        files = prepare_photos([part.paths[query], part.paths[other]], image).files
        photos = load_cached(files, image.size_px)
        found[query, other] = explain_pair(encoder, photos, mean, image.background)
        count(done, len(pairs))
    return found


def embed_baselines(of: RunPart, examples: Sequence[Example]) -> dict[str, EmbeddedPart]:
    """Embed photos without any learning: raw pixels, and the colour of the skin."""
    paths, image = [example.path for example in examples], of.run.config.image
    files = find_kept_files(paths, image)
    if files is None:
        # It starts TensorFlow, which decodes.
        of.load()
        from handnet.images.photo_store import prepare_photos

        files = prepare_photos(paths, image).files
    images = read_squares(files, image.size_px)
    return {
        "raw pixels": label_embeddings(embed_raw_pixels(images), examples),
        "skin colour": label_embeddings(embed_skin_colour(images), examples),
    }


def describe_run(run: Run, dataset: DataSet, part: str) -> dict[str, str]:
    """Return what a report on a part of a data set says of the run it is about."""
    absent = len(dataset.without_hand)
    seen = describe_seen(run, part)
    return {
        "run": str(run.folder),
        **({"warning": seen} if seen else {}),
        "backbone": f"{run.config.model.arch}, weights: {run.config.model.weights}",
        "loss": name_objective(run.config),
        "data": dataset.directory,
        **(
            {"left out": f"{absent:,} of {absent + len(dataset.examples):,} photos, which show no hand"}
            if absent
            else {}
        ),
        "seed": str(run.config.train.seed),
        "epochs": str(run.facts.get("epochs_done", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in run.facts["packages"].items()),
    }
