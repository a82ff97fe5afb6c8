"""The hand models from a wheel, a folder and a package index, and every way in which that fails."""

import hashlib
import zipfile

import pytest
from click.testing import CliRunner

from handnet.cli.weights import weights
from handnet.errors import WeightsError
from handnet.images.hand_models import model_files
from handnet.images.hand_models import wheel as wheels
from handnet.images.hand_models.model_files import ModelFile, find_models_folder, has_hand_models, read_model_file
from handnet.images.hand_models.models import load_hand_models
from handnet.images.hand_models.wheel import convert_hand_models, fetch_hand_models

CONTENTS = {"palm.tflite": b"one" * 50, "hand.tflite": b"other" * 50}


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """Two small files instead of the real ones."""
    small = tuple(
        ModelFile(name, f"mediapipe/{name}", len(contents), hashlib.sha256(contents).hexdigest())
        for name, contents in CONTENTS.items()
    )
    monkeypatch.setattr(model_files, "FILES", small)
    monkeypatch.setattr(wheels, "FILES", small)
    return small


def write_wheel(path, contents=CONTENTS):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(f"mediapipe/{name}", data)
    return path


def test_a_wheel_is_unpacked_to_the_cache_and_checked(tmp_path, small_files):
    assert not has_hand_models()
    folder = convert_hand_models(write_wheel(tmp_path / "m.whl"))
    assert folder == find_models_folder()
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONTENTS)
    assert has_hand_models()
    assert read_model_file(small_files[0], folder) == CONTENTS["palm.tflite"]


def test_a_folder_or_one_of_its_files_does_as_well(tmp_path):
    for name, data in CONTENTS.items():
        (tmp_path / name).write_bytes(data)
    for source in (tmp_path, tmp_path / "hand.tflite"):
        folder = convert_hand_models(source, tmp_path / f"new{len(source.name)}")
        assert has_hand_models(folder)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "holds no hand models"),
        ({"palm.tflite": CONTENTS["palm.tflite"]}, "holds no hand models"),
        ({**CONTENTS, "hand.tflite": b"x" * 250}, r"is not the hand\.tflite that handnet knows"),
        ({**CONTENTS, "hand.tflite": b"0" * 2**22}, r"is not the hand\.tflite that handnet knows: 251 bytes"),
    ],
)
def test_a_wheel_with_other_files_is_refused_and_nothing_written(contents, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        convert_hand_models(write_wheel(tmp_path / "m.whl", contents), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_no_wheel_and_what_is_missing_are_one_line(tmp_path):
    (tmp_path / "m.whl").write_bytes(b"PK no")
    with pytest.raises(WeightsError, match="is not a wheel that can be read"):
        convert_hand_models(tmp_path / "m.whl")
    with pytest.raises(WeightsError, match="No such file"):
        convert_hand_models(tmp_path / "none.whl")
    with pytest.raises(WeightsError, match=r"does not hold palm\.tflite"):
        convert_hand_models(tmp_path)


def test_a_file_that_was_changed_after_it_was_stored_is_refused(tmp_path, small_files):
    folder = convert_hand_models(write_wheel(tmp_path / "m.whl"))
    (folder / "palm.tflite").write_bytes(b"two" * 50)
    with pytest.raises(WeightsError, match="Run: handnet weights fetch mediapipe-hands"):
        read_model_file(small_files[0], folder)


def test_without_the_files_the_command_is_named():
    with pytest.raises(WeightsError, match=r"is missing\. Run: handnet weights fetch mediapipe-hands$"):
        load_hand_models()


def test_they_come_from_the_index_that_pip_is_set_to(tmp_path, monkeypatch):
    # A folder of wheels is an index too.
    monkeypatch.setattr(wheels, "REQUIREMENT", "handmodels==1.0")
    wheel = tmp_path / "handmodels-1.0-py3-none-any.whl"
    write_wheel(wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("handmodels-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: handmodels\nVersion: 1.0\n")
        archive.writestr("handmodels-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    folder = fetch_hand_models(tmp_path / "new", ("--no-index", "--find-links", str(tmp_path)))
    assert has_hand_models(folder)


def test_offline_there_is_one_line_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "REQUIREMENT", "handmodels==1.0")
    with pytest.raises(WeightsError) as caught:
        fetch_hand_models(tmp_path / "new", ("--no-index", "--find-links", str(tmp_path)))
    message = str(caught.value)
    assert "\n" not in message
    assert "handnet weights convert FILE.whl --arch mediapipe-hands" in message
    assert not (tmp_path / "new").exists()


def test_the_command_takes_a_wheel_to_the_cache(tmp_path):
    wheel = write_wheel(tmp_path / "m.whl")
    result = CliRunner().invoke(weights, ["convert", str(wheel), "--arch", "mediapipe-hands"])
    assert (result.exit_code, result.output) == (0, f"wrote {find_models_folder()}\n")


@pytest.mark.parametrize("arguments", [["fetch", "resnet50"], ["convert", "x.pth", "--arch", "resnet50"]])
def test_other_weights_still_need_a_folder(arguments):
    result = CliRunner().invoke(weights, arguments)
    assert result.exit_code == 2
    assert "Missing argument" in result.output
