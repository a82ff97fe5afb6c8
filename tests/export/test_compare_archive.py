"""An exported model is compared in every signature, with or without TensorFlow's C library."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from handnet.embedding.encode import embed_once
from handnet.export import compare_archive
from handnet.images.photo_store import load_cached, prepare_photos
from handnet.networks.graph_session import GraphError
from tests.exported import CALIBRATION, Exported


@pytest.mark.slow
def test_signatures_are_compared_without_the_c_library_too(
    exported: Exported, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise GraphError("no C library")

    paths = [str(photos[name]) for name in ("jpeg", "grey-jpeg", "png")]
    image, folder = exported.image, exported.export.folder
    squares = load_cached(prepare_photos(paths, image).files, image.size_px)
    expected = compare_archive.Reference(squares, embed_once(exported.encoder.model, squares))
    # Of `verify` alone, which the C library runs.
    wrong = expected._replace(scores=np.zeros(3, np.float32))
    assert compare_archive.compare_archive(folder, paths, lambda: wrong, image, CALIBRATION) > 0.5
    monkeypatch.setattr(compare_archive, "SavedGraph", refuse)
    assert compare_archive.compare_archive(folder, paths, lambda: expected, image, CALIBRATION) < 1e-5
