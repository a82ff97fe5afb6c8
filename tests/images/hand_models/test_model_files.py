"""The two files of the hand models: kept whole and known by their digests."""

from pathlib import Path

import pytest

from handnet.errors import WeightsError
from handnet.images.hand_models.model_files import (
    FILES,
    find_models_folder,
    has_hand_models,
    read_model_file,
    write_model_files,
)


def test_the_folder_is_that_of_the_variable_or_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", str(tmp_path))
    monkeypatch.delenv("HANDNET_HAND_MODELS", raising=False)
    assert find_models_folder() == tmp_path / "hand-models"
    assert not has_hand_models()
    monkeypatch.setenv("HANDNET_HAND_MODELS", str(tmp_path / "mine"))
    assert find_models_folder() == tmp_path / "mine"


def test_files_that_are_missing_or_others_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with pytest.raises(WeightsError, match="is missing. Run: handnet weights fetch mediapipe-hands"):
        read_model_file(FILES[0], folder)
    with pytest.raises(WeightsError, match="does not hold palm_detection_full.tflite"):
        write_model_files({}, folder, "a.whl")
    contents = {file.name: bytes(file.num_bytes) for file in FILES}
    with pytest.raises(WeightsError, match="a.whl: palm_detection_full.tflite' is not the palm_detection_full.tflite"):
        write_model_files(contents, folder, "a.whl")
    assert not folder.exists()
    folder.mkdir()
    (folder / FILES[0].name).write_bytes(bytes(FILES[0].num_bytes))
    with pytest.raises(WeightsError, match="is not the palm_detection_full.tflite that handnet knows"):
        read_model_file(FILES[0], folder)
