"""The folder: its modes, damage, other processes, a full disk, a folder that cannot be written, older and newer schemas."""

import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handnet.errors import DiskError, GalleryError, HandnetError
from handnet.gallery.enrolled import remove_person
from handnet.gallery.stores.rows import RowCodec
from handnet.gallery.stores.schema import MIGRATIONS, migrate_schema, read_schema_version
from handnet.gallery.stores.sqlite import SqliteStore
from handnet.gallery.stores.sqlite_connections import FILE_NAME
from handnet.gallery.stores.sqlite_folder import new_gallery_folder, write_empty
from tests.gallery.stores.test_store import KEY, dump, fill, make_header, make_person, make_photo

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="takes fork")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore.create(tmp_path / "g", make_header(KEY), KEY)
    yield made
    made.close()


def run_apart(function: Callable[[], None]) -> str:
    """Run a function in a process of its own and return "" or the one line of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            message = b""
            function()
        except HandnetError as error:
            message = f"{type(error).__name__}: {error}".encode()
        except BaseException as error:
            message = f"not ours: {error!r}".encode()
        finally:
            os.write(writing, message)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read().decode()
    os.waitpid(child, 0)
    return told


def test_nobody_else_can_read_any_file(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "g").iterdir()}
    assert len(modes) == 3, "the log and its index too"
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "g").stat().st_mode) == 0o700
    store.backup(tmp_path / "copy")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "copy").iterdir()} == {0o600}


def test_a_protected_file_shows_no_name_and_no_vector(store: SqliteStore, tmp_path: Path) -> None:
    with store.write() as changes:
        changes.put_people = [make_person(1, "Ada Lovelace")]
        changes.put_photos = [make_photo(store, 1, 0)]
        changes.pictures = {make_photo(store, 1, 0).id: b"the bytes of a photo" * 20}
    photo = make_photo(store, 1, 0)
    plain = store.codec.turn_back(photo.vector[None])[0].astype("<f4").tobytes()
    needles = [b"Lovelace", b"the bytes of a photo", photo.vector.tobytes(), plain, bytes.fromhex(photo.digest)]
    assert store.find_bytes(needles) == []
    assert store.read_picture(photo.id) == b"the bytes of a photo" * 20


def test_an_unprotected_file_shows_them(tmp_path: Path) -> None:
    # The control of the test above: the search can find.
    store = SqliteStore.create(tmp_path / "bare", make_header())
    fill(store)
    photo = make_photo(store, 1, 0)
    for needle in (b"Person 1", photo.vector.tobytes()):
        assert store.find_bytes([needle])
    store.close()


def test_search_finds_bytes_across_the_edge_of_a_block(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.gallery.stores.file_traces._SEARCH_BLOCK_BYTES", 16)
    (tmp_path / "g" / "other").write_bytes(b"." * 13 + b"needle" + b"." * 40)
    assert store.find_bytes([b"needle"]) == [str(tmp_path / "g" / "other")]
    assert store.find_bytes([b"needlf"]) == []


def test_a_search_of_the_files_keeps_the_locks_of_the_process(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "g", make_header())
    fill(store)
    assert store.find_bytes([b"Person 1"])
    look = (
        "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.execute('SELECT * FROM people'); base.close()"
    )
    subprocess.run([sys.executable, "-c", look, str(tmp_path / "g" / FILE_NAME)], check=True)
    # The last user of a file removes its log: another program must not take itself for that.
    assert (tmp_path / "g" / f"{FILE_NAME}-wal").exists()
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, KEY], ids=["bare", "protected"])
def test_flipped_bytes_are_found_on_opening(tmp_path: Path, key: object) -> None:
    folder = tmp_path / "good"
    store = SqliteStore.create(folder, make_header(key, matching={}), key)  # type: ignore[arg-type]
    fill(store, range(120))
    store.compact()
    expected = dump(store)
    store.close()
    original = (folder / FILE_NAME).read_bytes()
    chance = random.Random(5)
    found = 0
    for place in [*range(0, 100, 9), *(chance.randrange(len(original)) for _ in range(120))]:
        broken = bytearray(original)
        broken[place] ^= 1 << chance.randrange(8)
        (folder / FILE_NAME).write_bytes(broken)
        try:
            opened = SqliteStore(folder, key)  # type: ignore[arg-type]
        except (GalleryError, DiskError):
            found += 1
            continue
        # What is not reported has changed nothing that is read: free space, counters, the log of actions.
        assert dump(opened) == expected, f"byte {place} was changed and nobody noticed"
        opened.close()
    assert found > 65, "most bytes of a full file matter"


def test_damage_is_listed_by_check(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    with sqlite3.connect(tmp_path / "g" / FILE_NAME) as connection:
        connection.execute("UPDATE photos SET quality = 1.0 WHERE id = ?", (make_photo(store, 1, 0).id,))
        connection.execute("UPDATE people SET name = x'00' WHERE id = ?", (f"{2:032x}",))
    connection.close()
    damage = store.check()
    assert len(damage) == 2
    assert any(make_photo(store, 1, 0).id in line for line in damage)
    with pytest.raises(GalleryError, match=r"damaged: .* \(and 1 more\)\. Restore it from a backup"):
        SqliteStore(tmp_path / "g", KEY)


def test_rows_that_were_swapped_do_not_open(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    first, second = make_photo(store, 0, 0).id, make_photo(store, 1, 0).id
    with sqlite3.connect(tmp_path / "g" / FILE_NAME) as connection:
        rows = dict(connection.execute("SELECT id, vector FROM photos").fetchall())
        connection.execute("UPDATE photos SET vector = ? WHERE id = ?", (rows[second], first))
    connection.close()
    assert any(first in line for line in store.check())


@pytest.mark.parametrize("contents", [b"", b"not a database at all" * 400], ids=["empty", "text"])
def test_another_file_is_refused_in_one_line(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / FILE_NAME).write_bytes(contents)
    with pytest.raises(GalleryError, match="not a gallery|damaged"):
        SqliteStore(tmp_path / "g")


def test_a_truncated_file_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    fill(store, range(30))
    store.close()
    contents = (tmp_path / "g" / FILE_NAME).read_bytes()
    (tmp_path / "g" / FILE_NAME).write_bytes(contents[: len(contents) // 2])
    with pytest.raises(GalleryError, match="damaged"):
        SqliteStore(tmp_path / "g", KEY)


def test_a_newer_schema_asks_for_an_upgrade(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "g" / FILE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(GalleryError, match="Upgrade handnet"):
        SqliteStore(tmp_path / "g", KEY)


def test_migrations_are_applied_whole_or_not_at_all(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "file", isolation_level=None)
    first, second = ("CREATE TABLE a (x)",), ("CREATE TABLE b (x)", "INSERT INTO b VALUES (1)")
    migrate_schema(connection, 0, (first,))
    assert read_schema_version(connection) == 1
    with pytest.raises(sqlite3.OperationalError):
        migrate_schema(connection, 1, (first, second, ("CREATE TABLE a (x)",)))
    assert read_schema_version(connection) == 1
    tables = "SELECT name FROM sqlite_master"
    assert connection.execute(tables).fetchall() == [("a",)]
    connection.execute("PRAGMA user_version = 1")
    migrate_schema(connection, 1, (first, second))
    assert connection.execute("SELECT x FROM b").fetchall() == [(1,)]
    migrate_schema(connection, 2, (first, second))
    connection.close()


def test_a_writer_waits_no_longer_than_it_is_told(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(tmp_path / "g", KEY, busy_timeout_s=0.2)
    with store.write() as changes:
        begin = time.monotonic()
        with pytest.raises(GalleryError, match="Another process has been writing"), other.write():
            pass
        assert time.monotonic() - begin < 5
        assert dump(other) == ({}, {}), "readers do not wait"
        changes.put_people = [make_person(1)]
    fill(other, range(2, 3))
    assert len(dump(store)[0]) == 2
    other.close()


@needs_fork
def test_two_writers_lose_nothing(store: SqliteStore, tmp_path: Path) -> None:
    store.close()

    def write(first: int) -> None:
        mine = SqliteStore(tmp_path / "g", KEY)
        for number in range(first, first + 15):
            fill(mine, range(number, number + 1))
        mine.close()

    threads = [threading.Thread(target=lambda n=n: told.append(run_apart(lambda: write(n)))) for n in (100, 200)]
    told: list[str] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["", ""]
    again = SqliteStore(tmp_path / "g", KEY)
    people, photos = dump(again)
    assert len(people) == 30
    assert len(photos) == 60
    assert again.read_version() == 30
    again.close()


def test_threads_share_a_store(store: SqliteStore) -> None:
    problems: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 5):
                fill(store, range(number, number + 1))
                assert store.find_person(f"Person {number}")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(dump(store)[0]) == 20


def test_what_is_read_while_it_is_removed_is_said(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    reader = sqlite3.connect(tmp_path / "g" / FILE_NAME, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM people").fetchone()
    quick = SqliteStore(tmp_path / "g", KEY, busy_timeout_s=0.1)
    with quick.write() as changes:
        changes.remove_people = [f"{1:032x}"]
    with pytest.raises(GalleryError, match="another process reads|Another process"):
        quick.compact()
    reader.execute("ROLLBACK")
    quick.compact()
    quick.close()
    reader.close()


@needs_fork
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_remove_on_a_full_disk_says_what_is_left_and_loses_nothing(tmp_path: Path, share: float) -> None:
    folder = tmp_path / "g"
    store = SqliteStore.create(folder, make_header())
    fill(store, range(100))
    everybody = dump(store)
    store.close()
    size = (folder / FILE_NAME).stat().st_size

    def remove() -> None:
        mine = SqliteStore(folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), int(share * size)))
        remove_person(mine, "Person 1")

    told = run_apart(remove)
    again = SqliteStore(folder)
    left = dump(again)
    if left == everybody:
        assert "Nothing was changed" in told, told
    else:
        assert set(everybody[0]) - set(left[0]) == {f"{1:032x}"}
        assert told.startswith("DiskError: Cannot rewrite the gallery"), told
        assert told.endswith("Make room on the disk, then run handnet gallery compact."), told
    assert (left == everybody) == (share == 0.0)
    if share:
        gone = make_photo(again, 1, 0).vector.tobytes()
        again.compact()
        assert again.find_bytes([gone]) == []
    assert again.check() == []
    again.close()


@needs_fork
def test_a_full_disk_is_one_line_and_changes_nothing(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    before = dump(store)
    store.close()

    def write() -> None:
        mine = SqliteStore(tmp_path / "g", KEY)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        fill(mine, range(100, 400))

    told = run_apart(write)
    assert told.startswith("DiskError: Cannot write the gallery"), told
    assert "Is the disk full?" in told
    again = SqliteStore(tmp_path / "g", KEY)
    assert dump(again) == before
    fill(again, range(100, 101))
    again.close()


@needs_fork
def test_a_folder_that_cannot_be_written_is_read_all_the_same() -> None:
    # Not in pytest's folders, which other users may not enter.
    root = Path(tempfile.mkdtemp(prefix="handnet-"))
    try:
        store = SqliteStore.create(root / "g", make_header(KEY), KEY)
        fill(store)
        store.close()
        (root / "g" / FILE_NAME).chmod(0o444)
        (root / "g").chmod(0o555)
        root.chmod(0o755)

        def become_nobody() -> None:
            if os.getuid() == 0:
                os.setuid(65_534)

        def read() -> None:
            become_nobody()
            mine = SqliteStore(root / "g", KEY)
            assert len(dump(mine)[0]) == 3

        def write() -> None:
            become_nobody()
            fill(SqliteStore(root / "g", KEY), range(9, 10))

        def create() -> None:
            become_nobody()
            SqliteStore.create(root / "g" / "inner", make_header(KEY), KEY)

        assert run_apart(read) == ""
        assert run_apart(write).startswith("DiskError: Cannot write the gallery")
        assert run_apart(create).startswith("DiskError: Cannot write")
    finally:
        (root / "g").chmod(0o755)
        shutil.rmtree(root)


def test_an_aborted_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(DiskError, match="Is the disk full"):
        SqliteStore.create(tmp_path / "g", make_header())
    assert list(tmp_path.iterdir()) == []


@needs_fork
@pytest.mark.parametrize("what", ["create", "backup"])
def test_what_a_killed_creation_left_is_swept_at_the_next_opening(
    store: SqliteStore, tmp_path: Path, what: str
) -> None:
    fill(store)

    def begin_and_die() -> None:
        def die(*_: object) -> None:
            os._exit(0)

        # Between the last byte and the name: everything of the new gallery is there under a hidden name.
        Path.rename = die  # type: ignore[method-assign,assignment]
        if what == "create":
            SqliteStore.create(tmp_path / "new", make_header(KEY), KEY)
        else:
            SqliteStore(tmp_path / "g", KEY).backup(tmp_path / "new")

    run_apart(begin_and_die)
    assert list(tmp_path.glob(".part-*")), "the test killed too late"
    SqliteStore(tmp_path / "g", KEY).close()
    assert {path.name for path in tmp_path.iterdir()} == {"g"}
    SqliteStore.create(tmp_path / "new", make_header(KEY), KEY).close()
    assert {path.name for path in tmp_path.iterdir()} == {"g", "new"}


def test_what_is_being_made_at_this_moment_is_not_swept(store: SqliteStore, tmp_path: Path) -> None:
    with new_gallery_folder(tmp_path / "new") as inside:
        write_empty(inside, make_header())
        SqliteStore(tmp_path / "g", KEY).close()
        assert (inside / FILE_NAME).is_file()
    assert (tmp_path / "new" / FILE_NAME).is_file()


def test_a_gallery_is_read_once_at_its_opening(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    again = SqliteStore(tmp_path / "g", KEY)
    read: list[object] = []
    monkeypatch.setattr(RowCodec, "open_photo", lambda self, row: read.append(row))
    first = again.read_since(-1)
    assert read == [], "every row was checked a moment ago"
    monkeypatch.undo()
    second = again.read_since(-1)
    assert (first.version, first.ids, first.people, first.photos) == second[:4]
    # What was read at the opening is not taken for the truth once somebody has written.
    third = SqliteStore(tmp_path / "g", KEY)
    fill(store, range(50, 51))
    assert len(third.read_since(-1).people) == len(first.people) + 1
    again.close()
    third.close()


def test_delete_waits_for_no_other_process_and_says_so(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.gallery.stores.sqlite._DELETE_TIMEOUT_MS", 50)
    fill(store)
    before = dump(store)
    other = SqliteStore(tmp_path / "g", KEY)
    dump(other)
    with pytest.raises(GalleryError, match=r"Another process has the gallery .* open\. Stop that one"):
        store.delete()
    assert dump(store) == before, "it goes on as before"
    fill(other, range(5, 6))
    assert len(dump(store)[0]) == 4
    other.close()
    store.delete()
    assert not (tmp_path / "g").exists()


def test_delete_leaves_what_is_not_the_gallery_s(tmp_path: Path, store: SqliteStore) -> None:
    (tmp_path / "g" / "api_keys.json").write_text("[]")
    store.delete()
    assert [path.name for path in (tmp_path / "g").iterdir()] == ["api_keys.json"]


def test_delete_that_the_disk_refuses_changes_nothing(
    tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    before = dump(store)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(DiskError, match="Permission denied. Nothing was deleted"):
            store.delete()
    assert dump(store) == before
    assert (tmp_path / "g" / f"{FILE_NAME}-wal").exists(), "many read while one writes, as before"
