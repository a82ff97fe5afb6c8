import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handnet.errors import EvaluationError
from handnet.evaluation.report.maps import MAPS, compute_tsne, draw_maps
from handnet.evaluation.report.projector import (
    MAX_PHOTOS,
    MAX_SPRITE_PX,
    choose_thumbnail_px,
    format_labels,
    rank_rows,
    write_projector,
)
from handnet.metrics.embedded import EmbeddedPart, make_part


def build_part(num_people: int = 3) -> EmbeddedPart:
    """Each person's back and palm are 10 degrees apart and people 90; the last two people have each other's palms."""
    angles, people, views = [], [], []
    for person in range(num_people):
        for view in ("dorsal", "palmar"):
            swapped = {num_people - 2: num_people - 1, num_people - 1: num_people - 2}.get(person, person)
            angles.append(90.0 * person if view == "dorsal" else 90.0 * swapped + 10)
            people.append(f"{person:07d}")
            views.append(view)
    radians = np.radians(angles)
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    attributes = [{"gender": "female", "note": "tab\there\nand a new line"}, *({} for _ in people[1:])]
    paths = [f"/data/Hands/Hand_{k}.jpg" for k in range(len(people))]
    return make_part(vectors, people, views, ["left"] * len(people), attributes, paths)


def read_table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_rank_of_each_photos_own_person_among_the_other_view() -> None:
    # Backs at 0, 90, 180 degrees; palms at 10, 190 (of the second person) and 100 (of the third).
    # Back 2 at 90: palms at distances 80, 100 (own), 10: rank 3. Back 3 at 180: 170, 10, 80 (own): rank 2.
    # Palm 2 at 190: backs at distances 170, 100 (own), 10: rank 2. Palm 3 at 100: 100, 10, 80 (own): rank 2.
    assert rank_rows(build_part()).tolist() == [1, 1, 3, 2, 2, 2]


def test_a_photo_with_nothing_to_find_has_no_rank() -> None:
    part = build_part().select(np.array([0, 1, 2]))
    assert rank_rows(part).tolist() == [0, 0, 0]
    assert {row["error"] for row in read_table(format_labels(part, ["test"] * 3))} == {""}


def test_the_labels_are_one_row_for_each_photo_and_safe() -> None:
    text = format_labels(build_part(), ["val", "val", *["test"] * 4])
    rows = read_table(text)
    assert text.count("\n") == 7
    assert rows[0] == {
        "person": "0000000",
        "view": "dorsal",
        "side": "left",
        "split": "val",
        "error": "found",
        "rank": "1",
        "file": "Hand_0.jpg",
        "gender": "female",
        "note": "tab here and a new line",
    }
    assert [row["error"] for row in rows] == ["found", "found", *["missed"] * 4]
    with pytest.raises(EvaluationError, match=r"Expected 6 names of parts. Received: 1"):
        format_labels(build_part(), ["val"])


def test_the_files_say_the_same_and_the_sprite_shows_the_photos_in_order(tmp_path: Path) -> None:
    part = build_part()
    pictures = [np.full((20, 30, 3), 40 * k, np.uint8) for k in range(6)]
    write_projector(tmp_path, part, ["test"] * 6, iter(pictures))
    vectors = np.loadtxt(tmp_path / "vectors.tsv", dtype=np.float32, delimiter="\t")
    np.testing.assert_allclose(vectors, part.embeddings, atol=1e-7)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert "tensor_shape: 6\n  tensor_shape: 2\n" in config
    assert config.count("single_image_dim: 64") == 2
    sprite = np.asarray(Image.open(tmp_path / "thumbnails.png"))
    assert sprite.shape == (192, 192, 3), "a square of 3 × 3 thumbnails"
    centres = sprite[32::64, 32::64, 0].ravel().tolist()
    assert centres == [0, 40, 80, 120, 160, 200, 255, 255, 255]
    assert not list(tmp_path.glob(".part-*"))


