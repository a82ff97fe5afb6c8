"""Settings completed by their backbone and loss."""

from pathlib import Path

import pytest

from handnet.config.toml import read_config, read_tree
from handnet.networks.complete_config import complete_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("arch", ["dino", "resnet50"])
@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_options_alone_give_the_published_config(arch: str, loss: str) -> None:
    path = next(path for path in CONFIGS if path.stem == f"{arch}_{loss}")
    from_options = complete_config({"model": {"arch": arch}, "loss": {"name": loss}})
    assert from_options == complete_config(read_tree(path))
    assert from_options == read_config(path), "the file says everything itself"


def test_published_main_system_has_the_published_settings() -> None:
    config = complete_config({"model": {"arch": "dino"}, "loss": {"name": "triplet"}})
    assert (config.model.trainable, config.model.hidden_size, config.model.embedding_size) == ("none", 512, 256)
    assert (config.sampler.people_per_batch, config.sampler.photos_per_view) == (8, 1)
    assert dict(config.loss.options) == {"margin": 0.5}
    assert (config.optimizer.name, config.optimizer.learning_rate, config.optimizer.weight_decay) == (
        "adamw",
        3e-4,
        1e-4,
    )
    assert (config.optimizer.schedule, config.train.epochs) == ("cosine", 30)
