"""The server: it goes away, a writer dies in the middle, writers wait for each other, nothing is left in its files."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError, GalleryError, GalleryServerError
from handnet.gallery import Gallery
from handnet.gallery.enrolment import Entry
from handnet.gallery.pairings import Matching
from handnet.gallery.stores import milvus_lock
from handnet.gallery.stores.milvus import MilvusStore
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.milvus_indexes import INDEXES
from tests.gallery.conftest import find_port, need_milvus, start_server
from tests.gallery.simulated import SimulatedEncoder, draw_vector, take_photo
from tests.gallery.stores.test_store import dump, fill, make_header, make_person, make_photo


def die_at(monkeypatch: pytest.MonkeyPatch, method: str, number: int) -> None:
    """Let the n-th call of a method of the server from now on fail, and all calls of it after that."""
    calls = iter(range(10_000))
    original = getattr(Server, method)

    def count(self: Server, *arguments: object, **options: object) -> object:
        if next(calls) >= number:
            raise KeyboardInterrupt
        return original(self, *arguments, **options)

    monkeypatch.setattr(Server, method, count)


@pytest.mark.parametrize(
    ("method", "number"), [("insert", 0), ("insert", 1), ("flush", 0), ("delete", 0), ("delete", 1), ("delete", 2)]
)
def test_writer_that_dies_leaves_the_old_or_the_new_state(
    store: MilvusStore, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch, method: str, number: int
) -> None:
    fill(store)
    old = dump(store)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), store.write() as changes:  # noqa: PT012
        changes.put_photos, changes.put_people = [make_photo(store, 0, 8)], [make_person(5)]
        changes.remove_people = [f"{2:032x}"]
        # The lock deletes and inserts too: count from here.
        die_at(patch, method, number)
    other = MilvusStore(*place)
    now = dump(other)
    people = {f"{n:032x}": f"Person {n}" for n in (0, 1, 5)}
    if now != old:
        assert now[0] == people, "all of the change or nothing of it"
        assert make_photo(store, 0, 8).id in now[1]
    assert other.check() == []
    # Of some people there are two rows now, the one on the page after the other.
    monkeypatch.setattr("handnet.gallery.stores.milvus_reading._BLOCK_PEOPLE", 1)
    blocks = list(other.read_contents().blocks)
    assert [person.id for block in blocks for person in block.people] == sorted(now[0])
    assert {photo.id for block in blocks for photo in block.photos} == set(now[1])
    # A writer that died did not give back its claim, which would expire after some minutes.
    for row in store._server.query("kind == 'claim'", ("key",)):
        store._server.delete(f"key == '{row['key']}'")
    fill(other, range(7, 8))
    assert len(dump(other)[0]) == len(now[0]) + 1
    assert other.check() == []
    kinds = [row["kind"] for row in other._server.query("batch >= 0", ("kind",))]
    assert kinds.count("head") == 1, "the next writer swept up"
    assert "gone" not in kinds
    assert kinds.count("person") == len(now[0]) + 1
    other.close()


@pytest.mark.slow
def test_writers_wait_for_each_other(place: tuple[str, str], store: MilvusStore) -> None:
    problems: list[BaseException] = []

    def write(first: int) -> None:
        try:
            mine = MilvusStore(*place)
            for number in range(first, first + 4):
                fill(mine, range(number, number + 1))
            mine.close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(dump(store)[0]) == 12
    assert store.read_version() == 12
    assert store.check() == []


def test_a_writer_waits_no_longer_than_it_is_told(place: tuple[str, str], store: MilvusStore) -> None:
    impatient = MilvusStore(*place, timeout_s=0.5)
    with store.write(), pytest.raises(GalleryError, match="has been writing"), impatient.write():
        pass
    impatient.close()


def test_a_dead_writer_s_claim_expires(
    place: tuple[str, str], store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_lock, "CLAIM_S", 0.3)
    dead = milvus_lock.WriterLock(store._server, store.header.width, 1.0)
    dead._take_turn(time.monotonic() + 1)
    monkeypatch.undo()
    begin = time.monotonic()
    fill(store)
    assert time.monotonic() - begin < 10
    assert len(dump(store)[0]) == 3


@pytest.mark.slow
def test_a_claim_that_expired_writes_nothing(store: MilvusStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    before = dump(store)
    monkeypatch.setattr(milvus_lock, "CLAIM_S", 3.0)
    with pytest.raises(GalleryError, match="took longer"), store.write() as changes:  # noqa: PT012
        changes.put_people = [make_person(9)]
        time.sleep(3.0)
    monkeypatch.undo()
    assert dump(store) == before


def test_what_was_removed_is_not_in_the_server_s_files(milvus: tuple[str, Path], matching: Matching) -> None:
    with Gallery.create("removal", SimulatedEncoder(), matching, store=milvus[0]) as gallery:
        gallery.add("Ada Lovelace", take_photo(41, "palmar"))
        gallery.add("Bob", take_photo(42, "palmar"))
        vectors = [draw_vector(n, "palmar").astype("<f4").tobytes() for n in (41, 42)]

        def search() -> list[int]:
            files = [path.read_bytes() for path in milvus[1].rglob("*") if path.is_file()]
            # Of each vector a few numbers: how a column is laid out is the server's affair.
            return [sum(vector[:8] in file for file in files) for vector in vectors]

        before = search()
        assert min(before) > 0, "the search finds what is there"
        done = gallery.forget("Ada Lovelace")
        assert "server" in done.unsearched
        after = search()
        assert after[0] == 0
        assert after[1] > 0


@pytest.mark.slow
def test_server_that_goes_away_is_one_line(tmp_path: Path, matching: Matching) -> None:
    need_milvus()
    port = find_port()
    server = start_server(tmp_path / "data", port)
    address = f"milvus+http://127.0.0.1:{port}"
    Gallery.create("g", SimulatedEncoder(), matching, store=address).close()
    with Gallery(MilvusStore("g", address, timeout_s=3.0), SimulatedEncoder()) as gallery:
        acknowledged = []
        for person in range(4):
            gallery.add(f"Person {person}", take_photo(person, "palmar"))
            acknowledged.append(f"Person {person}")
        server.kill()
        server.wait()
        for verb in (
            lambda: gallery.add("Person 9", take_photo(9)),
            lambda: gallery.identify(take_photo(1)),
            gallery.list,
        ):
            with pytest.raises(GalleryError, match="does not answer as it should"):
                verb()
    with pytest.raises(GalleryError, match="does not answer as it should"):
        MilvusStore("g", address, timeout_s=1.0)
    server = start_server(tmp_path / "data", port)
    try:
        with Gallery.open("g", SimulatedEncoder(), store=address) as gallery:
            assert [row.name for row in gallery.list()] == acknowledged
            assert gallery.check().damage == ()
            assert gallery.identify(take_photo(2, "dorsal"))[0].matches[0].name == "Person 2"
    finally:
        server.kill()
        server.wait()


def test_what_a_server_cannot_do_is_said(place: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="keeps no photos"):
        MilvusStore.create(*place, make_header(keep_photos=True))
    for name in ("a b", "../x", "1", "", "x" * 101, "é"):
        with pytest.raises(ConfigError, match="a letter, then letters"):
            MilvusStore.create(name, place[1], make_header())


def test_changed_rows_are_found(store: MilvusStore) -> None:
    fill(store)
    row = store._server.query(f"kind == 'photo' and item == '{make_photo(store, 1, 0).id}'", ("*",))[0]
    row["vector"] = np.roll(row["vector"], 1).tolist()
    store._server.upsert(row)
    assert any(make_photo(store, 1, 0).id in line for line in store.check())


def _write_until_it_fails(write: Callable[[], object], problems: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            write()
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["add", "import"])
def test_server_killed_while_it_writes_has_all_that_was_acknowledged_and_nothing_by_half(
    operation: str, tmp_path: Path, matching: Matching
) -> None:
    need_milvus()
    port, chance = find_port(), random.Random(operation)
    address, server = f"milvus+http://127.0.0.1:{port}", start_server(tmp_path / "data", port)
    photos = {f"Person {n}": [take_photo(n, "palmar", shot=shot) for shot in (0, 1)] for n in range(400)}
    num_cut = num_kills = 0
    try:
        # Nearly every kill comes in the middle of a write.
        while num_kills < 2 or (num_cut == 0 and num_kills < 6):
            num_kills += 1
            name = f"{operation}{num_kills}"
            Gallery.create(name, SimulatedEncoder(), matching, store=address, review="off").close()
            acknowledged: list[str] = []
            problems: list[BaseException] = []
            with Gallery(MilvusStore(name, address, timeout_s=3.0), SimulatedEncoder()) as gallery:

                def add(gallery: Gallery = gallery, told: list[str] = acknowledged) -> None:
                    for person, files in photos.items():
                        told.append(gallery.add(person, files).name)

                def import_(gallery: Gallery = gallery, told: list[str] = acknowledged) -> None:
                    entries = {person: [Entry(file) for file in files] for person, files in photos.items()}
                    gallery.import_(entries, progress=lambda done: told.append(done.name))

                thread = _write_until_it_fails(add if operation == "add" else import_, problems)
                while not acknowledged and thread.is_alive():
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 0.3))
                server.kill()
                server.wait()
                thread.join()
            assert [type(problem) for problem in problems] == [GalleryServerError], problems
            server = start_server(tmp_path / "data", port)
            with Gallery.open(name, SimulatedEncoder(), store=address) as gallery:
                counts = {row.name: row.num_photos for row in gallery.list()}
                assert set(acknowledged) <= set(counts), "acknowledged and lost"
                assert len(counts) <= len(acknowledged) + 1, "more than the one that was under way"
                assert set(counts.values()) == {2}, "somebody is half there"
                assert gallery.check().damage == ()
                assert gallery.identify(take_photo(0, "dorsal"))[0].matches[0].name == "Person 0"
            store = MilvusStore(name, address)
            num_cut += len(store._server.query("kind == 'claim'", ("key",)))
            # Its claim would expire after some minutes.
            store._server.delete("kind == 'claim'")
            fill(store, range(1000, 1001))
            assert store.check() == []
            store.close()
    finally:
        server.kill()
        server.wait()
    assert num_cut > 0, "no kill came in the middle of a write"


@pytest.mark.slow
@pytest.mark.parametrize(("index", "left"), [("exact", 0.0), ("hnsw", 0.5)])
def test_an_index_that_was_cut_off_is_built_again(tmp_path: Path, index: str, left: float) -> None:
    need_milvus()
    port = find_port()
    address, server = f"milvus+http://127.0.0.1:{port}", start_server(tmp_path / "data", port)
    try:
        store = MilvusStore.create("cut", address, make_header(index=index))
        fill(store)
        store._server.flush()
        before = dump(store)
        store.close()
        server.kill()
        server.wait()
        files = [path for path in (tmp_path / "data").rglob("indexes/*") if path.is_file()]
        assert files
        for path in files:
            path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
        server = start_server(tmp_path / "data", port)
        opened = MilvusStore("cut", address)
        assert dump(opened) == before
        assert opened.check() == []
        opened.close()
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    ("index", "kind"), [("exact", "FLAT"), ("hnsw", "HNSW"), ("ivf", "IVF_FLAT"), ("ivf-sq8", "IVF_SQ8")]
)
def test_an_index_finds_people_and_stays_when_all_is_written_again(
    place: tuple[str, str], index: str, kind: str
) -> None:
    store = MilvusStore.create(*place, make_header(index=index))
    fill(store)
    store.compact()
    server = store._server
    assert server.client.describe_index(server.alias, "vector")["index_type"] == kind
    other = MilvusStore(*place)
    for photo in other.read_since(-1).photos:
        found = other.find_candidates([(photo.kind, False)], photo.vector, 2000)
        assert photo.person in {person.id for person in found.people}
    other.close()
    store.close()


def test_an_unknown_index_is_refused_before_anything_is_made(place: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="Unknown index 'hnws'. Did you mean 'hnsw'"):
        MilvusStore.create(*place, make_header(index="hnws"))
    with pytest.raises(GalleryError, match="There is no gallery"):
        MilvusStore(*place)


def test_a_breadth_below_the_people_asked_for_is_raised() -> None:
    for index in INDEXES.values():
        chosen = index.choose_search(2000)["params"]
        assert chosen == {**index.search, **({index.breadth: 2000} if index.breadth else {})}
        assert index.choose_search(1)["params"] == index.search
