"""`handnet.create_gallery` and `handnet.open_gallery`: a gallery with the model that it was made with."""

from pathlib import Path

import pytest

import handnet
from handnet.cli._gallery import ModelChoice
from handnet.console import Count, hide_progress
from handnet.data.example import Example
from handnet.export.exported_model import FACTS_FILE
from handnet.gallery import Gallery
from handnet.gallery.pairings import Matching
from handnet.library.bound_gallery import create_bound, name_export
from tests.gallery.simulated import SimulatedEncoder, fit_simulated, take_photo
from tests.tiny import write_tiny


def test_a_gallery_opens_with_its_model_and_finds_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def load(source: dict[str, str]) -> SimulatedEncoder:
        asked.append(source)
        return SimulatedEncoder()

    monkeypatch.setattr("handnet.gallery.bound_models.load_model", load)
    folder = tmp_path / "people"
    with Gallery.create(folder, SimulatedEncoder(), fit_simulated(60)) as made:
        source = dict(made.header.source)
        for person in range(3):
            made.add(f"Person {person}", take_photo(person, "palmar"))
    with handnet.open_gallery(folder) as opened:
        assert opened.identify(take_photo(1, "dorsal"), top=3)[0].matches[0].name == "Person 1"
    handnet.open_gallery(folder, model=tmp_path / "moved").close()
    assert asked == [source, {"kind": "saved_model", "path": str(tmp_path / "moved")}]


def make_export(folder: Path) -> None:
    """Make a folder that looks like the version of an exported model."""
    folder.mkdir(parents=True)
    for name in (FACTS_FILE, "saved_model.pb"):
        (folder / name).write_bytes(b"")


def test_a_gallery_is_made_with_its_model_and_calibrated_on_the_people_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str]] = []

    def calibrate(encoder: SimulatedEncoder, examples: list[Example], whose: str, progress: Count) -> Matching:
        del encoder, progress
        seen.append((len({example.identity for example in examples}), whose))
        return fit_simulated(60)

    monkeypatch.setattr("handnet.gallery.bound_models.load_model", lambda source: SimulatedEncoder())
    monkeypatch.setattr("handnet.gallery.bound_models.calibrate", calibrate)
    data = write_tiny(tmp_path / "data", num_people=5, photos_per_view=1)
    make_export(tmp_path / "model")
    with handnet.create_gallery(tmp_path / "people", tmp_path / "model", data=data, review="off") as made:
        made.add("Ada", take_photo(1, "palmar"))
    assert seen == [(5, "the people of data")]
    with handnet.open_gallery(tmp_path / "people") as opened:
        assert opened.identify(take_photo(1, "dorsal"))[0].matches[0].name == "Ada"
    with pytest.raises(handnet.HandnetError, match="exists already"):
        handnet.create_gallery(tmp_path / "people", tmp_path / "model", data=data)
    with pytest.raises(handnet.HandnetError, match="no people to calibrate with"):
        handnet.create_gallery(tmp_path / "others", tmp_path / "model")
    assert not (tmp_path / "others").exists()
    for given in ("", str(data)):
        with pytest.raises(handnet.HandnetError, match="There is no exported model .*gone"):
            handnet.create_gallery(tmp_path / "others", tmp_path / "gone", data=given)


@pytest.mark.parametrize(
    ("store", "index", "shards", "message"),
    [
        ("", "foo", 1, "searched in memory, exactly.*Received: 'foo'"),
        ("", "exact", 2, "need --store. Received: 2"),
        ("milvus+http://127.0.0.1:1", "hnws", 1, "Unknown index 'hnws'. Did you mean 'hnsw'"),
        ("milvus+http://127.0.0.1:1", "hnsw", 0, "1 shard or more. Received: 0"),
        ("milvus", "exact", 1, "Unknown store 'milvus'"),
    ],
)
def test_a_store_that_cannot_be_made_is_refused_before_the_model_is_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, index: str, shards: int, message: str
) -> None:
    monkeypatch.setattr("handnet.gallery.bound_models.load_model", lambda source: pytest.fail("loaded"))
    with pytest.raises(handnet.HandnetError, match=message):
        create_bound(
            str(tmp_path / "g"),
            {"kind": "saved_model", "path": "m"},
            "",
            store,
            None,
            False,
            "off",
            index,
            shards,
            print,
            hide_progress,
        )


def test_too_few_people_are_refused_before_the_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handnet.gallery.bound_models.load_model", lambda source: pytest.fail("loaded"))
    data = write_tiny(tmp_path / "data", num_people=3, photos_per_view=1)
    make_export(tmp_path / "model")
    with pytest.raises(handnet.HandnetError, match="3 people have such pairs, and it takes 5"):
        handnet.create_gallery(tmp_path / "people", tmp_path / "model", data=data)


def test_of_an_exported_model_the_newest_version_is_taken(tmp_path: Path) -> None:
    for version in ("2", "10"):
        make_export(tmp_path / "hands" / version)
    newest = {"kind": "saved_model", "path": str(tmp_path / "hands" / "10")}
    assert name_export(tmp_path / "hands") == newest
    assert ModelChoice(None, tmp_path / "hands").find() == newest
    assert name_export(tmp_path / "hands" / "2")["path"].endswith("2")
    assert name_export(tmp_path)["path"] == str(tmp_path), "what it is not is said where it is loaded"


def test_a_gallery_whose_model_cannot_be_loaded_is_closed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.create(tmp_path / "people", SimulatedEncoder(), fit_simulated(60)):
        pass
    closed: list[bool] = []
    close = Gallery.close
    monkeypatch.setattr(Gallery, "close", lambda opened: (closed.append(True), close(opened))[1])
    with pytest.raises(handnet.HandnetError):
        handnet.open_gallery(tmp_path / "people", model=tmp_path / "gone")
    assert closed == [True]
    with pytest.raises(handnet.HandnetError):
        handnet.open_gallery(tmp_path / "gone")
