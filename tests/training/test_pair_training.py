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
from handnet.config.run_folder import Run, read_run, read_run_split
from handnet.config.settings import PairsConfig
from handnet.data.pair_table import PairTable, select_pairs
from handnet.data.readers import read_dataset
from handnet.data.readers.folder import read_folder
from handnet.data.splits.rules import make_split
from handnet.errors import ConfigError, DataError, RunError
from handnet.evaluation.verify import load_verifier, verify_photos
from handnet.metrics.pairs.calibration import load_calibration
from handnet.metrics.pairs.classifiers import BASELINES
from handnet.networks.encoder import load_encoder
from handnet.networks.pair_classifier import PAIR_FORMS, build_pair_classifier, build_siamese
from handnet.training.pair_training import fit_pairs, load_pair_classifier, score_pairs_with
from tests.photos import find_real_data
from tests.tiny import tiny_backbone

RNG = np.random.default_rng(0)


def write_colours(folder: Path, num_classes: int = 18, photos: int = 4) -> Path:
    """Write a folder of photos for each of some classes, each class a colour of its own."""
    rng = np.random.default_rng(1)
    for k in range(num_classes):
        (folder / f"c{k:02d}").mkdir(parents=True)
        color = rng.uniform(20, 235, 3)
        for number in range(photos):
            pixels = color + rng.normal(0, 10, (32, 32, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"c{k:02d}" / f"{number}.png")
    return folder


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
    config = PairsConfig(form=form, hidden_sizes=(32, 8), dropout=0.1, learning_rate=1e-2, epochs=30, batch_size=32)
    model, history = fit_pairs(config, (photos, learnt), (photos, fresh), seed=1)
    first, second = photos[fresh.rows[:, 0]], photos[fresh.rows[:, 1]]
    forward, backward = score_pairs_with(model, first, second), score_pairs_with(model, second, first)
    assert (forward == backward).all(), "exactly"
    assert np.abs(forward).max() <= 1
    assert roc_auc_score(fresh.same, forward) > (0.6 if form == "concatenation" else 0.85)
    loss = float(np.mean(-np.log(np.where(fresh.same, (1 + forward) / 2, (1 - forward) / 2))))
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-3), "the best epoch's weights are kept"


