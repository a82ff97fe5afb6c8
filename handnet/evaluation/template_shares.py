"""Why two people look similar: the exact shares of outline, texture, colour and network in the similarity of their templates."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handnet.config.settings import Config
from handnet.console import Progress
from handnet.embedding.features import compute_features
from handnet.evaluation.closest_shares import TemplateShares
from handnet.evaluation.linear_account import Floats, account_for, split_vectors
from handnet.images.photo_store import prepare_photos
from handnet.metrics.embedded import EmbeddedPart
from handnet.networks.encoder import Encoder
from handnet.networks.feature_places import list_feature_groups


def compute_shares(
    encoder: Encoder, config: Config, part: EmbeddedPart, pairs: Sequence[tuple[str, str]], progress: Progress
) -> TemplateShares:
    """Return the shares of pairs of people, from the photos of all of them; {} where features are not described.

    Args:
        encoder: the run's.
        config: the run's settings.
        part: the photos.
        pairs: (person with backs, person with palms).
        progress: told of each piece of work.
    """
    if list_feature_groups(encoder.backbone) is None:
        return {}
    photos = prepare_photos(part.paths, config.image)
    features = compute_features(
        encoder.backbone, photos, config.image, config.model, progress=progress, engine=config.features.engine
    )
    return share_templates(encoder, features, part, pairs)


def share_templates(
    encoder: Encoder, features: npt.NDArray[np.float32], part: EmbeddedPart, pairs: Sequence[tuple[str, str]]
) -> TemplateShares:
    """Return the exact shares of the similarity of templates; {} where the head is not linear or features are not described.

    A template is the mean of a person's vectors of one view, brought to length 1, and so a sum over the features of all of
    these photos. Shares are counted from the mean features of all photos given, and are the mean of both people's accounts.

    Args:
        encoder: its head and what its features are.
        features: (N, F) of the photos.
        part: the N photos.
        pairs: (person with backs, person with palms).
    """
    groups, account = list_feature_groups(encoder.backbone), account_for(encoder.head, features)
    if groups is None or account is None:
        return {}
    mean = features.mean(axis=0, dtype=np.float64)
    templates: dict[tuple[str, str], tuple[list[str], Floats]] = {}
    for place, view in enumerate(("dorsal", "palmar")):
        for person in {pair[place] for pair in pairs}:
            rows = np.flatnonzero((part.views == view) & (part.identities == person))
            names, parts = split_vectors(account.select(rows), features[rows], groups, mean)
            whole = parts.sum(axis=0)
            templates[person, view] = names, whole / np.linalg.norm(whole.sum(axis=0))
    shares: TemplateShares = {}
    for one, other in pairs:
        (names, backs), (_, palms) = templates[one, "dorsal"], templates[other, "palmar"]
        each = (backs @ palms.sum(axis=0) + palms @ backs.sum(axis=0)) / 2
        shares[one, other] = {name: float(value) for name, value in zip(names, each, strict=True)}
    return shares
