"""A gallery on the server that is written again: in blocks, while the old collection answers, all of it or nothing."""

from dataclasses import replace

import numpy as np
import pytest

from handnet.errors import GalleryError
from handnet.gallery.stores import milvus_client
from handnet.gallery.stores.milvus import MilvusStore
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.store import Block
from tests.gallery.simulated import WIDTH
from tests.gallery.stores.test_milvus import die_at
from tests.gallery.stores.test_store import KEY, dump, fill, make_header, make_person


@pytest.mark.parametrize("method", ["insert", "flush", "turn_alias"])
def test_a_migration_that_stops_leaves_the_old_collection_serving(
    store: MilvusStore, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fill(store)
    old, server = dump(store), store._server
    vectors = np.eye(WIDTH, dtype=np.float32)
    photos = [replace(photo, vector=vectors[0]) for photo in store.read_since(-1).photos]
    header = replace(store.header, model="n" * 32)
    # As after a kill: nothing is tidied up.
    blocks = [Block(store.read_since(-1).people, photos)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(Server, "drop", lambda self, name: None)
        # The lock inserts and flushes too: the collection that is filled is named.
        original = getattr(Server, method)

        def die(self: Server, *arguments: object) -> object:
            if method == "turn_alias" or len(arguments) > (method == "insert"):
                raise KeyboardInterrupt
            return original(self, *arguments)

        patch.setattr(Server, method, die)
        store.replace_all(header, blocks, store.read_version(), "migrate")
    other = MilvusStore(*place)
    assert dump(other) == old
    assert other.header.model == store.header.model
    assert len(own_collections(server)) == 2

    for row in server.query("kind == 'claim'", ("key",)):
        server.delete(f"key == '{row['key']}'")
    other.replace_all(header, blocks, other.read_version(), "migrate")
    assert MilvusStore(*place).header.model == header.model
    assert len(own_collections(server)) == 1, "what the stopped one left is gone"
    other.close()


def own_collections(server: Server) -> list[str]:
    return [name for name in server.client.list_collections() if name.startswith(server.alias + "_")]


class Calls:
    """What is asked of the server: the most rows that a call brings or takes, and how many collections are made."""

    def __init__(self, patch: pytest.MonkeyPatch, store: MilvusStore) -> None:
        self.most, self.num_made = 0, 0
        client = store._server.client
        query, insert, pages = client.query, client.insert, client.query_iterator
        create = client.create_collection

        def count(rows: list[object]) -> list[object]:
            self.most = max(self.most, len(rows))
            return rows

        def iterate(*arguments: object, **options: object) -> object:
            iterator = pages(*arguments, **options)
            original = iterator.next
            iterator.next = lambda: count(original())
            return iterator

        def make(*arguments: object, **options: object) -> object:
            self.num_made += 1
            return create(*arguments, **options)

        patch.setattr(client, "query", lambda *a, **o: count(query(*a, **o)))
        patch.setattr(client, "insert", lambda name, rows, **o: insert(name, count(rows), **o))
        patch.setattr(client, "query_iterator", iterate)
        patch.setattr(client, "create_collection", make)


def test_a_large_gallery_goes_through_the_memory_in_blocks(
    place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rows in (("milvus_reading._BLOCK_PEOPLE", 7), ("milvus._SEARCHED_ROWS", 25), ("milvus._LOG_ROWS", 25)):
        monkeypatch.setattr(f"handnet.gallery.stores.{name}", rows)
    store = MilvusStore.create(*place, make_header(shards=2))
    fill(store, range(50))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), store.write() as changes:  # noqa: PT012
        changes.put_people = [make_person(20, "Somebody")]
        die_at(patch, "delete", 0)
    store._server.delete("kind == 'claim'")
    with monkeypatch.context() as patch:
        # The sweep that the next writer makes up for included.
        calls = Calls(patch, store)
        with store.write() as changes:
            changes.remove_people, changes.action = [f"{3:032x}"], "remove"
        assert calls.num_made == 0, "a removal alone writes no collection"
        store.compact()
        store.rekey(KEY)
        contents = store.read_contents()
        store.replace_all(replace(store.header, model="n" * 32), contents.blocks, contents.version, "migrate")
        assert store.find_bytes([b"nothing"]) == []
        # Seven people have seven rows, fourteen photos and seven templates.
        assert 14 < calls.most <= 28
        assert calls.num_made == 3
    people, photos = dump(store)
    assert people == {f"{n:032x}": "Somebody" if n == 20 else f"Person {n}" for n in range(50) if n != 3}
    assert len(photos) == 98
    assert store.header.shards == 2
    assert [entry.action for entry in store.read_audit()] == ["add", "", "remove", "rotate-key", "migrate"]
    assert store.check() == []
    store.close()


def test_a_server_that_compacts_is_not_written_again(store: MilvusStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    left = store._server.create_collection(WIDTH, "exact", 1)
    asked = []
    monkeypatch.setattr(store._server.client, "compact", lambda name, **more: asked.append(name) or 7)
    calls = Calls(monkeypatch, store)
    store.compact()
    assert asked == own_collections(store._server)
    assert left not in asked, "what a killed migration left is dropped: it holds those who were removed"
    assert calls.num_made == 0
    monkeypatch.setattr(milvus_client, "COMPACTION_S", 0.0)
    monkeypatch.setattr(store._server.client, "get_compaction_state", lambda job, **more: "Executing")
    with pytest.raises(GalleryError, match="still writing its files"):
        store.compact()