def test_tensorboard_itself_reads_the_files(tmp_path: Path) -> None:
    plugin = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    messages = pytest.importorskip("tensorboard.plugins.projector.projector_config_pb2")
    from google.protobuf import text_format

    part = build_part()
    write_projector(tmp_path, part, ["test"] * 6, [np.zeros((8, 8, 3), np.uint8)] * 6)
    text = (tmp_path / "projector_config.pbtxt").read_text()
    (embedding,) = text_format.Parse(text, messages.ProjectorConfig()).embeddings
    tensor = plugin._read_tensor_tsv_file(str(tmp_path / embedding.tensor_path))
    assert list(tensor.shape) == list(embedding.tensor_shape) == [6, 2]
    assert (tmp_path / embedding.metadata_path).is_file()
    assert (tmp_path / embedding.sprite.image_path).is_file()
    states = json.loads((tmp_path / embedding.bookmarks_path).read_text())
    columns = (tmp_path / embedding.metadata_path).read_text().split("\n")[0].split("\t")
    assert [state["selectedColorOptionName"] for state in states] == ["person", "view", "error"]
    for state in states:
        # What the page reads of a bookmark; it fails on one that lacks any of it.
        assert state["dataSetDimensions"] == [6, 2]
        assert {state["selectedColorOptionName"], state["selectedLabelOption"]} <= set(columns)
        assert len(state["cameraDef"]["position"]) == len(state["cameraDef"]["target"]) == 3
        assert {"umapMinDist", "customXLeftText", "pcaComponentDimensions", "forceCategoricalColoring"} <= state.keys()


def test_a_sprite_never_exceeds_what_a_browser_can_hold() -> None:
    assert choose_thumbnail_px(1) == 64
    assert choose_thumbnail_px(128 * 128) == 64
    assert choose_thumbnail_px(128 * 128 + 1) == 63
    for count in (1, 1000, 20_000, 100_000, MAX_PHOTOS):
        assert int(np.ceil(np.sqrt(count))) * choose_thumbnail_px(count) <= MAX_SPRITE_PX
    assert choose_thumbnail_px(MAX_PHOTOS) == 16


def test_pictures_and_photos_must_be_as_many(tmp_path: Path) -> None:
    part = build_part()
    for count in (0, 5, 7):
        with pytest.raises(EvaluationError, match=rf"a picture for each of 6 photos. Received: {count}"):
            write_projector(tmp_path, part, ["test"] * 6, [np.zeros((8, 8, 3), np.uint8)] * count)
    with pytest.raises(EvaluationError, match=r"shows 1 to 262,144 photos. Received: 0"):
        write_projector(tmp_path, part.select(np.zeros(6, bool)), [], [])
    assert not (tmp_path / "projector_config.pbtxt").exists()


def test_maps_keep_neighbours_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(4, 16)[np.repeat(np.arange(4), 10)]
    vectors = centres + rng.normal(0, 0.05, centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = compute_tsne(vectors.astype(np.float32), seed=1)
    assert points.shape == (40, 2)
    groups = points.reshape(4, 10, 2)
    within = np.abs(groups - groups.mean(axis=1, keepdims=True)).max()
    between = np.linalg.norm(groups.mean(axis=1)[:, None] - groups.mean(axis=1)[None], axis=2)
    assert between[~np.eye(4, dtype=bool)].min() > 2 * within
    again = compute_tsne(vectors.astype(np.float32), seed=1)
    assert (points == again).all()


def test_map_pictures_are_drawn_and_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise ImportError("No module named 'umap'")

    monkeypatch.setitem(MAPS, "UMAP", refuse)
    lines: list[str] = []
    part = build_part(8)
    files = draw_maps(tmp_path, part, ["test"] * 16, seed=0, echo=lines.append)
    assert [file.name for file in files] == ["tsne.png"]
    assert Image.open(files[0]).size == (1430, 704)
    assert lines == ["no UMAP map: No module named 'umap'. Install it: pip install 'handnet[maps]'"]
    assert draw_maps(tmp_path, part.select(np.arange(9)), ["test"] * 9, echo=lines.append) == []
