"""Runs against each other on the same photos: differences with intervals, because most differences are noise."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handnet.errors import EvaluationError
from handnet.metrics.chance import RECALL_AT
from handnet.metrics.checks import list_some
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.intervals import NUM_REPLICATES, bootstrap_means, find_interval, summarize_outcome
from handnet.metrics.protocols import PROTOCOLS, Outcome, join_outcomes
from handnet.metrics.ranking import DIRECTIONS

FIGURES = ("mean_rank", *(f"recall_at_{k}" for k in RECALL_AT), "mean_average_precision")
# Per figure. The least is what a single query can change by: one rank, one hit.
_PSEUDO_CHANGE = np.array([1.5, 1.0, 1.0, 1.0, 1.0])
_SMALLEST_CHANGE = np.array([1.0, 1.0, 1.0, 1.0, 0.1])


class ComparedRun(NamedTuple):
    """A run to be compared.

    Attributes:
        name: of the run.
        backbone: as "resnet50".
        loss: as "contrastive".
        part: its embeddings of the photos that all runs share.
    """

    name: str
    backbone: str
    loss: str
    part: EmbeddedPart


def compare_runs(
    runs: Sequence[ComparedRun],
    protocol: str = "person_template",
    direction: str = "dorsal_to_palmar",
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare every run with the first, query by query.

    Each replicate draws the same people for both runs, so what makes a person easy for both drops out. As in
    `intervals.bootstrap_means`, two pseudo-people join: one who gains and one who loses as much as anybody did, and in
    ranks, whose tail is long, half as much again.

    Args:
        runs: at least two, on the same photos in the same order.
        protocol: a key of PROTOCOLS.
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
        num_replicates: bootstrap replicates.
        seed: of draws and bootstrap.

    Returns:
        protocol, direction, runs: each with name, backbone, loss, figures; differences: one row for each run but the first
        with, for every figure, difference (run minus first), interval, clear (the interval leaves out 0) and improvement:
        the difference as a fraction of the first run's figure, positive where better, as published; None where that is 0.

    Raises:
        EvaluationError: fewer than two runs, or runs on different photos.
    """
    if len(runs) < 2:
        raise EvaluationError(f"A comparison needs at least two runs. Received: {len(runs)}.")
    for run in runs[1:]:
        check_same_photos(runs[0], run)
    outcomes = [PROTOCOLS[protocol].rank(run.part, direction, seed) for run in runs]
    first = outcomes[0]
    rows = []
    for run, outcome in zip(runs[1:], outcomes[1:], strict=True):
        change = _tabulate(outcome) - _tabulate(first)
        spread = np.maximum(np.abs(change).max(axis=0) * _PSEUDO_CHANGE, _SMALLEST_CHANGE)
        replicates = bootstrap_means(change, outcome.people, -spread, spread, num_replicates, seed)
        rows.append({"name": run.name, "against": runs[0].name, **_describe_change(change, replicates, first)})
    return {
        "protocol": protocol,
        "direction": direction,
        "runs": [
            {
                "name": run.name,
                "backbone": run.backbone,
                "loss": run.loss,
                **summarize_outcome(outcome, num_replicates, seed),
            }
            for run, outcome in zip(runs, outcomes, strict=True)
        ],
        "differences": rows,
    }


def _tabulate(outcome: Outcome) -> np.ndarray[Any, np.dtype[np.float64]]:
    ranks = outcome.ranking.ranks
    return np.column_stack([ranks, *(ranks <= k for k in RECALL_AT), outcome.ranking.average_precisions]).astype(
        np.float64
    )


def _describe_change(
    change: np.ndarray[Any, np.dtype[np.float64]], replicates: np.ndarray[Any, np.dtype[np.float64]], first: Outcome
) -> dict[str, Any]:
    bounds = find_interval(replicates)
    before, difference = _tabulate(first).mean(axis=0), change.mean(axis=0)
    described = {}
    for i, name in enumerate(FIGURES):
        gain = -difference[i] if name == "mean_rank" else difference[i]
        described[name] = {
            "difference": float(difference[i]),
            "interval": bounds[:, i].tolist(),
            "clear": bool(bounds[0, i] > 0 or bounds[1, i] < 0),
            "improvement": float(gain / before[i]) if before[i] else None,
        }
    return described


def check_same_photos(one: ComparedRun, other: ComparedRun) -> None:
    """Raise where two runs were not evaluated on the same photos in the same order.

    Args:
        one: a run.
        other: another run.

    Raises:
        EvaluationError: saying in what they differ.
    """
    a, b = one.part, other.part
    if not np.array_equal(a.identities, b.identities) or not np.array_equal(a.views, b.views):
        people_a, people_b = np.unique(a.identities), np.unique(b.identities)
        only = np.setxor1d(people_a, people_b)
        what = (
            f"people in one only: {list_some(only)}" if len(only) else "the same people, other photos or another order"
        )
        raise EvaluationError(
            f"Runs are compared on the same photos. Received: {one.name} with {len(a.views)} photos of {len(people_a)} people, "
            f"{other.name} with {len(b.views)} of {len(people_b)} ({what}). Evaluate both on the same part of the same split."
        )
    names_a, names_b = ([path.replace("\\", "/").rsplit("/", 1)[-1] for path in part.paths] for part in (a, b))
    if all(names_a) and all(names_b) and names_a != names_b:
        raise EvaluationError(
            f"Runs are compared on the same photos. Received: {one.name} and {other.name} with other file names, as "
            f"{next(f'{x} and {y}' for x, y in zip(names_a, names_b, strict=True) if x != y)}."
        )


def merge_folds(folds: Sequence[EmbeddedPart], num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Pool the test parts of a cross-validation, in which every person is tested once.

    Each query is ranked in the gallery of its own fold by its own fold's model; the queries are then pooled. Embeddings of
    different folds are never compared: they come from different models. Galleries are therefore a fold's size, not the
    data set's, and chance is theirs.

    Args:
        folds: the test part of each fold; nobody in two of them.
        num_replicates: bootstrap replicates over the people of all folds.
        seed: of draws and bootstrap.

    Returns:
        num_folds, num_people, protocols: for each protocol and direction the pooled figures with interval and chance, and
        folds: the mean rank and recall at 1 of each fold.

    Raises:
        EvaluationError: fewer than two folds, or a person in two folds.
    """
    if len(folds) < 2:
        raise EvaluationError(f"Cross-validation needs at least two folds. Received: {len(folds)}.")
    names, counts = np.unique(np.concatenate([np.unique(fold.identities) for fold in folds]), return_counts=True)
    if (counts > 1).any():
        raise EvaluationError(
            f"Every person must be tested once. Received: {int((counts > 1).sum())} people in more than one fold "
            f"({list_some(names[counts > 1])})."
        )
    protocols: dict[str, Any] = {}
    for name, protocol in PROTOCOLS.items():
        if "hand" in name and any((fold.sides == "").any() for fold in folds):
            continue
        pooled: dict[str, Any] = {"title": protocol.title, "definition": protocol.definition}
        for direction in DIRECTIONS:
            outcomes = [protocol.rank(fold, direction, seed) for fold in folds]
            figures: Mapping[str, Any] = summarize_outcome(join_outcomes(outcomes), num_replicates, seed)
            each = [
                {"mean_rank": float(o.ranking.ranks.mean()), "recall_at_1": float((o.ranking.ranks <= 1).mean())}
                for o in outcomes
            ]
            pooled[direction] = {**figures, "folds": each}
        protocols[name] = pooled
    return {"num_folds": len(folds), "num_people": len(names), "protocols": protocols}
