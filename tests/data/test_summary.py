import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from handnet.config.split import Split
from handnet.data.checks import PhotoProblem
from handnet.data.dataset import DataSet
from handnet.data.example import Example
from handnet.data.splits.by_photo import name_photo
from handnet.data.summary import describe, describe_health, draw_histogram, draw_montage
from handnet.errors import DataError, DiskError
from tests.photos import UNUSABLE, picture, write_bytes, write_exif_jpeg, write_jpeg


def make_example(folder: Path, name: str, identity: str, view: str, side: str, ring: str) -> Example:
    return Example(str(folder / name), identity, view, side, {"ring": ring})


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    labels = [
        ("a", "dorsal", "left", "0"),
        ("a", "dorsal", "right", "1"),
        ("a", "palmar", "left", "0"),
        ("b", "palmar", "", "0"),
    ]
    examples = [make_example(tmp_path, f"{number}.jpg", *label) for number, label in enumerate(labels)]
    for number, example in enumerate(examples):
        write_jpeg(Path(example.path), np.full((30, 40, 3), 60 * number, np.uint8))
    absent = Example(str(tmp_path / "absent.jpg"), "c", "dorsal", "left")
    return DataSet("test", "/data", examples, [*examples, absent], ("1 of 5 rows has no file.",))


def test_the_description_counts_everything(dataset: DataSet) -> None:
    split = Split(("a",), (), ("c",), note="A note.")
    assert describe(dataset, split).splitlines() == [
        "test: /data",
        "table: 5 rows, 3 people",
        "photos: 4 of 2 people, 1 to 3 each, median 2",
        "both views: 1 person; one view only: 1 person",
        "left out: 1 of 5 rows has no file.",
        "",
        "                photos  people",
        "view",
        "  dorsal             2       1",
        "  palmar             2       2",
        "side",
        "  left               2       1",
        "  right              1       1",
        "  unknown            1       1",
        "view and side",
        "  dorsal left        1       1",
        "  dorsal right       1       1",
        "  palmar left        1       1",
        "  unknown            1       1",
        "ring",
        "  0                  3       2",
        "  1                  1       1",
        "",
        "split    people  with photos  both views  photos  dorsal  palmar  rows in table",
        "  train       1            1           1       3       2       1              3",
        "  val         0            0           0       0       0       0              0",
        "  test        1            0           0       0       0       0              1",
        "1 person with photos in no part of the split",
        "A note.",
    ]


def test_what_a_data_set_has_not_is_not_counted() -> None:
    examples = [Example(f"/{n}", f"p{n}") for n in range(2)]
    assert describe(DataSet("test", "/", examples, examples), Split(("p0",), ("p1",), ())).splitlines() == [
        "test: /",
        "photos: 2 of 2 people, 1 to 1 each, median 1",
        "",
        "split    people  with photos  photos",
        "  train       1            1       1",
        "  val         1            1       1",
        "  test        0            0       0",
    ]


def test_many_values_are_summed_up_and_nothing_drives_the_terminal() -> None:
    examples = [Example(f"/{n}", f"p{n}", "", "", {"\x1b[31mage": f"{n}\x1b[2J", "long": "x" * 99}) for n in range(10)]
    text = describe(DataSet("test", "/da\nta", examples, examples))
    assert all(line.isprintable() for line in text.splitlines())
    assert "  2 other values" in text
    assert "x" * 23 + "…" in text
    assert "both views" not in text
    assert describe(DataSet("test", "/", examples[:1], examples[:1])).count("needs at least 2 people") == 1


def test_health_names_what_is_unusable_and_counts_remarks(dataset: DataSet) -> None:
    problems = [
        PhotoProblem("/x\n.jpg", "empty file"),
        PhotoProblem("/y.jpg", "CMYK: colours", usable=True),
        PhotoProblem("/z.jpg", "CMYK: colours", usable=True),
    ]
    paths = [example.path for example in dataset.examples]
    groups = [("/y.jpg", "/z.jpg"), (paths[2], paths[3])]
    assert describe_health(problems, groups, dataset.examples).splitlines() == [
        "unusable photos: 1",
        r"  /x\n.jpg: empty file",
        "2 usable: CMYK: colours",
        "groups of photos of identical content: 2, 1 of them under different labels",
        f"  different labels: {paths[2]}, {paths[3]}",
        "  /y.jpg, /z.jpg",
    ]
    many = describe_health([PhotoProblem(f"/{n}", "empty file") for n in range(1_500)], [])
    assert "unusable photos: 1,500" in many
    assert "  … and 1,480 more" in many
    assert many.count("empty file") == 20


