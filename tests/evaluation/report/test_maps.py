"""Maps of the embeddings as pictures."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from matplotlib.figure import Figure
from PIL import Image
from sklearn.manifold import TSNE

from handnet.evaluation.report import maps
from tests.metrics.test_protocols import draw_hands


def test_a_map_is_drawn_for_each_method_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(embeddings: object, seed: int) -> object:
        raise ImportError("No module named 'umap'")

    monkeypatch.setitem(maps.MAPS, "t-SNE", lambda embeddings, seed: np.asarray(embeddings[:, :2], float))
    monkeypatch.setitem(maps.MAPS, "UMAP", refuse)
    part = draw_hands(num_people=4)
    said: list[str] = []
    files = maps.draw_maps(tmp_path, part, ["test"] * len(part.embeddings), echo=said.append)
    assert files == [tmp_path / "tsne.png"]
    assert Image.open(files[0]).size == (1430, 704)
    assert said == ["no UMAP map: No module named 'umap'. Install it: pip install 'handnet[maps]'"]


def test_a_few_photos_have_no_map_and_neighbours_stay_together(tmp_path: Path) -> None:
    said: list[str] = []
    few = draw_hands(num_people=2)
    few = few.select(np.arange(len(few.embeddings)) < 4)
    assert maps.draw_maps(tmp_path, few, ["val"] * 4, echo=said.append) == []
    assert said == ["no maps: they need at least ten photos"]
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(2, 8), 8, axis=0)
    points = maps.compute_tsne((centres + 0.05 * rng.normal(size=(16, 8))).astype(np.float32), seed=0)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
    nearest = np.argsort(gaps, axis=1)[:, 1]
    assert ((nearest < 8) == (np.arange(16) < 8)).all()


@pytest.mark.parametrize(("num_photos", "alone"), [(40, True), (maps._MANY_PHOTOS, False)])
def test_threads_do_not_wait_for_each_other_over_few_photos(
    num_photos: int, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[object] = []

    @contextlib.contextmanager
    def limit(count: object) -> Iterator[None]:
        limits.append(count)
        yield

    monkeypatch.setattr(threadpoolctl, "threadpool_limits", limit)
    monkeypatch.setattr(TSNE, "fit_transform", lambda self, embeddings: embeddings[:, :2])
    maps.compute_tsne(np.zeros((num_photos, 3), np.float32), seed=0)
    assert limits == [1 if alone else None]


def test_a_person_is_named_in_full_next_to_a_photo_of_theirs() -> None:
    figure = Figure()
    axes = figure.subplots()
    points = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0]])
    maps.name_person(axes, "0000045", points, "red")
    (label,) = axes.texts
    assert label.get_text() == "0000045"
    assert tuple(label.xy) == (0.1, 0.0), "that nearest to their median, and not between the photos"
