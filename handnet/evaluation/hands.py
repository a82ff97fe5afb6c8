"""Evaluation of a run on photos with views: embeddings, thresholds, baselines, and every figure of the report."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from handnet.config.run_folder import Run, read_run_split
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import embed_batches, embed_part
from handnet.evaluation.audit import audit_part
from handnet.evaluation.thresholds import find_thresholds
from handnet.images.store import load_cached, prepare_photos
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.baselines import embed_raw_pixels, embed_skin_colour
from handnet.metrics.embedded import EmbeddedPart, label_embeddings
from handnet.networks.encoder import Encoder
from handnet.networks.heads import name_objective


class Evaluation(NamedTuple):
    """What evaluating a run gives: metrics.json's content and the embedded photos."""

    metrics: dict[str, Any]
    part: EmbeddedPart


def evaluate_run(
    run: Run,
    encoder: Encoder,
    dataset: DataSet,
    part: str,
    *,
    seed: int = 0,
    with_audit: bool = False,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> Evaluation:
    """Evaluate a run on one part of its split.

    Thresholds and calibration are those of the validation people (`find_thresholds`), for the test part alone: what is fitted
    on people says nothing of those people.

    Args:
        run: a finished run.
        encoder: its encoder, from `load_encoder`.
        dataset: the photos.
        part: "train", "val" or "test".
        seed: random seed for draws and bootstraps.
        with_audit: look for shortcuts too, on altered photos.
        echo: prints one line.
        progress: told of each piece of work.

    Raises:
        DataError: the part has no photos, or some that cannot be decoded.
        EvaluationError: fewer than two people of the part have both views.
    """
    examples = select_part(dataset, read_run_split(run), part)
    embedded = embed_part(encoder.model, examples, run.config.image, progress, part)
    calibration = find_thresholds(run, encoder, dataset, echo) if part == "test" else None
    metrics = evaluate_part(embedded, calibration, embed_baselines(run, examples), seed=seed)
    if with_audit:
        metrics["audit"] = audit_part(
            partial(embed_batches, encoder.model), embedded, run.config.image, seed=seed, progress=progress
        )
    return Evaluation(metrics, embedded)


def embed_baselines(run: Run, examples: Sequence[Example]) -> dict[str, EmbeddedPart]:
    """Embed photos without any learning: raw pixels, and the colour of the skin."""
    files = prepare_photos([example.path for example in examples], run.config.image).files
    images = load_cached(files, run.config.image.size_px)
    return {
        "raw pixels": label_embeddings(embed_raw_pixels(images), examples),
        "skin colour": label_embeddings(embed_skin_colour(images), examples),
    }


def describe_run(run: Run, data: Path) -> dict[str, str]:
    """Return what a report says of the run it is about."""
    seen = run.facts.get("test_seen_by_weights")
    return {
        "run": str(run.folder),
        **({"warning": seen["text"]} if seen else {}),
        "backbone": f"{run.config.model.arch}, weights: {run.config.model.weights}",
        "loss": name_objective(run.config),
        "data": str(data),
        "seed": str(run.config.train.seed),
        "epochs": str(run.facts.get("epochs_done", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in run.facts["packages"].items()),
    }
