"""The picture of what the augmentation does."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from handnet.config.augmentation import AugmentConfig
from handnet.errors import DataError, DiskError
from handnet.images.augment_preview import draw_augmentations
from tests.photos import picture

KINDS = [f.name.removesuffix("_probability") for f in dataclasses.fields(AugmentConfig) if "probability" in f.name]


def square_picture() -> npt.NDArray[np.uint8]:
    return picture()[:, :48]


@pytest.mark.slow
def test_the_preview_shows_every_kind_at_every_strength(tmp_path: Path) -> None:
    photos = np.stack([square_picture(), square_picture()[::-1]])
    path = tmp_path / "new" / "preview.png"
    config = AugmentConfig(blur_sigma_fraction=0.05)
    draw_augmentations(photos, config, path, background=0.0)
    sheet = np.asarray(Image.open(path)).astype(float)
    assert sheet.shape == (2 * 22 + (len(KINDS) + 3) * 128, 150 + 8 * 128 + 12, 3)

    def tile(row: int, column: int) -> npt.NDArray[np.float64]:
        left = 150 + column * 128 + (12 if column >= 4 else 0)
        return sheet[22 + row * 128 : 22 + (row + 1) * 128, left : left + 128]

    for row, kind in enumerate(KINDS):
        for first in (0, 4):
            changes = [np.abs(tile(row, first + n) - tile(row, first)).mean() for n in (1, 2, 3)]
            assert changes[2] > 0.05, kind
            assert changes == sorted(changes), kind
    draw_augmentations(photos, config, tmp_path / "again.png", background=0.0)
    assert (tmp_path / "again.png").read_bytes() == path.read_bytes()


def test_a_preview_that_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no photo"):
        draw_augmentations(np.zeros((0, 8, 8, 3), np.uint8), AugmentConfig(), tmp_path / "a.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="Cannot write"):
        draw_augmentations(square_picture()[None], AugmentConfig(), tmp_path / "file" / "a.png")


def test_what_is_erased_is_seen_on_white_too(tmp_path: Path) -> None:
    draw_augmentations(np.full((2, 48, 48, 3), 255, np.uint8), AugmentConfig(), tmp_path / "a.png")
    sheet = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    row = 22 + KINDS.index("erasing") * 128
    outlined = [
        int((np.abs(sheet[row : row + 128, 150 + n * 128 : 278 + n * 128] - (213, 94, 0)).max(axis=-1) < 60).sum())
        for n in range(4)
    ]
    assert outlined[0] == 0
    assert 0 < outlined[1] < outlined[2] < outlined[3]