SETTINGS = [
    *("data.reader=folder", "data.split=fractions", "data.split_options.train=0.5", "data.split_options.val=0.3"),
    *("data.split_options.test=0.2", "image.size_px=32", "loss.options.views=any", "sampler.people_per_batch=4"),
    *("sampler.passes_per_epoch=2", "model.hidden_size=16", "model.embedding_size=8", "train.precision=float32"),
    *(
        "pairs.form=absolute-difference",
        "pairs.epochs=30",
        "pairs.learning_rate=1e-2",
        "pairs.hidden_sizes=[8]",
        "augment.color_probability=0",
    ),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train on colours and evaluate, once, from the command line."""
    folder = tmp_path_factory.mktemp("pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(folder / "cache"))
        _use_tiny(patch)
        data = write_colours(folder / "data")
        settings = [f"--set={setting}" for setting in SETTINGS]
        arguments = ["train", "--data", str(data), "--arch", "tiny", "--loss", "triplet", "--epochs", "2", *settings]
        result = CliRunner().invoke(cli, [*arguments, "--run", str(folder / "run")], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        result = CliRunner().invoke(cli, ["eval", str(folder / "run")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return read_run(folder / "run")


def _use_tiny(patch: pytest.MonkeyPatch) -> None:
    from handnet.networks.backbones import BACKBONES

    patch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_tiny(monkeypatch)


def test_a_part_without_pairs_is_said_before_the_encoder_is_trained(run: Run, tmp_path: Path) -> None:
    settings = [f"--set={setting}" for setting in SETTINGS if "split_options" not in setting]
    settings += [f"--set=data.split_options.{part}" for part in ("train=0.9", "val=0.05", "test=0.05")]
    arguments = ["train", "--data", str(run.folder.parent / "data"), "--arch", "tiny", "--run", str(tmp_path / "run")]
    with pytest.raises(DataError, match="Pairs need two people, .* a val part of 1 people"):
        CliRunner().invoke(cli, [*arguments, *settings], catch_exceptions=False)
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_its_classifier_and_calibration(run: Run) -> None:
    assert run.facts["status"] == "finished"
    assert run.facts["pairs"]["num_features"] == 8
    classifier = load_pair_classifier(run)
    assert classifier is not None
    assert classifier.calibration.num_genuine > 10
    with pytest.raises(RunError, match="has no classifier of pairs yet. Train it: handnet train --resume"):
        load_pair_classifier(run._replace(facts={}))
    assert load_pair_classifier(run._replace(config=replace(run.config, pairs=PairsConfig()))) is None


def test_a_run_without_its_classifier_is_resumed(run: Run, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    facts = json.loads((folder / "run.json").read_text())
    del facts["pairs"]
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "pairs.weights.h5").unlink()
    result = CliRunner().invoke(cli, ["train", "--resume", "--run", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    old, new = load_pair_classifier(run), load_pair_classifier(read_run(folder))
    assert old is not None
    assert new is not None
    features = RNG.normal(size=(2, 6, 8)).astype(np.float32)
    assert (old.score(*features) == new.score(*features)).all(), "the same seed gives the same classifier"


def test_evaluation_compares_systems_on_people_not_trained_on(run: Run) -> None:
    metrics = json.loads((run.folder / "eval-test" / "pairs.json").read_text())
    assert list(metrics["systems"]) == ["pair classifier", "distance", *BASELINES, "raw pixels"]
    assert metrics["systems"]["raw pixels"]["auc"] > 0.95, "colours are told apart by their pixels"
    assert metrics["systems"]["distance"]["num_people"] == 4
    page = (run.folder / "eval-test" / "report.html").read_text()
    for heading in ("Figures", "Confusion matrix", "ROC curves", "Worst errors"):
        assert heading in page
    calibration = load_calibration(run.folder / "calibration.json")
    dataset = read_dataset("folder", run.folder.parent / "data")
    kept_back = select_pairs(dataset, read_run_split(run), "val")
    assert calibration.num_genuine == int(kept_back.same.sum())


@pytest.mark.parametrize("form", ["pairs", "none"])
def test_verify_says_the_same_as_the_evaluation(run: Run, form: str) -> None:
    photos = sorted((run.folder.parent / "data").glob("*/*.png"))
    if form == "none":
        run = run._replace(config=replace(run.config, pairs=PairsConfig()))
    verifier = load_verifier(run, load_encoder(run))
    one, same, other = (str(path) for path in (photos[0], photos[1], photos[-1]))
    forward, backward, itself = verify_photos(verifier, [(one, other), (other, one), (one, one)])
    assert forward == backward
    assert 0 <= forward.probability <= 1
    assert forward.same == (forward.score >= forward.threshold)
    assert itself.score >= forward.score
    assert verify_photos(verifier, [(one, same)])[0].probability >= forward.probability
    assert forward.system == ("pair classifier" if form == "pairs" else "distance")


def test_verify_on_the_command_line(run: Run, tmp_path: Path) -> None:
    photos = sorted((run.folder.parent / "data").glob("*/*.png"))
    answers = []
    for second in (photos[1], photos[-1]):
        arguments = ["verify", str(run.folder), "-i1", str(photos[0]), "-i2", str(second), "--json"]
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        answers.append(json.loads(result.output))
    assert set(answers[0]) == {"first", "second", "same", "probability", "score", "threshold", "system"}
    assert answers[0]["probability"] > answers[1]["probability"]
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    for bad, message in ((tmp_path / "bad.jpg", "not an image"), (tmp_path / "gone.jpg", "No such file")):
        result = CliRunner().invoke(cli, ["verify", str(run.folder), "-i1", str(photos[0]), "-i2", str(bad)])
        assert isinstance(result.exception, DataError)
        assert message in str(result.exception)


def test_a_run_that_was_never_evaluated_cannot_verify(run: Run, tmp_path: Path) -> None:
    elsewhere = run._replace(folder=tmp_path, config=replace(run.config, pairs=PairsConfig()))
    with pytest.raises(RunError, match="has no calibration yet: evaluate it first with handnet eval"):
        load_verifier(elsewhere, load_encoder(run))


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


def test_the_exported_model_judges_pairs_as_verify_does(run: Run, tmp_path: Path) -> None:
    """Two images in, one answer out: photo bytes and decoded photos, by the classifier."""
    import tensorflow as tf

    arguments = ["export", str(run.folder), str(tmp_path / "model")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "verify_pixels" in result.output
    photos = [str(path) for path in sorted((run.folder.parent / "data").glob("*/*.png"))[::11]]
    expected = verify_photos(load_verifier(run, load_encoder(run)), [(photos[0], photo) for photo in photos])
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


@pytest.mark.parametrize("features", ["cosine", "embedding", "backbone"])
def test_the_siamese_model_has_one_output_for_two_images(run: Run, features: str) -> None:
    encoder = load_encoder(run)
    size = encoder.backbone.output_shape[-1] if features == "backbone" else encoder.model.output_shape[-1]
    classifier = None if features == "cosine" else build_pair_classifier(size, PairsConfig(form="product"))
    siamese = build_siamese(encoder, classifier, features)
    images = RNG.integers(0, 256, (2, 5, 32, 32, 3)).astype(np.float32)
    scores, swapped = (
        np.asarray(siamese({"first": images[k], "second": images[1 - k]}, training=False)) for k in (0, 1)
    )
    assert scores.shape == (5, 1)
    assert (scores == swapped).all()
    if features == "cosine":
        one, two = (np.asarray(encoder.model(part, training=False)) for part in images)
        assert scores[:, 0] == pytest.approx((one * two).sum(axis=1), abs=1e-6)


def test_a_few_pairs_are_learnt_exactly(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [f"--set={setting}" for setting in SETTINGS]
    arguments = ["train", "--data", str(run.folder.parent / "data"), "--arch", "tiny", "--overfit", "40", *settings]
    result = CliRunner().invoke(cli, [*arguments, "--run", str(tmp_path / "run")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "learning 20 pairs of one and 20 of two people exactly" in result.output
    assert "all pairs are classified correctly after" in result.output
    assert not (tmp_path / "run").exists(), "nothing is kept"
    with pytest.raises(ConfigError, match="--overfit is for the classifier of pairs"):
        CliRunner().invoke(cli, [*arguments, "--set=pairs.form=none"], catch_exceptions=False)
    # The same photos in either kind of pair: nothing can tell them apart.
    contradiction = PairTable([], np.asarray([(0, 1), (0, 1)]), np.asarray([True, False]))
    monkeypatch.setattr(
        "handnet.training.overfit.thin_pairs",
        lambda table, count: contradiction._replace(examples=table.examples),
    )
    monkeypatch.setattr("handnet.training.overfit._EPOCHS", 3)
    with pytest.raises(RunError, match="1 of 2 pairs are still classified wrongly after 3 epochs"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.mark.parametrize("suggestion", [0.00123, None])
def test_lr_find_draws_and_suggests(
    suggestion: float | None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.training.lr_range.suggest_rate", lambda *_: suggestion)
    config = tmp_path / "config.toml"
    config.write_text((run.folder / "config.toml").read_text())
    data = ["--data", str(run.folder.parent / "data"), "--steps", "20", "--low", "1e-4"]
    for source, key in ((config, "optimizer.learning_rate="), (run.folder, "pairs.learning_rate=")):
        arguments = ["lr-find", str(source), *data, "--output", str(tmp_path / "range.png")]
        result = CliRunner().invoke(cli, arguments)
        if suggestion is None:
            assert isinstance(result.exception, RunError)
            assert "There is no rate to suggest: between 0.0001 and" in str(result.exception)
        else:
            assert result.exit_code == 0, result.output
            assert f"the loss falls the fastest at 0.0012: {key}0.0012" in result.output
        assert Image.open(tmp_path / "range.png").size == (770, 462)
        (tmp_path / "range.png").unlink()


def test_given_weights_are_not_trained_and_their_features_are_classified(run: Run, tmp_path: Path) -> None:
    settings = [f"--set={setting}" for setting in (*SETTINGS, "pairs.features=backbone", "pairs.form=chi-square")]
    arguments = ["train", "--data", str(run.folder.parent / "data"), "--arch", "tiny", "--freeze", "--epochs", "0"]
    result = CliRunner().invoke(cli, [*arguments, *settings, "--run", str(tmp_path / "run")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "kept the weights as they were" in result.output
    given = read_run(tmp_path / "run")
    assert given.facts["epochs_done"] == 0
    assert load_pair_classifier(given) is not None
    assert given.facts["pairs"]["num_features"] == load_encoder(given).backbone.output_shape[-1]


def test_photos_without_views_are_projected(run: Run, tmp_path: Path) -> None:
    arguments = ["project", str(run.folder), "--output", str(tmp_path / "projector")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "projector" / "labels.tsv").read_text().splitlines()
    num_photos = 4 * sum(len(read_run_split(run).people(part)) for part in ("val", "test"))
    assert len(rows) == num_photos + 1
    assert dict(zip(rows[0].split("\t"), rows[1].split("\t"), strict=True))["view"] == ""
    assert (tmp_path / "projector" / "tsne.png").exists()
