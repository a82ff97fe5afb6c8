"""Runs compared on the same photos: differences with intervals, because most differences are noise."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import EvaluationError
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import list_some
from handnet.metrics.figures import list_means
from handnet.metrics.intervals import NUM_REPLICATES, bootstrap_means, find_interval
from handnet.metrics.protocols import PROTOCOLS, Outcome
from handnet.metrics.ranking_summary import summarize_outcome

Array = npt.NDArray[np.float64]


class ComparedRun(NamedTuple):
    """A run to be compared.

    Attributes:
        name: of the run.
        backbone: e.g. "resnet50".
        loss: e.g. "contrastive".
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
        seed: random seed for draws and bootstrap.

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
        spread = _bound_change(change)
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


def _tabulate(outcome: Outcome) -> Array:
    return np.column_stack([figure.tabulate(outcome.ranking) for figure in list_means().values()])


def _bound_change(change: Array) -> Array:
    """Return the most by which a person can be expected to gain or lose in each figure, (M,)."""
    figures = list_means().values()
    # Ranks have a long tail: half as much again.
    share = [1.5 if figure.unit == "rank" else 1.0 for figure in figures]
    return np.asarray(np.maximum(np.abs(change).max(axis=0) * share, [figure.least_change for figure in figures]))


def _describe_change(change: Array, replicates: Array, first: Outcome) -> dict[str, Any]:
    bounds = find_interval(replicates)
    before, difference = _tabulate(first).mean(axis=0), change.mean(axis=0)
    described = {}
    for i, (key, figure) in enumerate(list_means().items()):
        gain = -difference[i] if figure.better == "lower" else difference[i]
        described[key] = {
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
            f"Runs are compared on the same photos. Received: {one.name} and {other.name} with other file names, e.g. "
            f"{next(f'{x} and {y}' for x, y in zip(names_a, names_b, strict=True) if x != y)}."
        )
    if a.photos and b.photos and a.photos != b.photos:
        raise EvaluationError(
            f"Runs are compared on the same photos. Received: {one.name} and {other.name} with the same names of photos and "
            "other contents or labels. Evaluate both on the same data."
        )
