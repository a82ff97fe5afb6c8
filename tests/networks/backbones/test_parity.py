"""The ports against their reference implementations: goldens made by tests/goldens/make_backbones.py."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from handnet.networks.backbones.build import build_backbone
from tests.goldens.drawn import draw_images, draw_state, load_photos
from tests.networks.backbones.sources import write_source
from tests.photos import find_real_data

GOLDENS = Path(__file__).parents[2] / "goldens"


def list_cases(file: str) -> list:
    with np.load(GOLDENS / file) as goldens:
        abouts = {name: json.loads(str(goldens[name])) for name in goldens.files if name.endswith("/about")}
    return [
        pytest.param(name.removesuffix("/about"), about, side_px, id=f"{name.removesuffix('/about')}-{side_px}")
        for name, about in abouts.items()
        for side_px in about["sizes"]
    ]


def load_golden(file: str, name: str) -> np.ndarray:
    with np.load(GOLDENS / file) as goldens:
        return goldens[name]


def compute_error(
    file: str, case: str, about: dict, side_px: int, images: np.ndarray, kind: str, folder: Path
) -> float:
    path = write_source(folder, about["source"], draw_state(about["shapes"]))
    model = build_backbone(about["arch"], image_size_px=side_px, weights=os.fspath(path), position_rule=about["rule"])
    features = np.concatenate([keras.ops.convert_to_numpy(model(images[i : i + 1])) for i in range(len(images))])
    expected = load_golden(file, f"{case}/{side_px}/{kind}")
    assert np.abs(expected[0] - expected[1]).max() > 1e-3, "the reference must tell the images apart"
    return float(np.abs(features - expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(("case", "about", "side_px"), list_cases("backbones.npz"))
def test_features_equal_the_reference_on_drawn_images(case, about, side_px, tmp_path):
    error = compute_error("backbones.npz", case, about, side_px, draw_images(side_px), "drawn", tmp_path)
    assert error < 1e-5


@pytest.mark.parametrize(
    ("case", "about", "side_px"), [c for c in list_cases("backbones.npz") if c.values[2] > 64][::2]
)
def test_features_equal_the_reference_on_photos(case, about, side_px, tmp_path):
    folder = find_real_data("hands11k-mini").parent
    error = compute_error("backbones.npz", case, about, side_px, load_photos(folder, side_px), "photos", tmp_path)
    assert error < 1e-5


def test_the_position_rule_matters(tmp_path):
    case = "dino-tiny/meta"
    about = next(c.values[1] for c in list_cases("backbones.npz") if c.values[0] == case)
    errors = [
        compute_error("backbones.npz", case, {**about, "rule": rule}, 42, draw_images(42), "drawn", tmp_path)
        for rule in ("meta", "huggingface", "keras")
    ]
    assert errors[0] < 1e-5 < 1e-3 < min(errors[1:])
