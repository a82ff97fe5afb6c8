"""The shares of similarity of the people who look similar: kept in the cache by all that decides them, else computed."""

import json
from collections.abc import Sequence

import numpy as np

from handnet.data.cache import digest_bytes, find_model_file, mark_used, use_folder, write_cached
from handnet.data.checks import read_photo
from handnet.embedding.frozen_encoder import is_switched_on
from handnet.embedding.run_identity import describe_run, digest_code
from handnet.evaluation.run_part import RunPart
from handnet.files import parse_json
from handnet.metrics.closest_people import ClosestPeople
from handnet.metrics.embedded import EmbeddedPart

# (the person with backs, the person with palms) → group → its share of the similarity.
TemplateShares = dict[tuple[str, str], dict[str, float]]


def explain_closest_people(of: RunPart, part: EmbeddedPart, found: Sequence[ClosestPeople]) -> TemplateShares:
    """Return the shares of every pair of people that is shown, from features that the cache has; {} where there are none.

    Args:
        of: the run and its photos.
        part: the embedded photos.
        found: from `find_closest_people` on them.
    """
    if not found:
        return {}
    pairs = [(closest.person, other.person) for closest in found for other in (closest.own, *closest.others)]
    some = part.select(np.isin(part.identities, np.unique(pairs)))
    photos = [digest_bytes(read_photo(path)[0]) for path in some.paths]
    described = {
        "kind": "shares 1",
        **describe_run(of.run),
        "code of shares": digest_code("evaluation"),
        "pairs": pairs,
        "photos": [photos, some.identities.tolist(), some.views.tolist()],
    }
    file = find_model_file(described, ".shares")
    use_folder(file.parent)
    if is_switched_on() and file.is_file():
        try:
            rows = parse_json(file.read_bytes())
            kept = {(one, other): shares for one, other, shares in rows}
        except (ValueError, TypeError):
            # A power cut can leave a file that was renamed and never filled.
            kept = None
        if kept is not None:
            mark_used([file])
            return kept
    encoder = of.encoder
    from handnet.evaluation.template_shares import compute_shares

    shares = compute_shares(encoder, of.run.config, some, pairs, of.progress)
    write_cached(file, json.dumps([[*pair, by_group] for pair, by_group in shares.items()]).encode())
    return shares
