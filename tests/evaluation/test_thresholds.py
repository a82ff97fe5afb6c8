"""calibration.json has one owner: no figure depends on the order of the commands, and what is out of date is fitted again."""

import json
from functools import partial
from pathlib import Path

import pytest

from handnet.config.run_folder import SEEN_PHOTOS_FILE, WEIGHTS_FILE, Run, update_facts
from handnet.config.settings import Config
from handnet.data.cache import digest_bytes
from handnet.data.dataset import DataSet
from handnet.data.readers import read_dataset
from handnet.errors import DiskError, RunError
from handnet.evaluation.kept_thresholds import CALIBRATION_FILE, load_thresholds
from handnet.evaluation.pairs import evaluate_pairs
from handnet.evaluation.report.pairs_page import write_pair_report
from handnet.evaluation.report.pairs_terminal import format_pair_metrics
from handnet.evaluation.run_part import RunPart
from handnet.evaluation.thresholds import OTHER_CALIBRATION_FILE, find_thresholds
from handnet.metrics.pairs.calibration import Calibration, load_calibration, save_calibration
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from tests.evaluation.runs import FRACTIONS, build_run, write_things
from tests.photos import write_jpeg
from tests.tiny import tiny_backbone, tiny_config, write_tiny

pytestmark = pytest.mark.usefixtures("without_graphs")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    return read_dataset("hands11k", write_tiny(tmp_path / "data", num_people=10))


@pytest.fixture
def run(tmp_path: Path, dataset: DataSet) -> Run:
    return build_run(tmp_path / "run", dataset)


def find(run: Run, dataset: DataSet) -> tuple[Calibration | None, str]:
    lines: list[str] = []
    return find_thresholds(run, partial(load_encoder, run), dataset, lines.append), "\n".join(lines)


def swap_labels(dataset: DataSet) -> DataSet:
    """Give one photo of each of the validation people to the other."""
    table = Path(dataset.directory) / "HandInfo.csv"
    rows = table.read_text().splitlines()
    rows[1::4] = [row.replace(row[:9], f'"{(int(row[1:8]) + 1) % 10:07d}"') for row in rows[1::4]]
    table.write_text("\n".join(rows) + "\n")
    return read_dataset("hands11k", Path(dataset.directory))


def test_a_calibration_is_fitted_once_and_kept(run: Run, dataset: DataSet) -> None:
    first, said = find(run, dataset)
    assert first is not None
    assert said == ""
    assert first.num_people == 3
    written = (run.folder / CALIBRATION_FILE).read_bytes()
    assert find(run, dataset) == (first, "")
    assert (run.folder / CALIBRATION_FILE).read_bytes() == written
    assert load_thresholds(run, pytest.fail) == first


@pytest.mark.slow
def test_corrected_labels_are_fitted_again(run: Run, dataset: DataSet) -> None:
    right, _ = find(run, dataset)
    wrong = swap_labels(dataset)
    again, said = find(run, wrong)
    assert again != right
    assert "fitted again" in said
    assert "it was fitted on other labels" in said
    (run.folder / CALIBRATION_FILE).unlink()
    assert find(run, wrong) == (again, ""), "what is fitted again is what is fitted at first"


def test_other_weights_are_fitted_again_and_never_verify(run: Run, dataset: DataSet) -> None:
    find(run, dataset)
    encoder = load_encoder(run).model
    encoder.set_weights([2.0 * values for values in encoder.get_weights()])
    encoder.save_weights(run.folder / WEIGHTS_FILE)
    with pytest.raises(RunError, match="was fitted on the vectors of other weights. Fit it again: handnet eval"):
        load_thresholds(run)
    assert "it was fitted on other weights" in find(run, dataset)[1]
    assert load_thresholds(run) is not None


@pytest.mark.parametrize("kind", ["old", "damaged"])
def test_a_file_of_before_or_a_damaged_one_is_fitted_again_saying_so(run: Run, dataset: DataSet, kind: str) -> None:
    right, _ = find(run, dataset)
    file = run.folder / CALIBRATION_FILE
    if kind == "old":
        save_calibration(file, Calibration(9.0, -9.0, 0.9, 0.9, num_people=2, num_genuine=1, num_impostor=1))
        lines: list[str] = []
        assert load_thresholds(run, lines.append).slope == 9.0
        assert "does not say what it was fitted on" in lines[0]
    else:
        file.write_text("{")
    again, said = find(run, dataset)
    assert again == right
    assert ("does not say what it was fitted on" if kind == "old" else "cannot be read as a calibration") in said


