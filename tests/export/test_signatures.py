"""The signatures of the exported model: in a clean process without Keras, on whole, turned, grey and damaged photos."""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

import handnet.export.archive
import handnet.export.signatures
from handnet.config.image import ImageConfig
from handnet.embedding.encode import embed_files
from handnet.errors import ConfigError, DiskError, RunError
from handnet.export.archive import CARD_FILE, export_encoder
from handnet.export.exported_model import FACTS_FILE
from handnet.export.warmup import WARMUP_BATCHES, WARMUP_FILE
from handnet.files import hold_lock
from handnet.images.decode import decode, fit_photo, load_photo
from handnet.images.header_guard import load_photos
from handnet.images.photo_store import load_cached, prepare_photos
from tests.exported import CALIBRATION, Exported
from tests.photos import UNUSABLE, USABLE, find_real_data, picture

NAMES = [name for pair in zip(USABLE, UNUSABLE, strict=False) for name in pair] + list(USABLE)[len(UNUSABLE) :]


# What would tie the model to this program or machine, though TensorFlow lists it among its own.
FOREIGN = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "XlaCallModule", "GeneratorDataset"}


def embed_here(exported: Exported, photos: Mapping[str, Path], names: list[str]) -> np.ndarray:
    return embed_files(
        exported.encoder.model, prepare_photos([str(photos[name]) for name in names], exported.image).files
    )


