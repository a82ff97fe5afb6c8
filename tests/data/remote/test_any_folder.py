"""Folders here and in a bucket, by one contract; and the photos in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import handnet.data.remote.any_folder
from handnet.data.remote.any_folder import Folder, list_bucket, read_from_bucket
from handnet.data.remote.remote_photos import list_photos, read_photo_anywhere
from handnet.errors import ConfigError, DataError, DiskError
from tests.photos import write_jpeg
from tests.web_server import serve_s3, serve_web


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with serve_s3("hands") as address:
        yield address


def check_folder(place: str) -> None:
    folder = Folder(place)
    folder.remove_leftovers()
    assert folder.list_names() == set()
    folder.write("b.json", b"1")
    folder.write("a.json", b"22")
    folder.write("a.json", b"333")
    Folder(f"{place}/deeper").write("c.json", b"4")
    assert {"a.json", "b.json"} <= folder.list_names()
    assert "c.json" not in folder.list_names()
    assert folder.read("a.json") == b"333"
    with pytest.raises(DataError, match="absent' cannot be read: No such file or directory"):
        folder.read("absent")


def test_a_folder_of_this_machine(tmp_path: Path) -> None:
    check_folder(str(tmp_path / "new"))
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        Folder(str(tmp_path / "file")).write("a", b"")


@pytest.mark.slow
def test_a_folder_of_a_bucket_and_the_photos_in_it(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder(f"{bucket}/new")
    photo = write_jpeg(tmp_path / "a.jpg").read_bytes()
    photos = Folder(f"{bucket}/photos")
    for name in ("b.JPG", "a.jpg", ".hidden.jpg", "notes.txt"):
        photos.write(name, photo)
    Folder(f"{bucket}/photos/@eaDir").write("thumb.jpg", photo)
    Folder(f"{bucket}/photos/deep").write("c.png", photo)
    found = list_photos(f"{bucket}/photos/")
    assert [file.address for file in found] == [f"{bucket}/photos/{name}" for name in ("a.jpg", "b.JPG", "deep/c.png")]
    assert {file.num_bytes for file in found} == {len(photo)}
    assert all(file.changed_ns > 0 for file in found)
    assert list_bucket(f"{bucket}/nothing") == []
    assert read_photo_anywhere(found[0].address) == (photo, "")
    assert read_photo_anywhere(f"{bucket}/photos/absent.jpg") == (b"", "No such file or directory")
    assert read_from_bucket(found[0].address, 10)[1] == f"{len(photo):,} bytes: larger than any photo"
    assert list_bucket("s3://absent/a") == [], "as of a folder that is not there"
    with pytest.raises(DiskError, match="Cannot write 's3://absent/a/b'"):
        Folder("s3://absent/a").write("b", b"")


class _Refusing:
    def get_file_info(self, what: object) -> object:
        raise OSError("AWS Error ACCESS_DENIED\nwith more lines")


def test_a_bucket_that_refuses_is_one_line_and_not_the_photos_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handnet.data.remote.any_folder, "_connect", lambda scheme, endpoint: _Refusing())
    expected = "'s3://bucket/a' cannot be read: AWS Error ACCESS_DENIED. Credentials, region and server come from"
    for read in (list_bucket, read_photo_anywhere):
        with pytest.raises(DataError, match=expected):
            read("s3://bucket/a")


def test_photos_of_this_machine_and_of_the_web_are_read_too(tmp_path: Path) -> None:
    file = write_jpeg(tmp_path / "a.jpg")
    assert read_photo_anywhere(str(file)) == (file.read_bytes(), "")
    with serve_web() as web:
        web.files["/a.jpg"] = file.read_bytes()
        assert read_photo_anywhere(f"{web.address}/a.jpg") == (file.read_bytes(), "")
    with pytest.raises(DataError, match="cannot be listed or written: expected a path, s3:// or gs://"):
        Folder("https://host/a").list_names()


def test_without_pyarrow_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handnet.data.remote.any_folder.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"need the extra `cluster`: pip install 'handnet\[cluster\]'"):
        Folder("s3://bucket/a").list_names()