def test_the_montage_shows_photos_upright_where_they_belong(tmp_path: Path) -> None:
    examples = [
        make_example(tmp_path, "dorsal.jpg", "a", "dorsal", "", "0"),
        make_example(tmp_path, "palmar.jpg", "a", "palmar", "", "0"),
        make_example(tmp_path, "broken.jpg", "b", "dorsal", "", "0"),
        make_example(tmp_path, "bomb.jpg", "b", "palmar", "", "0"),
    ]
    write_exif_jpeg(tmp_path / "dorsal.jpg", 6)
    write_jpeg(tmp_path / "palmar.jpg", np.full((30, 40, 3), (250, 200, 10), np.uint8))
    write_bytes(tmp_path / "broken.jpg", b"no photo")
    UNUSABLE["jpeg-bomb"](tmp_path / "bomb.jpg")
    draw_montage(DataSet("test", "/", examples, examples), tmp_path / "new folder" / "montage.png")
    sheet = np.asarray(Image.open(tmp_path / "new folder" / "montage.png")).astype(int)
    # A column for each view, since nobody has more photos; 6 between and below the tiles, 12 more between the views.
    assert sheet.shape == (24 + 2 * 126 + 6, 90 + 2 * 166 + 12 + 6, 3)
    # The first tile, 160 × 120 at (90, 24), is filled by the photo of 64 × 48 within its frame.
    expected = np.asarray(Image.fromarray(picture()).resize((160, 120), Image.Resampling.LANCZOS))
    assert np.abs(sheet[24:144, 90:250] - expected)[1:-1, 1:-1].mean() < 2
    palmar_left = 90 + 166 + 12
    for left in (90, palmar_left):
        frame = np.concatenate([sheet[24, left : left + 160], sheet[143, left : left + 160]])
        assert (frame == 0xAA).all(), "white photos on white have an edge"
    assert np.abs(sheet[24 + 60, palmar_left + 80] - (250, 200, 10)).max() < 4
    # A photo that cannot be read is a grey tile with a red line through it.
    for left in (90, palmar_left):
        assert tuple(sheet[24 + 126 + 100, left + 20]) == (221, 221, 221)
        assert tuple(sheet[24 + 126 + 30, left + 40]) == (176, 0, 0)


def test_the_axis_of_photos_per_person_begins_at_none(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[float, float]] = []
    draw = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (limits.append(self.axes[0].get_xlim()), draw(self, *a, **k))
    )
    draw_histogram(dataset, tmp_path / "histogram.png")
    assert limits[0][0] == -0.5, "the edge of the bar of those without a photo"


def test_the_histogram_is_drawn(dataset: DataSet, tmp_path: Path) -> None:
    draw_histogram(dataset, tmp_path / "histogram.png")
    with Image.open(tmp_path / "histogram.png") as image:
        assert image.width == 880
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 3


@pytest.mark.parametrize("num_classes", [3, 101])
def test_a_few_classes_have_a_bar_each(num_classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[list[str]] = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_xticks", lambda _self, _x, labels, **_options: named.append(labels))
    classes = [f"n{i}" for i in range(num_classes)]
    examples = [Example("/x", "n0", attributes={"words": "cat, true cat"}), *(Example("/y", c) for c in classes[1:])]
    draw_histogram(DataSet("test", "/", examples, examples), tmp_path / "histogram.png")
    assert named == ([["cat", "n1", "n2"]] if num_classes == 3 else [])
    with Image.open(tmp_path / "histogram.png") as image:
        assert (image.height > 600) == (num_classes == 3)


def test_pictures_that_cannot_be_drawn_or_written(dataset: DataSet, tmp_path: Path) -> None:
    empty = DataSet("test", "/data", [], dataset.rows)
    (tmp_path / "file").write_text("")
    for draw in (draw_histogram, draw_montage):
        with pytest.raises(DataError, match="There is no photo to draw in /data"):
            draw(empty, tmp_path / "a.png")
        with pytest.raises(DiskError, match="Cannot write"):
            draw(dataset, tmp_path / "file" / "a.png")
    assert not any(name.endswith(".png") for name in os.listdir(tmp_path))
    assert describe(empty).startswith("test: /data\ntable: 5 rows, 3 people\nphotos: 0 of 0 people, 0 to 0 each")


def test_a_split_by_photos_counts_photos(dataset: DataSet) -> None:
    names = tuple(name_photo(dataset, example.path) for example in dataset.examples)
    text = describe(dataset, Split(names[:2], (), names[2:], by="photo"))
    header, train, val, test = text.splitlines()[-4:]
    assert header.split()[:2] == ["split", "people"]
    assert "with photos" not in header
    assert val.split()[1] == "0"
    assert "0" not in (train.split()[1], test.split()[1])
    assert "in no part of the split" not in text


@pytest.mark.filterwarnings("error")
def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    names = ("a$b$c", r"$\frac$", "漢字", "x_y")
    examples = [Example(str(write_jpeg(tmp_path / f"{k}.jpg")), name) for k, name in enumerate(names)]
    dataset = DataSet("folder", str(tmp_path), examples, examples)
    draw_histogram(dataset, tmp_path / "bars.png")
    assert (tmp_path / "bars.png").stat().st_size > 1000
