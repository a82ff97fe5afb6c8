"""`handnet embed` and what is below it: the files on disk to one file of vectors, by each engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import handnet.embedding.engines
import handnet.embedding.job
import handnet.images.photo_store
from handnet.cli.main import cli
from handnet.config.image import ImageConfig
from handnet.config.run_folder import create_run
from handnet.config.settings import Config
from handnet.config.split import Split
from handnet.console import Progress, hide_progress
from handnet.data.example import Example
from handnet.data.readers import read_dataset
from handnet.embedding.encode import embed_files
from handnet.embedding.engines import (
    build_engine,
)
from handnet.embedding.hand_columns import list_hands, note_findings
from handnet.embedding.job import embed_photos
from handnet.embedding.kept_vectors import KeptVectors
from handnet.embedding.quick_embed import Vectors
from handnet.errors import ConfigError, DataError, DiskError
from handnet.files import hold_lock
from handnet.images.photo_store import Decoded, prepare_photos
from handnet.images.seen_hand import SeenHand
from handnet.images.unusable_photos import NO_HAND
from handnet.metrics.embedded import label_embeddings, load_part
from handnet.networks.backbones import BACKBONES
from handnet.networks.weights.manifest import hash_file
from tests.photos import UNUSABLE, picture, write_jpeg
from tests.tiny import tiny_backbone, write_tiny

BATCH_SIZE = 4


def embed(
    paths: list[str],
    config: Config,
    encoder: keras.Model,
    partial: Path,
    seen: list[int] | None = None,
    progress: Progress = hide_progress,
    kept: KeptVectors | None = None,
) -> Vectors:
    engine = build_engine("tensorflow", encoder, config.image, BATCH_SIZE)
    if seen is not None:
        run = engine.embed
        engine = engine._replace(embed=lambda images: seen.append(len(images)) or run(images))  # type: ignore[func-returns-value]
    return embed_photos(paths, config.image, engine, encoder, partial, BATCH_SIZE, progress, kept)


@pytest.mark.slow
def test_vectors_are_the_encoders_in_order_and_bad_photos_are_said(
    photos: list[str], config: Config, encoder: keras.Model, tmp_path: Path
) -> None:
    expected = embed_files(encoder, prepare_photos(photos, config.image).files)
    bad = [str(UNUSABLE[kind](tmp_path / kind)) for kind in ("zero-byte", "png-bomb", "truncated-jpeg")]
    absent = str(tmp_path / "absent")
    paths = [bad[0], *photos[:5], bad[1], *photos[5:], absent, bad[2]]
    found = embed(paths, config, encoder, tmp_path / "part")
    assert [paths[row] for row in found.rows] == photos
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-6)
    assert found.problems == {
        bad[0]: "empty file",
        bad[1]: "too large: 30,000 × 30,000 pixels, above the limit of 89 million",
        absent: "No such file or directory",
        bad[2]: "truncated: the file ends before the picture does",
    }
    only_bad = embed(bad, config, encoder, tmp_path / "part")
    assert (only_bad.embeddings.shape, only_bad.rows, len(only_bad.problems)) == ((0, 8), [], 3)


def test_what_landmarks_say_goes_into_the_file_beside_the_labels(
    photos: list[str], config: Config, encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handnet.embedding.job, "SHARD_SIZE", 1)
    paths = photos[:2]
    hand, nothing = SeenHand(0.97, "right", "dorsal", 0.9, 1.0, "one hand"), NO_HAND["landmarks"]

    build_hand_decoder = handnet.images.photo_store.build_hand_decoder

    # How it is found: tests/images/test_hand_finder.py.
    def build_decoder(config: ImageConfig) -> Callable[[bytes], Decoded]:
        if config.hand_finder != "landmarks":
            return build_hand_decoder(config)
        square, bad = np.zeros((config.size_px, config.size_px, 3), np.uint8), Path(paths[0]).read_bytes()
        return lambda contents: Decoded(None, nothing) if contents == bad else Decoded(square, "", hand)

    monkeypatch.setattr(handnet.images.photo_store, "build_hand_decoder", build_decoder)
    image = replace(config.image, crop="hand-canonical", hand_finder="landmarks")
    found = embed(paths, replace(config, image=image), encoder, tmp_path / "part")
    assert found.rows == [1]
    assert "no hand was found" in found.problems[photos[0]]
    label_embeddings(found.embeddings, [Example(paths[1], "")]).save(tmp_path / "seen.npz", found.hands)
    with np.load(tmp_path / "seen.npz") as file:
        assert file["seen_sides"].tolist() == ["right"]
        assert file["seen_views"].tolist() == ["dorsal"]
        np.testing.assert_allclose(file["hand_scores"], 0.97)
        np.testing.assert_allclose(file["seen_confidences"], 0.9)
        assert file["findings"].tolist() == ["one hand"]
        assert "views" not in file.files, "what is seen is no label"
    assert embed(photos[:1], config, encoder, tmp_path / "plain").hands == {}


def test_photos_that_are_known_are_neither_decoded_nor_computed_again(
    photos: list[str], config: Config, encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = str(UNUSABLE["truncated-jpeg"](tmp_path / "bad"))
    kept = KeptVectors({"weights": "of this test"}, "tensorflow", "float32")
    first = embed([*photos[:5], bad], config, encoder, tmp_path / "first", kept=kept)
    decoded: list[bytes] = []
    decode = handnet.images.photo_store.build_hand_decoder(config.image)
    monkeypatch.setattr(
        handnet.images.photo_store, "build_hand_decoder", lambda config: lambda raw: decoded.append(raw) or decode(raw)
    )
    seen: list[int] = []
    again = embed([bad, *photos[:5][::-1]], config, encoder, tmp_path / "again", seen, kept=kept)
    assert (seen, decoded) == ([], [])
    np.testing.assert_array_equal(again.embeddings[::-1], first.embeddings)
    assert again.problems == first.problems
    more = embed([*photos[3:], bad], config, encoder, tmp_path / "more", seen, kept=kept)
    assert (sum(seen), len(decoded)) == (len(photos) - 5, len(photos) - 5), "those that are new"
    whole = embed(photos, config, encoder, tmp_path / "whole")
    np.testing.assert_allclose(more.embeddings, whole.embeddings[3:], atol=1e-6)


def test_it_continues_after_a_kill_where_nothing_has_changed(
    photos: list[str], config: Config, encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handnet.embedding.job, "SHARD_SIZE", BATCH_SIZE)
    whole = embed(photos, config, encoder, tmp_path / "whole")
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        assert total == 11
        if done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(photos, config, encoder, tmp_path / "part", seen, lambda name: stop)
    assert seen == [4, 4, 3]
    (tmp_path / "part/000001.npz").write_bytes(b"")  # as a power cut leaves it
    seen.clear()
    again = embed(photos, config, encoder, tmp_path / "part", seen)
    assert seen == [4, 3], "the second shard and the last"
    assert (again.embeddings == whole.embeddings).all()

    seen.clear()
    write_jpeg(Path(photos[0]), 255 - picture())
    changed = embed(photos, config, encoder, tmp_path / "part", seen)
    assert sum(seen) == 11, "a photo has changed"
    assert not np.allclose(changed.embeddings[0], whole.embeddings[0], atol=1e-3)
    seen.clear()
    weights = encoder.get_weights()
    try:
        encoder.set_weights([weight + 0.01 for weight in weights])
        embed(photos, config, encoder, tmp_path / "part", seen)
    finally:
        encoder.set_weights(weights)
    assert sum(seen) == 11, "the weights have changed"
    seen.clear()
    embed(photos[1:], config, encoder, tmp_path / "part", seen)
    assert sum(seen) == 10, "another list of photos"


def test_a_folder_of_the_name_of_the_parts_loses_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    for name in ("key", "000000.npz", ".part-x.npz", "letter.txt"):
        (tmp_path / "part" / name).write_text("mine")
    handnet.embedding.job.remove_partial(tmp_path / "part")
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["letter.txt"]
    (tmp_path / "part/letter.txt").unlink()
    handnet.embedding.job.remove_partial(tmp_path / "part")
    assert not (tmp_path / "part").exists()
    handnet.embedding.job.remove_partial(tmp_path / "part")


@pytest.fixture
def run_folder(config: Config, encoder: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with weights, as training leaves one."""
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())
    facts = {"status": "finished", "data": {"directory": "", "fingerprint": ""}}
    run = create_run(tmp_path / "run", config, facts, Split(("1",), (), ("2",)))
    encoder.save_weights(run.folder / "model.weights.h5")
    return run.folder


