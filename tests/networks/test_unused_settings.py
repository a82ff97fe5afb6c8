"""Settings that the head does not use are refused where they are given, and let through where they are what holds anyway."""

from typing import Any

import pytest

from handnet.config.toml import config_to_tree
from handnet.errors import ConfigError
from handnet.networks.complete_config import complete_config
from handnet.networks.heads import HEADS


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {"model": {"arch": "mini", "lda_penalty": 0.2}},
            "`model.lda_penalty` changes nothing with the head 'mlp'. Received: model.lda_penalty=0.2, model.head='mlp'. Leave "
            "it out, or choose a head that uses it: lda, joined-lda.",
        ),
        ({"model": {"arch": "mini", "head": "linear", "dropout": 0.3}}, "`model.dropout` changes .* that uses it: mlp"),
        ({"model": {"arch": "hand", "lda_view_penalty": 0.2}}, "with the head 'lda'.*that uses it: joined-lda"),
        ({"model": {"arch": "hand", "hidden_size": 64}}, "`model.hidden_size` changes nothing.*that uses it: mlp"),
        (
            {"model": {"arch": "hand-lite2", "head": "lda", "sources": {"lite2": {"score_weight": 0.5}}}},
            r"`model\.sources\.lite2\.score_weight` changes nothing with the head 'lda'",
        ),
        (
            {
                "model": {
                    "arch": "hand-lite2",
                    "head": "mlp",
                    "lda_view_penalty": 0.1,
                    "sources": {"more": {"backbone": "mini", "score_weight": 2}},
                }
            },
            r"`model\.lda_view_penalty` and `model\.sources\.more\.score_weight` change nothing.*uses them: joined-lda",
        ),
        ({"model": {"arch": "hand"}, "train": {"epochs": 3}}, r"`train\.epochs` changes .*that uses it: mlp, linear"),
        ({"model": {"arch": "hand"}, "loss": {"name": "contrastive"}}, r"`loss\.name` changes nothing"),
        ({"model": {"arch": "hand"}, "loss": {"options": {"margin": 0.1}}}, r"`loss\.options\.margin` changes nothing"),
        (
            {"model": {"arch": "hand", "lda_view_penalty": 2}, "optimizer": {"learning_rate": 1}},
            r"`model\.lda_view_penalty` and `optimizer\.learning_rate` change nothing.*Leave them out\.$",
        ),
    ],
)
def test_a_setting_of_another_head_is_refused(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        complete_config(tree)


@pytest.mark.parametrize("arch", ["mini", "hand", "hand-lite2", "dino"])
def test_settings_with_the_values_that_they_have_anyway_are_let_through(arch: str) -> None:
    config = complete_config({"model": {"arch": arch}})
    assert complete_config(config_to_tree(config)) == config


def test_how_photos_are_matched_is_for_every_head() -> None:
    for head in HEADS:
        tree = {"model": {"arch": "hand", "head": head}, "loss": {"options": {"views": "any"}}}
        assert complete_config(tree).loss.options["views"] == "any"
