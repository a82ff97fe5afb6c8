"""Where a gallery's rows lie: embedded in a folder, or on a server."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from handnet.errors import ConfigError, format_unknown
from handnet.gallery.protection import Key
from handnet.gallery.records import Header
from handnet.gallery.stores.milvus_indexes import EXACT, find_index
from handnet.gallery.stores.sqlite import SqliteStore
from handnet.gallery.stores.store import Store


class StoreKind(NamedTuple):
    """A kind of store.

    Attributes:
        create: (gallery, address, header, key) → a new store, open.
        open: (gallery, address, key) → the store.
        check_layout: (index, shards); raises ConfigError for what it does not have.
    """

    create: Callable[[str, str, Header, Key | None], Store]
    open: Callable[[str, str, Key | None], Store]
    check_layout: Callable[[str, int], None]


def create_store(gallery: str, address: str, header: Header, key: Key | None = None) -> Store:
    """Make a new store and open it.

    Args:
        gallery: its folder, or its name on a server.
        address: "" for a folder; else SCHEME://HOST:PORT of a server.
        header: of the collection.
        key: the collection's key.

    Raises:
        ConfigError: as `check_layout`.
        GalleryError: it exists already, or the server is out of reach.
        DiskError: it cannot be written.
    """
    kind = _find_kind(address)
    kind.check_layout(header.index, header.shards)
    return kind.create(gallery, address, header, key)


def check_layout(address: str, index: str, shards: int) -> None:
    """Raise where no store can be made like that, before anything that takes long.

    Args:
        address: as `create_store`.
        index: how it is to be searched.
        shards: over how many channels it is to be spread.

    Raises:
        ConfigError: an unknown kind of store, an index or a number of shards that it does not have.
    """
    _find_kind(address).check_layout(index, shards)


def open_store(gallery: str, address: str = "", key: Key | None = None) -> Store:
    """Open a store; as `create_store`."""
    return _find_kind(address).open(gallery, address, key)


def _find_kind(address: str) -> StoreKind:
    scheme = address.partition("://")[0] if address else "folder"
    if scheme not in STORES or (address and not address.partition("://")[2].strip("/:")):
        raise ConfigError(f"{format_unknown('store', address, STORES)} Expected e.g. milvus+http://127.0.0.1:19530.")
    return STORES[scheme]


def _check_folder(index: str, shards: int) -> None:
    if index != EXACT:
        raise ConfigError(
            f"A gallery in a folder is searched in memory, exactly. An index needs --store. Received: {index!r}."
        )
    if shards != 1:
        raise ConfigError(f"Shards are a Milvus server's: they need --store. Received: {shards}.")


def _check_milvus(index: str, shards: int) -> None:
    find_index(index)
    if shards < 1:
        raise ConfigError(f"A collection has 1 shard or more. Received: {shards}.")


def _create_folder(gallery: str, address: str, header: Header, key: Key | None) -> Store:
    return SqliteStore.create(Path(gallery), header, key)


def _open_folder(gallery: str, address: str, key: Key | None) -> Store:
    return SqliteStore(Path(gallery), key)


def _create_milvus(gallery: str, address: str, header: Header, key: Key | None) -> Store:
    from handnet.gallery.stores.milvus import MilvusStore

    return MilvusStore.create(gallery, address, header, key)


def _open_milvus(gallery: str, address: str, key: Key | None) -> Store:
    from handnet.gallery.stores.milvus import MilvusStore

    return MilvusStore(gallery, address, key)


_MILVUS = StoreKind(_create_milvus, _open_milvus, _check_milvus)

STORES: Mapping[str, StoreKind] = {
    "folder": StoreKind(_create_folder, _open_folder, _check_folder),
    "milvus+http": _MILVUS,
    "milvus+https": _MILVUS,
}
