"""Evaluation of a run: embeddings, calibration on its validation people, baselines, and every figure of the report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handnet.config.run_folder import Run, read_run_split
from handnet.data.dataset import DataSet, has_views, people_with_both_views
from handnet.data.example import Example
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import embed_part
from handnet.evaluation.audit import audit_part, embed_with
from handnet.images.store import load_cached, prepare_photos
from handnet.metrics.all_figures import evaluate_part
from handnet.metrics.baselines import embed_raw_pixels, embed_skin_colour
from handnet.metrics.embedded import EmbeddedPart, label_embeddings
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import Calibration, fit_calibration, load_calibration, save_calibration
from handnet.networks.encoder import Encoder
from handnet.training.pair_training import calibrate_distance

CALIBRATION_FILE = "calibration.json"
Progress = Callable[[str], Callable[[int, int], None]]


class Judgement(NamedTuple):
    """What evaluating a run gives: metrics.json's content and the embedded photos."""

    metrics: dict[str, Any]
    part: EmbeddedPart


def judge_run(
    run: Run,
    encoder: Encoder,
    dataset: DataSet,
    part: str,
    *,
    seed: int = 0,
    with_audit: bool = False,
    echo: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> Judgement:
    """Evaluate a run on one part of its split.

    Thresholds and calibration are fitted on the run's validation people, kept in the run, and left out where the part is
    not the test part or too few validation people have photos.

    Args:
        run: a finished run.
        encoder: its encoder, from `load_encoder`.
        dataset: the photos.
        part: "train", "val" or "test".
        seed: of draws and bootstraps.
        with_audit: look for shortcuts too, on altered photos.
        echo: prints one line.
        progress: gives, for the name of a piece of work, a function to call with (done, all).

    Raises:
        DataError: the part has no photos, or some that cannot be decoded.
        EvaluationError: fewer than two people of the part have both views.
    """
    examples = select_part(dataset, read_run_split(run), part)
    show = progress("embed photos") if progress else None
    embedded = embed_part(encoder.model, examples, run.config.image, show, part)
    calibration = calibrate_run(run, encoder, dataset, echo) if part == "test" else None
    metrics = evaluate_part(embedded, calibration, embed_baselines(run, examples), seed=seed)
    if with_audit:
        metrics["audit"] = audit_part(
            embed_with(encoder.model), embedded, run.config.image, seed=seed, progress=progress
        )
    return Judgement(metrics, embedded)


def calibrate_run(
    run: Run, encoder: Encoder, dataset: DataSet, echo: Callable[[str], None] = print
) -> Calibration | None:
    """Return the run's calibration, fitted on its validation people the first time, or None where they are too few."""
    file = run.folder / CALIBRATION_FILE
    if file.exists():
        return load_calibration(file)
    if not has_views(dataset.examples):
        calibration = calibrate_distance(run, encoder, dataset)
        save_calibration(file, calibration)
        return calibration
    people = set(read_run_split(run).val)
    examples = [example for example in dataset.examples if example.identity in people]
    if len(people_with_both_views(examples)) < 2:
        echo("no thresholds and no probabilities: fewer than two validation people have photos of both views here.")
        return None
    validation = embed_part(encoder.model, examples, run.config.image, name="val")
    calibration = fit_calibration(score_pairs(validation))
    save_calibration(file, calibration)
    return calibration


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
    return {
        "run": str(run.folder),
        "backbone": f"{run.config.model.arch}, weights: {run.config.model.weights}",
        "loss": run.config.objective,
        "data": str(data),
        "seed": str(run.config.train.seed),
        "epochs": str(run.facts.get("epochs_done", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in run.facts["packages"].items()),
    }