@pytest.fixture(scope="module")
def clean(exported: Exported, photos: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process without Keras and handnet says of the model, and the arrays that it computed."""
    folder = tmp_path_factory.mktemp("clean")
    contents = [photos[name].read_bytes() for name in NAMES]
    sizes = np.array([len(c) for c in contents])
    np.savez(folder / "photos.npz", bytes=np.frombuffer(b"".join(contents), np.uint8), sizes=sizes)
    script = Path(__file__).with_name("load_clean.py")
    command = [
        sys.executable,
        str(script),
        str(exported.export.folder),
        str(folder / "photos.npz"),
        str(folder / "out.npz"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    with np.load(folder / "out.npz") as arrays:
        return json.loads(result.stdout.splitlines()[-1]), dict(arrays)


@pytest.mark.slow
def test_a_clean_process_gets_the_vectors_of_training(
    clean: Any, exported: Exported, photos: Mapping[str, Path]
) -> None:
    _, arrays = clean
    usable = np.array([name in USABLE for name in NAMES])
    expected = np.zeros((len(NAMES), 8), np.float32)
    expected[usable] = embed_here(exported, photos, [name for name in NAMES if name in USABLE])
    for signature in ("embed", "default"):
        assert arrays[f"{signature}/ok"].tolist() == usable.tolist(), "every damaged photo is flagged, and no other"
        np.testing.assert_allclose(arrays[f"{signature}/embeddings"], expected, atol=1e-5)
    assert np.linalg.norm(expected[usable], axis=1) == pytest.approx(1, abs=1e-5)
    similarity = np.sum(expected * expected[::-1], axis=1)
    ok = usable & usable[::-1]
    np.testing.assert_allclose(arrays["verify/similarity"], similarity, atol=1e-5)
    np.testing.assert_allclose(
        arrays["verify/probability"], np.where(ok, 1 / (1 + np.exp(3 - 8 * similarity)), 0), atol=1e-4
    )
    assert arrays["verify/decision"].tolist() == (ok & (similarity >= 0.4)).tolist()
    assert arrays["verify/ok"].tolist() == ok.tolist()
    for batch in (0, 1, 3):
        np.testing.assert_allclose(arrays[f"batch{batch}"], expected[:batch], atol=1e-5)


def test_the_photos_of_the_test_tell_something(exported: Exported, photos: Mapping[str, Path]) -> None:
    upright, turned, grey = embed_here(exported, photos, ["jpeg", "exif-6-jpeg", "grey-jpeg"])
    assert np.abs(upright - grey).max() > 1e-3
    assert np.abs(upright - turned).max() < 1e-2, "EXIF orientation is obeyed"


def test_only_operations_of_tensorflow_itself(clean: Any) -> None:
    summary, _ = clean
    assert {"DecodeJpeg", "IgnoreErrorsDataset", "FilterDataset", "MatMul"} <= set(summary["operations"])
    assert summary["unknown"] == []
    assert summary["without_kernel"] == []
    assert not FOREIGN & set(summary["operations"])
    assert not {"keras", "keras_hub", "handnet"} & set(summary["loaded"])


@cache
def trace_load_photos(image: ImageConfig) -> tf.types.experimental.PolymorphicFunction:
    """Return `load_photos` as a graph, which is how it is served; eagerly each photo would be traced again."""
    signature = [tf.TensorSpec((None,), tf.string)]
    return tf.function(lambda photos: load_photos(photos, image), input_signature=signature, autograph=False)


@pytest.mark.slow
def test_a_bomb_never_reaches_the_decoder(photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
        length = tf.py_function(lambda c: seen.append(len(c.numpy())) or len(c.numpy()), [contents], tf.int32)
        with tf.control_dependencies([length]):
            return decode(tf.identity(contents), config)

    monkeypatch.setattr("handnet.images.decode.decode", look)
    # Not the graph that other tests have traced with the whole decoder.
    monkeypatch.setattr(sys.modules[__name__], "trace_load_photos", trace_load_photos.__wrapped__)
    names = ["png-bomb", "jpeg", "jpeg-bomb", "gif-bomb", "truncated-png", "pgm-bomb"]
    contents = [photos[name].read_bytes() for name in names]
    _, ok = trace_load_photos(ImageConfig(size_px=32))(tf.constant(contents))
    assert ok.numpy().tolist() == [False, True, False, False, False, False]
    assert sorted(seen) == sorted([len(contents[1]), len(contents[4])])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "cut", "zero"])
def test_no_damage_fails_the_batch_or_moves_a_neighbour(damage: str, photos: Mapping[str, Path]) -> None:
    image, rng = ImageConfig(size_px=32), np.random.default_rng(7)
    good = photos["jpeg"].read_bytes()
    sources = [photos[name].read_bytes() for name in ("jpeg", "progressive-jpeg", "png", "animated-gif", "bmp")]
    damaged = []
    for k in range(40):
        data = bytearray(sources[k % len(sources)])
        at = int(rng.integers(2, len(data)))
        if damage == "cut":
            data = data[:at]
        else:
            data[at : at + 20] = bytes(20) if damage == "zero" else rng.integers(0, 256, 20, dtype=np.uint8).tobytes()
        damaged.append(bytes(data))
    batch = [photo for pair in zip([good] * len(damaged), damaged, strict=True) for photo in pair]
    pixels, ok = trace_load_photos(image)(tf.constant(batch))
    assert ok.numpy()[::2].all()
    assert (pixels.numpy()[::2] == load_photo(tf.constant(good), image).numpy()).all()
    assert not pixels.numpy()[1::2][~ok.numpy()[1::2]].any(), "black where it failed"
    for photo, flag, result in zip(damaged, ok.numpy()[1::2], pixels.numpy()[1::2], strict=True):
        if flag:
            assert (load_photo(tf.constant(photo), image).numpy() == result).all()


def test_pixels_give_the_vectors_of_the_photos(exported: Exported, photos: Mapping[str, Path]) -> None:
    embed = tf.saved_model.load(str(exported.export.folder))
    signature = embed.signatures["embed_pixels"]
    whole = np.stack(
        [decode(tf.constant(photos[name].read_bytes()), exported.image).numpy() for name in ("png", "grey-png")]
    )
    expected = embed_here(exported, photos, ["png", "grey-png"])
    np.testing.assert_allclose(signature(images=tf.constant(whole))["embeddings"].numpy(), expected, atol=1e-5)
    square = fit_photo(tf.constant(picture()), exported.image)
    assert (fit_photo(square, exported.image).numpy() == square.numpy()).all(), "a square of that size stays as it is"
    empty = signature(images=tf.zeros((0, 10, 10, 3), tf.uint8))["embeddings"]
    assert empty.shape == (0, 8)


def test_pairs_of_photos_of_two_sizes_are_fitted_in_one_loop(exported: Exported) -> None:
    folder, large = exported.export.folder, picture()[None]
    small = large[:, ::2, ::2]
    run = tf.saved_model.load(str(folder)).signatures
    one, two = (run["embed_pixels"](images=tf.constant(images))["embeddings"].numpy() for images in (large, small))
    found = run["verify_pixels"](first=tf.constant(large), second=tf.constant(small))
    np.testing.assert_allclose(found["similarity"].numpy(), (one * two).sum(axis=1), atol=1e-6)
    # Two loops would hold the crop twice.
    [graph] = (graph.graph_def for graph in SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs)
    [pairs] = (part for part in graph.library.function if part.signature.name.startswith("__inference_verify_pixels"))
    called = [node.attr["f"].func.name for node in pairs.node_def if "f" in node.attr]
    assert len([name for name in called if name.startswith("__inference_fit_")]) == 1, called


def test_batches_of_different_sizes_are_not_compared(exported: Exported, photos: Mapping[str, Path]) -> None:
    loaded = tf.saved_model.load(str(exported.export.folder))
    photo = photos["jpeg"].read_bytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold as many photos"):
        loaded.signatures["verify"](first=tf.constant([photo]), second=tf.constant([photo] * 3))


@pytest.mark.slow
def test_the_warm_up_requests_run(exported: Exported) -> None:
    log_pb2 = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2", reason="tensorflow-serving-api is absent"
    )
    loaded = tf.saved_model.load(str(exported.export.folder))
    seen = []
    for record in tf.data.TFRecordDataset(str(exported.export.folder / WARMUP_FILE)).as_numpy_iterator():
        log = log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "hands"
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        outputs = loaded.signatures[request.model_spec.signature_name](**inputs)
        seen.append((request.model_spec.signature_name, outputs.get("embeddings", outputs.get("similarity")).shape[0]))
        if "ok" in outputs:
            assert outputs["ok"].numpy().all()
    expected = [(name, batch) for name in exported.export.signatures for batch in WARMUP_BATCHES]
    assert sorted(seen) == sorted(expected)


def test_card_and_facts_lie_beside_the_model(exported: Exported) -> None:
    folder = exported.export.folder
    assert (folder / CARD_FILE).read_text() == "# A card\n"
    facts = json.loads((folder / FACTS_FILE).read_text())
    assert facts["image"] == {"size_px": 32, "fit": "letterbox", "crop": "none", "background": 255}
    assert facts["calibration"]["slope"] == CALIBRATION.slope
    assert facts["signatures"] == ["serving_default", "embed", "embed_pixels", "verify", "verify_pixels"]
    assert facts["max_error"] == exported.export.max_error < 1e-5
    assert exported.export.num_checked == len(USABLE)


@pytest.mark.slow
def test_a_model_that_differs_is_refused(
    exported: Exported, photos: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(similarity: tf.Tensor, ok: tf.Tensor, _: object) -> dict[str, tf.Tensor]:
        return {"similarity": similarity, "probability": tf.where(ok, 0.5, 0.0), "decision": ok}

    monkeypatch.setattr(handnet.export.signatures, "decide_pairs", judge)
    folder = tmp_path / "wrong"
    with pytest.raises(RunError, match=r"differs from the encoder by .* Nothing was exported"):
        export_encoder(exported.encoder, exported.image, folder, [str(photos["jpeg"])], calibration=CALIBRATION)
    assert not folder.exists(), "nothing is left of it"


@pytest.mark.slow
def test_what_a_killed_export_left_is_swept_and_a_running_one_is_left_alone(
    exported: Exported, photos: Mapping[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "hands"
    half = folder / ".part-killed/model/variables/variables.data"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    with hold_lock(folder), pytest.raises(DiskError, match="is writing .*hands'. Wait until it ends"):
        export_encoder(exported.encoder, exported.image, folder, [str(photos["jpeg"])])
    assert half.exists()
    result = export_encoder(exported.encoder, exported.image, folder, [str(photos["jpeg"])])
    assert [path.name for path in folder.iterdir()] == ["1"]
    assert result.signatures == ("serving_default", "embed", "embed_pixels"), "without calibration nothing is verified"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_during_an_export_is_one_line(
    exported: Exported, photos: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> list[str]:
        with tf.io.TFRecordWriter("/dev/full") as writer:
            writer.write(b"x" * 1_000_000)
        return []

    monkeypatch.setattr(handnet.export.archive, "write_format", write)
    with pytest.raises(DiskError, match=r"^Cannot write '.*full': No space left on device. Is the disk full\?$"):
        export_encoder(exported.encoder, exported.image, tmp_path / "full", [str(photos["jpeg"])])
    assert not (tmp_path / "full").exists()


def test_wrong_formats_are_refused(exported: Exported, photos: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Unknown format 'onx'. Did you mean 'onnx'\?"):
        export_encoder(exported.encoder, exported.image, tmp_path, [str(photos["jpeg"])], format_name="onx")
    with pytest.raises(RunError, match="no photos to check"):
        export_encoder(exported.encoder, exported.image, tmp_path, [])


@pytest.mark.slow
@pytest.mark.parametrize("crop", ["none", "hand"])
def test_real_photos_become_the_pixels_of_training(crop: str) -> None:
    paths = sorted(str(path) for path in find_real_data("hands11k-mini").rglob("*.jpg"))[::60][:12]
    image = ImageConfig(size_px=96, crop=crop)
    expected = load_cached(prepare_photos(paths, image).files, 96)
    pixels, ok = trace_load_photos(image)(tf.constant([Path(path).read_bytes() for path in paths]))
    assert ok.numpy().all()
    assert (pixels.numpy() == expected).all()


@pytest.mark.slow
def test_real_photos(exported: Exported) -> None:
    paths = sorted(str(path) for path in find_real_data("hands11k-mini").rglob("*.jpg"))[:24]
    embed = tf.saved_model.load(str(exported.export.folder)).signatures["embed"]
    vectors = embed(photos=tf.constant([Path(path).read_bytes() for path in paths]))["embeddings"]
    expected = embed_files(exported.encoder.model, prepare_photos(paths, exported.image).files)
    np.testing.assert_allclose(vectors.numpy(), expected, atol=1e-5)