def test_a_run_that_cannot_be_written_is_calibrated_all_the_same(
    run: Run, dataset: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DiskError("Cannot write 'run': Read-only file system.")

    monkeypatch.setattr("handnet.evaluation.thresholds.save_calibration", refuse)
    calibration, said = find(run, dataset)
    assert calibration is not None
    assert "not kept in the run. Cannot write 'run'" in said


def test_data_without_the_validation_people_leave_a_kept_calibration_as_it_is(
    run: Run, dataset: DataSet, tmp_path: Path
) -> None:
    few = read_dataset("hands11k", write_tiny(tmp_path / "few", num_people=1))
    assert find(run, few)[0] is None
    kept, _ = find(run, dataset)
    found, said = find(run, few)
    assert found == kept
    assert "cannot be checked on these data" in said


def test_the_calibration_of_other_data_lies_next_to_their_figures(run: Run, dataset: DataSet, tmp_path: Path) -> None:
    own, _ = find(run, dataset)
    kept = (run.folder / CALIBRATION_FILE).read_bytes()
    others = read_dataset("hands11k", write_tiny(tmp_path / "others", num_people=10, seed=7))
    lines: list[str] = []
    calibration = find_thresholds(run, partial(load_encoder, run), others, lines.append, tmp_path / "figures")
    assert calibration not in (None, own)
    assert load_calibration(tmp_path / "figures" / OTHER_CALIBRATION_FILE) == calibration
    assert "which the run was not trained on, for these figures alone" in lines[0]
    assert (run.folder / CALIBRATION_FILE).read_bytes() == kept
    assert load_thresholds(run, pytest.fail) == own
    exported, said = find(run, others)
    assert exported == own
    assert "is not what the run was trained on" in said


def test_data_that_were_moved_are_the_runs_own(dataset: DataSet, tmp_path: Path) -> None:
    digests = [digest_bytes(Path(example.path).read_bytes()) for example in dataset.examples]
    run = build_run(tmp_path / "run", dataset)
    (run.folder / SEEN_PHOTOS_FILE).write_text("\n".join([*digests, "a photo of weights before it"]))
    run = update_facts(run, {"data": {**run.facts["data"], "num_photos": {"train": len(digests), "val": 0}}})
    Path(dataset.directory).rename(tmp_path / "moved")
    moved = read_dataset("hands11k", tmp_path / "moved")
    found, said = find(run, moved)
    assert (found is not None, said) == (True, "")
    assert load_thresholds(run, pytest.fail) == found, "away from its data a run is used all the same"


def test_corrected_labels_and_other_photos_never_verify(run: Run, dataset: DataSet) -> None:
    find(run, dataset)
    swap_labels(dataset)
    with pytest.raises(
        RunError, match="fitted on other labels and photos than .*data' holds now. Fit it again: handnet eval"
    ):
        load_thresholds(run)
    find(run, read_dataset("hands11k", Path(dataset.directory)))
    load_thresholds(run, pytest.fail)
    for example in dataset.examples:
        write_jpeg(Path(example.path))
    with pytest.raises(RunError, match="fitted on other photos than"):
        load_thresholds(run)


def pairs_config(**data: object) -> Config:
    return tiny_config(data={**FRACTIONS, **data}, loss={"options": {"views": "any"}})


@pytest.mark.slow
def test_evaluating_pairs_first_changes_no_threshold(run: Run, dataset: DataSet) -> None:
    alone, _ = find(run, dataset)
    (run.folder / CALIBRATION_FILE).unlink()
    evaluation = evaluate_pairs(RunPart(run, partial(load_encoder, run), dataset, "test"), num_replicates=20)
    assert evaluation.metrics["systems"]["distance"]["threshold"] == alone.equal_error_threshold
    assert find(run, dataset) == (alone, "")


@pytest.fixture
def things(tmp_path: Path) -> tuple[Run, DataSet]:
    dataset = read_dataset("folder", write_things(tmp_path / "things"))
    return build_run(tmp_path / "run-of-things", dataset, pairs_config(reader="folder")), dataset


@pytest.mark.slow
def test_no_threshold_is_chosen_on_the_pairs_that_it_decides(things: tuple[Run, DataSet], tmp_path: Path) -> None:
    run, dataset = things
    evaluation = evaluate_pairs(RunPart(run, partial(load_encoder, run), dataset, "val"), num_replicates=20)
    metrics = evaluation.metrics
    assert metrics["calibration"] == {}
    for figures in metrics["systems"].values():
        assert not {"threshold", "f1", "confusion"} & figures.keys()
        assert 0 <= figures["auc"] <= 1
    assert load_thresholds(run, pytest.fail), "kept for `handnet verify`, which advises --part val"
    paths = [example.path for example in evaluation.table.examples]
    photos = [(paths[a], paths[b]) for a, b in evaluation.table.rows]
    scores, same = evaluation.scores["distance"], evaluation.table.same
    write_pair_report(tmp_path / "report.html", metrics, "distance", scores, same, photos, "val", {})
    page, table = (tmp_path / "report.html").read_text(), format_pair_metrics(metrics)
    for text in (page, table):
        assert "No thresholds and no probabilities" in text
        assert "other people" not in text
    assert "Confusion" not in page


@pytest.mark.slow
def test_thresholds_of_other_people_are_used_and_said(things: tuple[Run, DataSet]) -> None:
    run, dataset = things
    metrics = evaluate_pairs(RunPart(run, partial(load_encoder, run), dataset, "test"), num_replicates=20).metrics
    assert metrics["notes"] == ["Thresholds were chosen on pairs of other people."]
    kept = json.loads((run.folder / CALIBRATION_FILE).read_text())
    assert metrics["systems"]["distance"]["threshold"] == kept["equal_error_threshold"]
    assert (
        "learnt from 4 of these 4"
        in evaluate_pairs(RunPart(run, partial(load_encoder, run), dataset, "train"), num_replicates=20).metrics[
            "notes"
        ][1]
    )