def call(*arguments: object) -> None:
    cli.main(["embed", *map(str, arguments)], standalone_mode=False)


def test_a_data_set_keeps_its_labels_for_evaluation(
    run_folder: Path, config: Config, encoder: keras.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = read_dataset("hands11k", write_tiny(tmp_path / "hands", num_people=3)).examples
    file = tmp_path / "new/vectors.npz"
    call(run_folder, tmp_path / "hands", "-o", file, "--engine", "tensorflow", "--batch", 5)
    out = capsys.readouterr().out
    assert "engine: tensorflow in float32; 12 photos" in out
    assert f"wrote 12 vectors of 8 numbers to {file}" in out
    part = load_part(file)
    expected = embed_files(encoder, prepare_photos([example.path for example in examples], config.image).files)
    np.testing.assert_allclose(part.embeddings, expected, atol=1e-6)
    for name in ("identity", "view", "side"):
        column = {"identity": "identities"}.get(name, f"{name}s")
        assert getattr(part, column).tolist() == [getattr(example, name) for example in examples]
    assert list(part.attributes) == [dict(example.attributes) for example in examples]
    assert list(part.paths) == [example.path for example in examples]
    assert part.model == hash_file(run_folder / "model.weights.h5")
    assert [path.name for path in file.parent.iterdir()] == ["vectors.npz"], "the parts are gone"
    # The same command again replaces the file.
    call(run_folder, tmp_path / "hands", "-o", file, "--engine", "tensorflow", "--batch", 5)
    assert (load_part(file).embeddings == part.embeddings).all()


def test_bad_photos_are_an_error_unless_they_are_to_be_skipped(
    run_folder: Path, photos: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "03.jpg").write_bytes(b"no photo")
    file = tmp_path / "vectors.npz"
    with pytest.raises(DataError, match=r"1 of 11 photos cannot be used: '.*03.jpg': .* with --skip-bad"):
        call(run_folder, *photos, "-o", file)
    assert not file.exists()
    call(run_folder, *photos, "-o", file, "--skip-bad")
    assert f"warning: left out '{photos[3]}': not an image that can be read" in capsys.readouterr().err
    with np.load(file) as arrays:
        assert set(arrays.files) == {"embeddings", "paths", "name", "model"}, "nothing is known of these photos"
        assert arrays["paths"].tolist() == photos[:3] + photos[4:]
        assert arrays["embeddings"].shape == (10, 8)


def test_two_processes_do_not_write_one_file(run_folder: Path, photos: list[str], tmp_path: Path) -> None:
    file = tmp_path / "new/vectors.npz"
    with hold_lock(file), pytest.raises(DiskError, match=r"Another process .* is writing '.*/new/vectors\.npz'"):
        call(run_folder, *photos, "-o", file)
    assert not file.parent.exists()


def test_all_photos_below_a_folder_without_a_table(run_folder: Path, tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/c/1.jpeg", "0.png"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        write_jpeg(tmp_path / "mine" / name)
    (tmp_path / "mine/notes.txt").write_text("no photo")
    call(run_folder, tmp_path / "mine", "-o", tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz") as arrays:
        found = [Path(path).relative_to(tmp_path / "mine").as_posix() for path in arrays["paths"]]
    assert found == ["0.png", "a/c/1.jpeg", "b/2.JPG"]


def test_mistakes_are_one_line_before_any_work(
    run_folder: Path, photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, expected in (
        ((photos[0], "-o", "x.csv"), "ends with .npz or .parquet. Received: 'x.csv'"),
        ((tmp_path / "absent", "-o", "x.npz"), "There is no photo or folder"),
        (
            (tmp_path / "empty", "-o", "x.npz"),
            "There is no photo .jpg, jpeg, png, gif, bmp, webp, tif, tiff, ",
        ),
        ((*photos[:2], "-o", "x.npz", "--reader", "hands11k"), "--reader is for one folder"),
        ((photos[0], "-o", "x.npz", "--engine", "tensorflov"), "Did you mean 'tensorflow'?"),
    ):
        with pytest.raises((ConfigError, DataError), match=expected):
            call(run_folder, *arguments)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="A .parquet file needs the package pyarrow: pip install pyarrow"):
        call(run_folder, photos[0], "-o", "x.parquet")


def test_vectors_that_are_not_of_one_whole_hand_are_named() -> None:
    hand = SeenHand(0.9, "left", "palmar", 0.9, 0.5, "one hand")
    cut_off = hand._replace(finding="a hand cut off by the border")
    columns = list_hands([hand, hand._replace(finding="several hands"), *[cut_off] * 22])
    first, *cut, more = note_findings([f"{number}.jpg" for number in range(24)], columns)
    assert first == "'1.jpg': several hands: its vector is that of the one found most surely, whoever's it is"
    assert (len(cut), cut[0][:40]) == (20, "'2.jpg': a hand cut off by the border: i")
    assert more.startswith("2 more: a hand cut off by the border")
    assert note_findings(["a.jpg"], {}) == []
