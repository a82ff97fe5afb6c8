"""Does the model look at the hand? The published protocol on altered photos."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.config.image import ImageConfig
from handnet.console import Progress, hide_progress
from handnet.errors import EvaluationError
from handnet.evaluation.alterations import ALTERATIONS, Images, read_altered
from handnet.metrics.all_figures import evaluate_brief
from handnet.metrics.embedded import EmbeddedPart, make_part
from handnet.metrics.figures import format_figure, format_interval, list_means
from handnet.metrics.intervals import NUM_REPLICATES

Embed = Callable[[Iterable[Images]], npt.NDArray[np.floating]]
_ORNAMENTS = ("accessories", "nailPolish")


def audit_part(
    embed: Embed,
    part: EmbeddedPart,
    config: ImageConfig,
    num_replicates: int = NUM_REPLICATES,
    seed: int = 0,
    progress: Progress = hide_progress,
) -> dict[str, Any]:
    """Evaluate a model on every kind of altered photo, and on the photos without rings and nail polish.

    What is found on the background alone was found by the session. What the hand alone loses against the whole photo was
    not of the hand. The painted area keeps the outline of what was painted out: "background" is an upper bound of what
    the background says, and "silhouette" says how much of it an outline can be.

    Args:
        embed: squares → embeddings; `embed_batches` with an encoder.
        part: photos whose files exist and can be decoded.
        config: how the run makes squares of photos.
        num_replicates: bootstrap replicates.
        seed: random seed for the bootstrap.
        progress: told of (photos done, photos in all) of each alteration.

    Returns:
        {"conditions": {name: {title, definition, and `evaluate_brief`'s figures or "refused": why there are none}}}.

    Raises:
        EvaluationError: a photo without a file, or fewer than two people with both views.
    """
    if not all(part.paths):
        raise EvaluationError(
            f"An audit alters the photos and needs their files. Received: {part.paths.count('')} of {len(part.paths)} "
            "photos without a path. Give a run or a data set, not embeddings alone."
        )
    conditions: dict[str, Any] = {}
    for name, alteration in ALTERATIONS.items():
        embeddings = embed(read_altered(part.paths, config, name, progress=progress))
        altered = dataclasses.replace(part, embeddings=make_part(embeddings, part.identities, part.views).embeddings)
        figures = evaluate_brief(altered, num_replicates, seed)
        conditions[name] = {"title": alteration.title, "definition": alteration.definition, **figures}
        if name == "whole":
            bare = _evaluate_bare(altered, num_replicates, seed)
    conditions["bare"] = bare
    return {"conditions": conditions}


def _evaluate_bare(part: EmbeddedPart, num_replicates: int, seed: int) -> dict[str, Any]:
    title = "No rings, no nail polish"
    definition = "Whole photos that the data set says show neither; a smaller gallery, with its own chance."
    if not any(name in row for row in part.attributes for name in _ORNAMENTS):
        return {"title": title, "definition": definition, "refused": "The data set does not say who wears what."}
    plain = np.array([all(row.get(name, "0") == "0" for name in _ORNAMENTS) for row in part.attributes])
    try:
        figures = evaluate_brief(part.select(plain), num_replicates, seed)
    except EvaluationError as error:
        return {"title": title, "definition": definition, "refused": str(error)}
    return {"title": title, "definition": definition, **figures}


def format_audit(audit: dict[str, Any], protocol: str = "person_template", direction: str = "dorsal_to_palmar") -> str:
    """Return the figures of an audit as the terminal's table, every figure with chance.

    Args:
        audit: what `audit_part` returned.
        protocol: "person_template" or "photo".
        direction: "dorsal_to_palmar" or "palmar_to_dorsal".
    """
    names = list_means()
    lines = [f"{'':26}" + "".join(f"{figure.heading:>22}" for figure in names.values())]
    for condition in audit["conditions"].values():
        if "refused" in condition:
            lines.append(f"{condition['title']}: {condition['refused']}")
            continue
        figures = condition[protocol][direction]
        cells = [
            f"{format_figure(name, figures[name])} [{format_interval(name, figures['interval'][name])}]".rjust(22)
            for name in names
        ]
        chance = "".join(format_figure(name, figures["chance"][name]).rjust(22) for name in names)
        lines += [f"{condition['title']:26}{''.join(cells)}", f"{'  chance':26}{chance}"]
    return "\n".join(lines)
