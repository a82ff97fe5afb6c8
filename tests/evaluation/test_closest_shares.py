"""Shares of people who look similar are computed once for the same photos, labels and pairs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.data.dataset import DataSet
from handnet.evaluation import closest_shares, template_shares
from handnet.evaluation.closest_shares import explain_closest_people
from handnet.evaluation.run_part import RunPart
from handnet.metrics.closest_people import find_closest_people
from handnet.metrics.embedded import make_part
from tests.photos import write_jpeg
from tests.tiny import tiny_config


def test_shares_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / WEIGHTS_FILE).write_bytes(str(tmp_path).encode())
    loaded: list[str] = []
    computed: list[list[tuple[str, str]]] = []

    def load() -> Any:
        loaded.append("encoder")

    def compute(encoder: Any, config: Any, part: Any, pairs: Any, progress: Any) -> Any:
        computed.append(list(pairs))
        return {pair: {"texture": 0.1 + number / 3, "outline": -1e-17} for number, pair in enumerate(pairs)}

    monkeypatch.setattr(template_shares, "compute_shares", compute)
    of = RunPart(Run(tmp_path, tiny_config(), {}), load, DataSet("folder", str(tmp_path), [], []), "val")
    paths = [str(write_jpeg(tmp_path / f"{k}.jpg", np.full((40, 40, 3), 40 * k, np.uint8))) for k in range(6)]
    people, views = np.repeat(["a", "b", "c"], 2).tolist(), ["dorsal", "palmar"] * 3
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    part = replace(make_part(vectors.astype(np.float32), people, views), paths=tuple(paths))
    found = find_closest_people(part, 3)
    first = explain_closest_people(of, part, found)
    assert first
    assert explain_closest_people(of, part, found) == first
    assert (len(loaded), len(computed)) == (1, 1)
    assert explain_closest_people(of, part, []) == {}
    explain_closest_people(of, part, found[:2])
    write_jpeg(Path(paths[0]), np.full((40, 40, 3), 255, np.uint8))
    explain_closest_people(of, part, found)
    assert len(computed) == 3, "other pairs, and another photo"
    for file in (closest_shares.find_model_file({}, "").parent).glob("*.shares"):
        file.write_bytes(b"")
    assert explain_closest_people(of, part, found) == first
    assert len(computed) == 4, "not written whole"
