"""Versions of exported models appear whole or not at all. What the models compute is tested under tests/serving."""

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import handnet.export.archive
from handnet.config.image import ImageConfig
from handnet.errors import DiskError, RunError
from handnet.export.archive import export_encoder, find_next_version
from handnet.export.exported_model import FACTS_FILE
from handnet.networks.formats import FORMATS

ENCODER: Any = SimpleNamespace(model=SimpleNamespace(output_shape=(None, 8), weights=[]))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a file stands for writing the model, and no photo is compared."""

    def write(*arguments: Any) -> dict[str, Any]:
        (*_, folder, _head) = arguments
        (folder / "saved_model.pb").write_bytes(b"model")
        return {}

    monkeypatch.setattr(handnet.export.archive, "write_format", write)
    monkeypatch.setattr(handnet.export.archive, "_check", lambda *_: 0.0)


def export(folder: Path, **options: Any) -> Path:
    return export_encoder(ENCODER, ImageConfig(), folder, ["photo.jpg"], **options).folder


def test_versions_count_up_from_the_highest(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "hands"
    assert find_next_version(folder) == 1
    assert [export(folder).name for _ in range(2)] == ["1", "2"]
    for name in ("7", "notes", "8.old", ".9"):
        (folder / name).mkdir()
    (folder / "0011").mkdir()
    assert find_next_version(folder) == 12, "TensorFlow Serving reads 0011 as 11"
    assert export(folder).name == "12"
    assert (folder / "1/saved_model.pb").read_bytes() == b"model"


def test_a_version_is_readable_by_a_server_of_another_user(tmp_path: Path) -> None:
    version = export(tmp_path / "hands")
    for path in (version.parent, version, version / "saved_model.pb", version / FACTS_FILE):
        assert stat.S_IMODE(path.stat().st_mode) & 0o044 == 0o044, f"{path.name} is readable"


@pytest.mark.parametrize(
    ("step", "error", "expected", "message"),
    [
        (
            "write_format",
            OSError(28, "No space left on device"),
            DiskError,
            "No space left on device. Is the disk full?",
        ),
        ("_check", RunError("The exported model differs"), RunError, "The exported model differs"),
        ("_describe", OSError(28, "No space left on device"), DiskError, "No space left on device. Is the disk full?"),
        ("_check", KeyboardInterrupt(), KeyboardInterrupt, "^$"),
    ],
)
def test_whatever_fails_leaves_nothing_behind(
    step: str,
    error: BaseException,
    expected: type[BaseException],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "hands"
    export(folder)

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(handnet.export.archive, step, fail)
    with pytest.raises(expected, match=message.replace("?", r"\?")):
        export(folder)
    assert [path.name for path in folder.iterdir()] == ["1"]
    with pytest.raises(expected):
        export(tmp_path / "models" / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["hands"], "no empty folder either"


def test_each_step_is_told_as_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any) -> dict[str, Any]:
        told.append("it writes")
        return {}

    told: list[str] = []
    monkeypatch.setattr(handnet.export.archive, "write_format", write)
    export(tmp_path / "hands", echo=told.append)
    assert told == [
        "writing the model as savedmodel",
        "it writes",
        "comparing it with the run on 1 photo; it appears when they agree",
    ]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    for target in (tmp_path / "file", tmp_path / "file" / "hands", Path("/proc/hands")):
        with pytest.raises(DiskError, match=r"^Cannot write '.*': .*\. Give a folder that can be written\.$"):
            export(target)
    assert (tmp_path / "file").read_bytes() == b"in the way"


def test_a_server_never_finds_two_formats_under_one_name(tmp_path: Path) -> None:
    other = next(name for name in FORMATS if name != "savedmodel")
    version = tmp_path / "hands" / "1"
    version.mkdir(parents=True)
    (version / FORMATS[other].file).write_bytes(b"")
    with pytest.raises(RunError, match=f"holds versions of the format {other}"):
        export(tmp_path / "hands")
