"""Why two people look similar."""

import keras
import numpy as np
import pytest

from handnet.evaluation.linear_account import COMMON
from handnet.evaluation.template_shares import share_templates
from handnet.metrics.embedded import make_part
from handnet.metrics.ranking import average_by_identity
from handnet.networks.backbones.build import build_backbone
from tests.evaluation.test_evidence import build


def test_the_shares_add_up_to_the_similarity_of_the_templates() -> None:
    keras.utils.set_random_seed(2)
    encoder = build(build_backbone("hand", image_size_px=64))
    people, views = ["a", "a", "a", "b", "b", "b", "b"], ["dorsal", "dorsal", "palmar", *["dorsal", "palmar"] * 2]
    features = np.random.default_rng(0).normal(size=(7, encoder.head.input_shape[-1])).astype(np.float32)
    part = make_part(keras.ops.convert_to_numpy(encoder.head(features)), people, views)
    found = share_templates(encoder, features, part, [("a", "b"), ("a", "a"), ("b", "a")])
    dorsal, palmar = (
        average_by_identity(part.embeddings[part.views == v], part.identities[part.views == v])[0]
        for v in ("dorsal", "palmar")
    )
    for (one, other), shares in found.items():
        similarity = float(dorsal["ab".index(one)] @ palmar["ab".index(other)])
        assert sum(shares.values()) == pytest.approx(similarity, abs=1e-5)
        assert list(shares) == ["light and shade", "texture", "outline", "colour", "network", COMMON]


def test_without_a_linear_head_there_are_none() -> None:
    encoder = build(build_backbone("mini", image_size_px=64), hidden=True)
    part = make_part(np.eye(2, 5), ["a", "b"], ["dorsal", "palmar"])
    features = np.ones((2, encoder.head.input_shape[-1]), np.float32)
    assert share_templates(encoder, features, part, [("a", "b")]) == {}
