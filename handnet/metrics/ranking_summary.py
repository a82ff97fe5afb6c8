"""Rankings as figures with chance and a 95 % interval over people: of one part, or of all folds of a cross-validation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from handnet.errors import EvaluationError
from handnet.metrics.chance import compute_chance
from handnet.metrics.embedded import EmbeddedPart
from handnet.metrics.embedding_checks import list_some
from handnet.metrics.figures import FIGURES, list_means
from handnet.metrics.intervals import NUM_REPLICATES, bootstrap_means, bootstrap_median, find_interval
from handnet.metrics.protocols import PROTOCOLS, Outcome, join_outcomes
from handnet.metrics.ranking import DIRECTIONS, Ranking

CMC_LENGTH = 50


def summarize_ranking(ranking: Ranking) -> dict[str, Any]:
    """Return the figures of a ranking and those of chance on the same gallery.

    Args:
        ranking: at least one query.

    Returns:
        num_queries, num_gallery (the mean where galleries differ in size), every key of FIGURES, and the same keys under
        "chance".
    """
    chance = compute_chance(ranking.num_gallery, ranking.num_relevant)
    sizes = np.unique(ranking.num_gallery)
    num_gallery = int(sizes[0]) if len(sizes) == 1 else float(np.mean(ranking.num_gallery))
    return {
        "num_queries": len(ranking.ranks),
        "num_gallery": num_gallery,
        **{key: figure.summarize(ranking) for key, figure in FIGURES.items()},
        "chance": {key: figure.chance(chance) for key, figure in FIGURES.items()},
    }


def summarize_outcome(outcome: Outcome, num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Return the figures of an outcome, each with chance and a 95 % interval over people, and the CMC curve.

    The gallery stays as it is; what varies is whose queries they are. Simulated test sets with new galleries as well vary by
    up to a tenth more (docs/measurements/evaluation.md).

    Args:
        outcome: queries of at least two people.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.

    Returns:
        `summarize_ranking`'s figures; num_people; "interval": key → [low, high]; "cmc", "cmc_interval" and
        "chance"."cmc": fractions at ranks 1, 2, …, at most 50.
    """
    ranking = outcome.ranking
    figures: dict[str, Any] = {"num_people": len(np.unique(outcome.people)), **summarize_ranking(ranking)}
    chance = compute_chance(ranking.num_gallery, ranking.num_relevant)
    length = int(min(CMC_LENGTH, ranking.num_gallery.max()))
    hits = ranking.ranks[:, None] <= np.arange(1, length + 1)
    means = list_means()
    columns = np.column_stack([*(figure.tabulate(ranking) for figure in means.values()), hits])
    low, high = np.zeros(columns.shape[1]), np.ones(columns.shape[1])
    low[: len(means)], high[: len(means)] = np.transpose([figure.bound(chance) for figure in means.values()])
    bounds = find_interval(bootstrap_means(columns, outcome.people, low, high, num_replicates, seed))
    intervals = {key: bounds[:, i].tolist() for i, key in enumerate(means)}
    for key, figure in FIGURES.items():
        if figure.average == "median":
            values, (best, worst) = figure.tabulate(ranking), figure.bound(chance)
            medians = bootstrap_median(values, outcome.people, best, worst, num_replicates, seed)
            intervals[key] = find_interval(medians).tolist()
    figures["interval"] = {key: intervals[key] for key in FIGURES}
    figures["cmc"] = hits.mean(axis=0).tolist()
    figures["cmc_interval"] = bounds[:, len(means) :].T.tolist()
    figures["chance"]["cmc"] = chance.cmc[:length].tolist()
    return figures


def merge_folds(folds: Sequence[EmbeddedPart], num_replicates: int = NUM_REPLICATES, seed: int = 0) -> dict[str, Any]:
    """Pool the test parts of a cross-validation, in which every person is tested once.

    Each query is ranked in the gallery of its own fold by its own fold's model; the queries are then pooled. Embeddings of
    different folds are never compared: they come from different models. Galleries are therefore a fold's size, not the
    data set's, and chance is theirs.

    Args:
        folds: the test part of each fold; nobody in two of them.
        num_replicates: bootstrap replicates over the people of all folds.
        seed: random seed for draws and bootstrap.

    Returns:
        num_folds, num_people, protocols: for each protocol and direction the pooled figures with interval and chance, and
        folds: the figures of each fold.

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
            figures = summarize_outcome(join_outcomes(outcomes), num_replicates, seed)
            each = [{key: figure.summarize(o.ranking) for key, figure in list_means().items()} for o in outcomes]
            pooled[direction] = {**figures, "folds": each}
        protocols[name] = pooled
    return {"num_folds": len(folds), "num_people": len(names), "protocols": protocols}
