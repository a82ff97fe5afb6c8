import json
from dataclasses import replace
from pathlib import Path

import pytest

from handnet.config.run_folder import WEIGHTS_FILE, read_run, read_run_split
from handnet.config.settings import Config
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.errors import ConfigError, DataError, RunError
from handnet.evaluation.folds import EMBEDDINGS_FILE, VECTORS_FOLDER, cross_validate
from handnet.metrics.embedded import load_part
from handnet.networks.backbones import BACKBONES
from tests.evaluation.runs import write_things
from tests.tiny import tiny_backbone, tiny_config, write_tiny


def validate(config: Config, folder: Path, dataset: DataSet) -> tuple[dict[str, object], list[str]]:
    lines: list[str] = []
    return cross_validate(config, folder, dataset, 2, echo=lines.append, warn=lines.append), lines


@pytest.mark.slow
def test_every_person_is_tested_once_by_a_model_that_has_not_seen_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "data"))
    config = tiny_config(train={"epochs": 1})
    metrics, _ = validate(config, tmp_path / "cv", dataset)
    assert metrics["num_people"] == 16
    tested: list[str] = []
    for fold in range(2):
        run = read_run(tmp_path / f"cv/fold-{fold}")
        people = set(load_part(run.folder / VECTORS_FOLDER / EMBEDDINGS_FILE).identities.tolist())
        assert people == set(read_run_split(run).test)
        assert not people & (set(read_run_split(run).train) | set(read_run_split(run).val))
        tested += sorted(people)
    assert sorted(tested) == dataset.identities
    saved = json.loads((tmp_path / "cv/metrics.json").read_text())
    assert saved["protocols"]["person_template"]["dorsal_to_palmar"]["num_people"] == 16

    # What is evaluated there on other data is no business of the pooled figures.
    other = load_part(tmp_path / "cv/fold-1" / VECTORS_FOLDER / EMBEDDINGS_FILE)
    other.save(tmp_path / "cv/fold-0/eval-test/embeddings.npz")
    again, lines = validate(config, tmp_path / "cv", dataset)
    assert not any(line.startswith("fold ") for line in lines), "finished folds are not done again"
    assert again["protocols"]["photo"] == metrics["protocols"]["photo"]
    with pytest.raises(RunError, match="fold-0' is a fold of other settings"):
        validate(tiny_config(train={"epochs": 2}), tmp_path / "cv", dataset)

    # Weights that were trained on people of a fold's test part.
    seen = tiny_config(train={"epochs": 1}, model={"weights": str(tmp_path / "cv/fold-0")})
    with pytest.raises(
        DataError, match=r"have seen 7 of 8 test people .*Give weights that were trained on other people"
    ):
        validate(seen, tmp_path / "cv-seen", dataset)
    assert not (tmp_path / "cv-seen").exists()

    # Vectors of other weights are made again.
    weights = [tmp_path / f"cv/fold-{fold}" / WEIGHTS_FILE for fold in range(2)]
    weights[0].write_bytes(weights[1].read_bytes())
    assert validate(config, tmp_path / "cv", dataset)[0]["protocols"]["photo"] != metrics["protocols"]["photo"]

    # Corrected labels are other data: one photo goes to another person.
    table = tmp_path / "data/HandInfo.csv"
    table.write_text(table.read_text().replace('"0000001"', '"0000002"', 1))
    with pytest.raises(RunError, match="was trained on other photos or labels than these. Give another --run"):
        validate(config, tmp_path / "cv", read_dataset("hands11k", tmp_path / "data"))


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be trained."""
    monkeypatch.setattr("handnet.evaluation.folds.train", lambda *_, **__: pytest.fail("a fold was trained"))


@pytest.mark.usefixtures("untrained")
def test_what_cannot_be_cross_validated_is_said_before_any_fold_is_trained(tmp_path: Path) -> None:
    hands = read_dataset("hands11k", write_tiny(tmp_path / "hands", num_people=5, photos_per_view=1))
    things = read_dataset("folder", write_things(tmp_path / "things", num_things=3, photos=2))
    config = tiny_config(sampler={"people_per_batch": 2})
    with pytest.raises(ConfigError, match="trains no classifier of pairs. Give --set pairs.form=none"):
        validate(tiny_config(pairs={"form": "product"}), tmp_path / "cv", hands)
    with pytest.raises(DataError, match="ranks backs against palms, and these photos have no views"):
        validate(config, tmp_path / "cv", things)
    backs = replace(hands, examples=[example for example in hands.examples if example.view == "dorsal"])
    with pytest.raises(DataError, match=r"all photos are of one view.* handnet train … --set loss.options.views=any"):
        validate(
            tiny_config(sampler={"people_per_batch": 2}, loss={"options": {"views": "any"}}), tmp_path / "cv", backs
        )
    with pytest.raises(DataError, match=r"must test at least 2 people.* 1 in fold 1 of 3.* Give fewer --folds"):
        cross_validate(config, tmp_path / "cv", hands, 3, echo=print)
    # Of five people the first fold leaves two to train on and one to validate, the second one and one.
    with pytest.raises(DataError, match="Training needs at least 2 people"):
        validate(config, tmp_path / "cv", hands)
    assert not (tmp_path / "cv").exists()
