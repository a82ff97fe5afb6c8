"""Pairs of photos from end to end: drawn, learnt, evaluated, verified; on synthetic photos of one colour each."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.metrics import roc_auc_score

from handnet.cli.main import cli
from handnet.config.run_folder import Run, read_run
from handnet.config.settings import PairsConfig
from handnet.data.pair_table import PairTable, select_pairs
from handnet.data.readers import read_dataset
from handnet.data.readers.folder import read_folder
from handnet.data.splits.rules import make_split
from handnet.errors import DataError, RunError
from handnet.evaluation.verify import load_verifier, verify_once
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.networks.pair_classifier import PAIR_FORMS
from handnet.training.pair_training import fit_pairs, load_pair_classifier, score_pairs_with
from tests.colours import SETTINGS, list_arguments, write_colours
from tests.photos import find_real_data
from tests.tiny import tiny_backbone

RNG = np.random.default_rng(0)


@pytest.mark.slow
@pytest.mark.parametrize("form", PAIR_FORMS)
def test_every_form_is_symmetric_and_learns(form: str) -> None:
    """Vectors of one person differ by little: whichever form must tell them from those of two on new people."""
    rng = np.random.default_rng(7)
    people = rng.normal(size=(160, 12)).astype(np.float32)
    photos = np.repeat(people, 2, axis=0) + rng.normal(0, 0.25, (320, 12)).astype(np.float32)
    rows = [(2 * p, 2 * p + 1) for p in range(160)] + [(2 * p, (2 * p + 7) % 320) for p in range(160)]
    table = PairTable([], np.asarray(rows), np.arange(320) < 160)
    order = rng.permutation(320)
    learnt, fresh = (table._replace(rows=table.rows[k], same=table.same[k]) for k in (order[:220], order[220:]))
    config = PairsConfig(form=form, hidden_sizes=(32, 8), dropout=0.1, learning_rate=2e-2, epochs=12, batch_size=32)
    model, history = fit_pairs(config, (photos, learnt), (photos, fresh), seed=1)
    first, second = photos[fresh.rows[:, 0]], photos[fresh.rows[:, 1]]
    forward, backward = score_pairs_with(model, first, second), score_pairs_with(model, second, first)
    assert (forward == backward).all(), "exactly"
    assert np.abs(forward).max() <= 1
    assert roc_auc_score(fresh.same, forward) > (0.6 if form == "concatenation" else 0.85)
    loss = float(np.mean(-np.log(np.where(fresh.same, (1 + forward) / 2, (1 - forward) / 2))))
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-3), "the best epoch's weights are kept"


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def test_a_part_without_pairs_is_said_before_the_encoder_is_trained(pairs_run: Run, tmp_path: Path) -> None:
    settings = [setting for setting in SETTINGS if "split_options" not in setting]
    settings += [f"data.split_options.{part}" for part in ("train=0.9", "val=0.05", "test=0.05")]
    data = pairs_run.folder.parent / "data"
    arguments = list_arguments(data, "--run", str(tmp_path / "run"), settings=settings)
    with pytest.raises(DataError, match="Pairs need two people, .* a val part of 1 people"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_its_classifier_and_calibration(pairs_run: Run) -> None:
    assert pairs_run.facts["status"] == "finished"
    assert pairs_run.facts["pairs"]["num_features"] == 8
    classifier = load_pair_classifier(pairs_run)
    assert classifier is not None
    assert classifier.calibration.num_genuine > 10
    with pytest.raises(RunError, match="has no classifier of pairs yet. Train it: handnet train --resume"):
        load_pair_classifier(pairs_run._replace(facts={}))
    assert load_pair_classifier(pairs_run._replace(config=replace(pairs_run.config, pairs=PairsConfig()))) is None


def test_a_run_without_its_classifier_is_resumed(pairs_run: Run, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(pairs_run.folder, tmp_path / "run"))
    facts = json.loads((folder / "run.json").read_text())
    del facts["pairs"]
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "pairs.weights.h5").unlink()
    result = CliRunner().invoke(cli, ["train", "--resume", "--run", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    old, new = load_pair_classifier(pairs_run), load_pair_classifier(read_run(folder))
    assert old is not None
    assert new is not None
    features = RNG.normal(size=(2, 6, 8)).astype(np.float32)
    assert (old.score(*features) == new.score(*features)).all(), "the same seed gives the same classifier"


def test_a_table_with_a_split_column_is_trained_by_it(tmp_path: Path) -> None:
    data = write_colours(tmp_path / "data", num_classes=3, photos=2)
    rows = [f"c0{k}/{n}.png,{('train', 'val', 'test')[k]}" for k in range(3) for n in range(2)]
    (data / "labels.csv").write_text("\n".join(["path,split", *rows]) + "\n")
    split = make_split("column", read_folder(data), {})
    assert (split.train, split.val, split.test) == (("c00",), ("c01",), ("c02",))


def test_real_pairs_are_selected_whole() -> None:
    dataset = read_dataset("lfw", find_real_data("lfw"))
    table = select_pairs(dataset, make_split("pairs", dataset), "test")
    assert (len(table.same), int(table.same.sum())) == (441, 227)


def test_the_exported_model_judges_pairs_as_verify_does(pairs_run: Run, tmp_path: Path) -> None:
    """Two images in, one answer out: photo bytes and decoded photos, by the classifier."""
    import tensorflow as tf

    arguments = ["export", str(pairs_run.folder), str(tmp_path / "model")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "verify_pixels" in result.output
    photos = [str(path) for path in sorted((pairs_run.folder.parent / "data").glob("*/*.png"))[::11]]
    verifier = load_verifier(pairs_run, load_encoder(pairs_run))
    expected = [verify_once(verifier, photos[0], photo).verdict for photo in photos]
    signatures = tf.saved_model.load(str(tmp_path / "model" / "1")).signatures
    contents = [Path(photo).read_bytes() for photo in photos]
    pixels = np.stack([np.asarray(Image.open(photo)) for photo in photos])
    answers = (
        signatures["verify"](first=tf.constant(contents[:1] * len(photos)), second=tf.constant(contents)),
        signatures["verify_pixels"](first=np.repeat(pixels[:1], len(photos), axis=0), second=pixels),
    )
    for answer in answers:
        assert answer["similarity"].numpy() == pytest.approx([verdict.score for verdict in expected], abs=1e-5)
        assert answer["probability"].numpy() == pytest.approx([verdict.probability for verdict in expected], abs=1e-5)
        assert answer["decision"].numpy().tolist() == [verdict.same for verdict in expected]
    assert len({verdict.same for verdict in expected}) == 2, "both answers are given"
    empty = signatures["verify_pixels"](first=pixels[:0], second=pixels[:0])
    assert empty["decision"].shape == (0,)


def test_given_weights_are_not_trained_and_their_features_are_classified(pairs_run: Run, tmp_path: Path) -> None:
    settings = [*SETTINGS, "pairs.features=backbone", "pairs.form=chi-square", "pairs.epochs=3"]
    options = ["--freeze", "--epochs", "0", "--run", str(tmp_path / "run")]
    arguments = list_arguments(pairs_run.folder.parent / "data", *options, settings=settings)
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "kept the weights as they were" in result.output
    given = read_run(tmp_path / "run")
    assert given.facts["epochs_done"] == 0
    assert load_pair_classifier(given) is not None
    assert given.facts["pairs"]["num_features"] == load_encoder(given).backbone.output_shape[-1]
