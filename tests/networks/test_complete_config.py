"""Settings completed by their backbone and loss."""

from pathlib import Path

import pytest

from handnet.config.toml import read_config, read_tree
from handnet.errors import ConfigError, WeightsError
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


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"model": 3}, "Expected a section for 'model'. Received: 3."),
        (
            {"sead": 3},
            "Unknown config key 'sead'. Valid: augment, data, features, image, loss, model, optimizer, pairs, sampler, train.",
        ),
        ({"train": {"seed": -1}}, "`train.seed` must lie between 0 and 2,147,483,647. Received: -1."),
        ({"loss": "triplet"}, "Expected a section for 'loss'. Received: 'triplet'."),
        ({"loss": {"name": ["triplet"]}}, "`loss.name` must be text. Received: ['triplet']."),
        ({"model": {"arch": ["mini"]}}, "`model.arch` must be text. Received: ['mini']."),
        (
            {"model": {"taps": "midle"}},
            "`model.taps` must be \"middle\", or depths: {BLOCK = CELLS, …}. Received: 'midle'.",
        ),
    ],
)
def test_sections_and_names_of_a_wrong_kind_are_refused_in_a_line(tree: dict, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        complete_config(tree)
    assert str(refused.value) == message


@pytest.mark.parametrize("key", ["model.weights", "model.sources.lite2.weights"])
def test_a_path_of_weights_that_leads_nowhere_is_refused_before_photos_are_decoded(key: str, tmp_path: Path) -> None:
    arch = "hand-lite2" if "sources" in key else "mini"
    tree = read_tree(None, [f"model.arch={arch}", f"{key}={tmp_path / 'gone'}"])
    with pytest.raises(WeightsError, match=f"No weights at '.*gone' \\(`{key}`\\)"):
        complete_config(tree)


def test_paths_are_those_of_the_files_themselves(working_folder: Path) -> None:
    real = working_folder / "real" / "inner"
    real.mkdir(parents=True)
    for name in ("run", "grounds", "hands"):
        (working_folder / "real" / name).mkdir()
    (working_folder / "real" / "split.csv").touch()
    # What lies above the link is not what lies above the folder: taking `..` out of the text alone names another place.
    (working_folder / "link").symlink_to(real)
    config = complete_config(
        {
            "data": {"path": "link/../hands", "split": "file", "split_options": {"path": "link/../split.csv"}},
            "model": {"weights": "link/../run"},
            "augment": {"background_folder": "link/../grounds"},
        }
    )
    found = (
        config.data.path,
        config.data.split_options["path"],
        config.model.weights,
        config.augment.background_folder,
    )
    assert found == tuple(str(working_folder / "real" / name) for name in ("hands", "split.csv", "run", "grounds"))


@pytest.mark.parametrize("weights", ["none", "pip", "preset", "handnet-synthetic"])
def test_weights_that_are_no_path_stay_as_they_are(weights: str, working_folder: Path) -> None:
    (working_folder / weights).mkdir()
    assert complete_config({"model": {"arch": "mini", "weights": weights}}).model.weights == weights


def test_paths_of_sources_are_resolved_and_their_names_are_not(working_folder: Path) -> None:
    (working_folder / "pip").mkdir()
    (working_folder / "real" / "run").mkdir(parents=True)
    (working_folder / "linked").symlink_to(working_folder / "real")
    sources = {"lite2": {"weights": "linked/run"}, "lite0": {"weights": "pip"}}
    found = complete_config({"model": {"arch": "hand-pretrained", "sources": sources}}).model.sources
    assert list(found) == ["hand", "lite2", "lite0", "lite2_aligned", "lite0_aligned"]
    assert [source.weights for source in found.values()] == ["", str(working_folder / "real" / "run"), "pip", "", ""]
