"""What figures are computed from is computed once, and the encoder is loaded only where something is missing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.data.example import Example
from handnet.embedding import run_vectors
from handnet.embedding.run_vectors import PhotoVectors, compute_run_vectors, embed_run_part
from tests.photos import write_jpeg
from tests.tiny import tiny_config


class Loaded:
    """Stands for the encoder of a run, and counts what is asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[list[str]] = []
        monkeypatch.setattr(run_vectors, "_compute", self.compute)

    def load(self) -> Any:
        return self

    def compute(self, run: Run, encoder: Any, paths: Sequence[str], progress: object) -> PhotoVectors:
        assert encoder is self
        self.asked.append([Path(path).stem for path in paths])
        # Another time the last bit is another one, as with another number of rows.
        angles = np.array([float(Path(path).stem) + 0.001 * len(self.asked) for path in paths])
        vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        return PhotoVectors(np.repeat(vectors, 2, axis=1), vectors)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    return Loaded(monkeypatch)


@pytest.mark.parametrize("features", ["embedding", "backbone"])
def test_vectors_are_computed_once_and_stay_as_they_were(features: str, tmp_path: Path, loaded: Loaded) -> None:
    config = tiny_config()
    (tmp_path / WEIGHTS_FILE).write_bytes(str(tmp_path).encode())
    run = Run(tmp_path, replace(config, pairs=replace(config.pairs, features=features)), {})
    paths = [str(write_jpeg(tmp_path / f"{k}.jpg", np.full((40, 40, 3), 50 * k, np.uint8))) for k in range(4)]
    first = compute_run_vectors(run, loaded.load, paths[:3])
    again = compute_run_vectors(run, loaded.load, paths[:3])
    assert loaded.asked == [["0", "1", "2"]]
    for received, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(received, expected)
    assert first.features.shape == ((3, 4) if features == "backbone" else (3, 2))
    part = embed_run_part(run, loaded.load, [Example(path, "a") for path in paths[::-1]], name="val")
    assert loaded.asked[1:] == [["3", "2", "1", "0"]]
    np.testing.assert_array_equal(part.embeddings[:0:-1], first.embeddings)
    write_jpeg(Path(paths[1]), np.full((40, 40, 3), 77, np.uint8))
    compute_run_vectors(run, loaded.load, paths)
    assert len(loaded.asked) == 3, "a photo has changed"
    (tmp_path / WEIGHTS_FILE).write_bytes(b"other weights" + str(tmp_path).encode())
    compute_run_vectors(run, loaded.load, paths)
    assert len(loaded.asked) == 4


def test_it_can_be_switched_off(tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / WEIGHTS_FILE).write_bytes(str(tmp_path).encode())
    run, paths = Run(tmp_path, tiny_config(), {}), [str(write_jpeg(tmp_path / "1.jpg"))]
    monkeypatch.setenv("HANDNET_QUICK", "0")
    for _ in range(2):
        compute_run_vectors(run, loaded.load, paths)
    assert len(loaded.asked) == 2
