"""Settings laid over others."""

from handnet.config.presets import merge_trees
from handnet.networks.complete_config import complete_config


def test_merging_keeps_what_was_given() -> None:
    assert merge_trees({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": 4}) == {"a": {"x": 1, "y": 3}, "b": 4}
    given = {"model": {"arch": "dino", "trainable": "all"}, "image": {"size_px": 98}}
    config = complete_config(given)
    assert (config.model.trainable, config.image.size_px, config.model.embedding_size) == ("all", 98, 256)
