"""Do two photos show one person? By an exported model, without the run that it was exported from and without TensorFlow."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.data.checks import read_photo
from handnet.errors import DataError, RunError, quote
from handnet.evaluation.pair_verdict import CLASSIFIER, DISTANCE, decide, refuse_unfit
from handnet.evaluation.quick_verify import QuickAnswer
from handnet.export.exported_model import ExportedModel, Signatures, run_signature
from handnet.images.pillow_decode import prepare_for_graph
from handnet.images.seen_hand import SeenHand
from handnet.images.unusable_photos import explain_given
from handnet.metrics.pairs.calibration import Calibration
from handnet.metrics.pairs.pair_list import score_cosine


def check_verifies(model: ExportedModel) -> Calibration:
    """Return the calibration of a model.

    Raises:
        RunError: it has none, and cannot verify.
    """
    if model.calibration is None:
        raise RunError(
            f"{str(model.folder)!r} has no calibration, so it cannot verify. Evaluate its run (handnet eval RUN) and export it "
            f"again: handnet export RUN {quote(model.folder.parent)}."
        )
    return model.calibration


def verify_exported(model: ExportedModel, signatures: Signatures, first: str, second: str) -> QuickAnswer:
    """Verify two photos by an exported model.

    Args:
        model: what it says of itself.
        signatures: of the model.
        first: a file.
        second: another.

    Raises:
        DataError: a photo that cannot be used, or shows several hands or too little of one.
        GraphError: the computation fails.
        RunError: the model has no calibration.
    """
    calibration = check_verifies(model)
    paths = (first, second)
    read = [_read_for_graph(path) for path in paths]
    _refuse(paths, [problem for _, problem in read])
    photos = [contents for contents, _ in read]
    found = run_signature(signatures, "embed", {"embeddings": (2, model.width), "ok": (2,)}, photos=photos)
    _refuse(paths, ["" if ok else model.explain(photo) for photo, ok in zip(photos, found["ok"], strict=True)])
    hands = read_hands(found)
    refuse_unfit(paths, hands or [None, None])
    if model.by_classifier:
        scored = run_signature(signatures, "verify", {"similarity": (1,)}, first=photos[:1], second=photos[1:])
        score = float(scored["similarity"][0])
    else:
        vectors: npt.NDArray[np.float32] = found["embeddings"]
        score = float(score_cosine(vectors[:1], vectors[1:])[0])
    [verdict] = decide([score], calibration, CLASSIFIER if model.by_classifier else DISTANCE)
    return QuickAnswer(verdict, hands)


def _read_for_graph(path: str) -> tuple[bytes, str]:
    """Return a photo as the graph takes it, and "" or why it cannot be used."""
    contents, problem = read_photo(path)
    return (contents, problem) if problem else prepare_for_graph(contents)


def _refuse(paths: tuple[str, str], problems: list[str]) -> None:
    named = {path: problem for path, problem in zip(paths, problems, strict=True) if problem}
    if named:
        raise DataError(explain_given(named, len(set(paths))))


def read_hands(found: Mapping[str, npt.NDArray[Any]]) -> list[SeenHand]:
    """Return what a model says of the hands; none where its crops do not go by landmarks.

    Args:
        found: the outputs of its signature `embed`.
    """
    # Models that were exported before say less.
    if not {"hand_score", "finding"} <= found.keys():
        return []
    return [
        SeenHand(float(score), side.decode(), view.decode(), float(confidence), float(quality), finding.decode())
        for score, side, view, confidence, quality, finding in zip(
            *(found[name] for name in ("hand_score", "side", "view", "view_confidence", "quality", "finding")),
            strict=True,
        )
    ]
