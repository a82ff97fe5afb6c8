"""What is asked of a Milvus server: rows by a condition, in blocks, each call with a time-out and errors in words."""

import logging
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from handnet.errors import ConfigError, GalleryError, GalleryServerError
from handnet.gallery.stores.milvus_indexes import INDEXES, SearchIndex, find_index
from handnet.gallery.stores.milvus_rows import ServerRow

_PAGE_ROWS = 1000
_INSERT_ROWS = 500
_VALUES = 500
_POLL_S = 0.5
# The code of an error that milvus-lite has no other for.
_UNEXPECTED = 1
# How long a removal waits for a server's compaction.
COMPACTION_S = 1800.0
_GRPC_OPTIONS = {
    # The client's own default, a ping every 10 s on an idle connection, is more than servers put up with: they hang up.
    "grpc.keepalive_time_ms": 300_000,
    "grpc.keepalive_permit_without_calls": False,
    # Back at once where a server was started again: neither wait long, nor share what another connection found out.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2_000,
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


class Server:
    """One gallery on one server. The alias `handnet_NAME` stands for the collection that holds it now."""

    def __init__(self, gallery: str, address: str, timeout_s: float) -> None:
        """Connect.

        Args:
            gallery: its name.
            address: "milvus+http://HOST:PORT".
            timeout_s: of each call.

        Raises:
            ConfigError: a name that a server cannot take, or pymilvus is not installed.
            GalleryError: the server is out of reach.
        """
        if not _NAME.fullmatch(gallery):
            raise ConfigError(
                "On a server a gallery's name is a letter, then letters, digits and _, 100 at most. "
                f"Received: {gallery[:120]!r}."
            )
        try:
            from pymilvus import MilvusClient
        except ImportError:
            raise ConfigError(
                "A gallery on a server needs the package pymilvus: pip install 'handnet[milvus]'."
            ) from None
        # It prints each failure with a stack before it raises it.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.alias = f"handnet_{gallery}"
        self.address = address
        self.timeout_s = timeout_s
        with self.explaining():
            self.client = MilvusClient(
                address.removeprefix("milvus+"), timeout=timeout_s, dedicated=True, grpc_options=_GRPC_OPTIONS
            )

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn the client's errors into errors that say what to do."""
        import grpc
        from pymilvus import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError) as error:
            text = " ".join(str(getattr(error, "message", "") or error).split())[:200]
            raise GalleryServerError(
                f"The server {self.address} does not answer as it should ({text}). What was not acknowledged was not "
                "written. Is it running? Then repeat."
            ) from error

    def has_gallery(self) -> bool:
        """Whether the server has the gallery."""
        with self.explaining():
            return bool(self.client.has_collection(self.alias, timeout=self.timeout_s))

    def load(self) -> None:
        """Make a collection ready to be searched, e.g. after the server was started again.

        milvus-lite writes an index in place: one that was killed meanwhile leaves a part of it, and reads nothing of the
        collection any more. All of an index follows from the rows, so there it is built again.
        """
        from pymilvus import MilvusException

        with self.explaining():
            try:
                self.client.load_collection(self.alias, timeout=self.timeout_s)
            except MilvusException as error:
                is_lite = str(self.client.get_server_version(timeout=self.timeout_s)).startswith("milvus_lite")
                if not is_lite or error.code != _UNEXPECTED:
                    raise
                self._build_index_again()
                self.client.load_collection(self.alias, timeout=self.timeout_s)

    def _build_index_again(self) -> None:
        name = self._find_collection()
        kind = self.client.describe_index(name, "vector")["index_type"]
        self.client.release_collection(name, timeout=self.timeout_s)
        self.client.drop_index(name, "vector", timeout=self.timeout_s)
        index = next(index for index in INDEXES.values() if index.type == kind)
        self.client.create_index(name, self._prepare_index(index), timeout=self.timeout_s)

    def _prepare_index(self, index: SearchIndex) -> Any:
        parameters = self.client.prepare_index_params()
        parameters.add_index("vector", index_type=index.type, metric_type="IP", params=dict(index.build))
        return parameters

    def create_collection(self, width: int, index: str, shards: int) -> str:
        """Make an empty collection with a name of its own and return that.

        Args:
            width: numbers in a vector.
            index: of INDEXES.
            shards: over so many channels a Milvus cluster spreads what is written; milvus-lite ignores it.
        """
        from pymilvus import DataType

        name = f"{self.alias}_{secrets.token_hex(4)}"
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("key", DataType.VARCHAR, max_length=160, is_primary=True)
        for field, length in (("kind", 16), ("item", 100), ("owner", 64), ("mark", 64), ("body", 65_535)):
            schema.add_field(field, DataType.VARCHAR, max_length=length)
        schema.add_field("batch", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        with self.explaining():
            self.client.create_collection(
                name,
                schema=schema,
                index_params=self._prepare_index(find_index(index)),
                num_shards=shards,
                consistency_level="Strong",
                timeout=self.timeout_s,
            )
            self.client.load_collection(name, timeout=self.timeout_s)
        return name

    def turn_alias(self, name: str) -> None:
        """Let the gallery be this collection from now on; the old one is dropped with everything in it."""
        with self.explaining():
            if not self.has_gallery():
                self.client.create_alias(name, self.alias, timeout=self.timeout_s)
                return
            old = self._find_collection()
            self.client.alter_alias(name, self.alias, timeout=self.timeout_s)
            self.client.drop_collection(old, timeout=self.timeout_s)

    def drop_leftovers(self) -> None:
        """Drop what a process left that was killed while it wrote the gallery again; the caller holds the writers' lock."""
        with self.explaining():
            current = self._find_collection()
            own = re.compile(rf"{re.escape(self.alias)}_[0-9a-f]{{8}}")
            names = [name for name in self.client.list_collections(timeout=self.timeout_s) if own.fullmatch(name)]
        for name in names:
            if name != current:
                self.drop(name)

    def _find_collection(self) -> str:
        return str(self.client.describe_alias(self.alias, timeout=self.timeout_s)["collection_name"])

    def has(self, name: str) -> bool:
        """Whether a collection of this name is there."""
        with self.explaining():
            return bool(self.client.has_collection(name, timeout=self.timeout_s))

    def compact(self) -> bool:
        """Let the server write its files again without what was deleted, and wait for it.

        Returns:
            False where the server does so only when it pleases, as milvus-lite does: nothing was done.

        Raises:
            GalleryError: it has not come to an end after COMPACTION_S; it goes on.
        """
        with self.explaining():
            name = self._find_collection()
            self.client.flush(name, timeout=self.timeout_s)
            job = self.client.compact(name, timeout=self.timeout_s)
            # milvus-lite gives no number; a Milvus server gives -1 where there is nothing to do.
            if job == 0:
                return False
            deadline = time.monotonic() + COMPACTION_S
            while job > 0 and self.client.get_compaction_state(job, timeout=self.timeout_s) != "Completed":
                if time.monotonic() > deadline:
                    raise GalleryError(
                        f"What was removed is found by nobody any more, but after {COMPACTION_S:.0f} s the server "
                        f"{self.address} is still writing its files without it. Let it come to an end, then run handnet "
                        "gallery compact."
                    )
                time.sleep(_POLL_S)
        return True

    def drop(self, name: str) -> None:
        """Drop a collection that never became the gallery."""
        with self.explaining():
            self.client.drop_collection(name, timeout=self.timeout_s)

    def drop_gallery(self) -> None:
        """Drop the gallery: its alias, and the collection that holds it."""
        with self.explaining():
            name = self._find_collection()
            self.client.drop_alias(self.alias, timeout=self.timeout_s)
            self.client.drop_collection(name, timeout=self.timeout_s)

    def query(self, condition: str, fields: Sequence[str]) -> list[ServerRow]:
        """Return all rows that meet a condition."""
        more = {"output_fields": list(fields), "consistency_level": "Strong", "timeout": self.timeout_s}
        with self.explaining():
            rows = [dict(row) for row in self.client.query(self.alias, filter=condition, limit=_PAGE_ROWS, **more)]
            if len(rows) < _PAGE_ROWS:
                return rows
        return [row for page in self.query_pages(condition, fields, _PAGE_ROWS) for row in page]

    def count(self, condition: str) -> int:
        """Return how many rows meet a condition."""
        with self.explaining():
            more = {"output_fields": ["count(*)"], "consistency_level": "Strong", "timeout": self.timeout_s}
            return int(self.client.query(self.alias, filter=condition, **more)[0]["count(*)"])

    def query_pages(self, condition: str, fields: Sequence[str], num_rows: int) -> Iterator[list[ServerRow]]:
        """Go through the rows that meet a condition, in the order of their keys, not more than `num_rows` at a time."""
        more: dict[str, Any] = {"output_fields": list(fields), "consistency_level": "Strong", "timeout": self.timeout_s}
        with self.explaining():
            pages = self.client.query_iterator(self.alias, filter=condition, batch_size=num_rows, **more)
        try:
            while True:
                with self.explaining():
                    page = [dict(row) for row in pages.next()]
                if not page:
                    return
                yield page
        finally:
            pages.close()

    def query_in(self, condition: str, field: str, values: Sequence[str], fields: Sequence[str]) -> list[ServerRow]:
        """Return the rows that meet a condition and have one of these values in a field."""
        return [row for some in _list_conditions(condition, field, values) for row in self.query(some, fields)]

    def search(self, condition: str, vector: Sequence[float], limit: int, index: str) -> list[str]:
        """Return the owners of the nearest rows that meet a condition; `index`: the one that the collection has."""
        with self.explaining():
            hits = self.client.search(
                self.alias,
                [list(vector)],
                filter=condition,
                limit=limit,
                search_params=find_index(index).choose_search(limit),
                output_fields=["owner"],
                consistency_level="Strong",
                timeout=self.timeout_s,
            )
        return [str(hit["entity"]["owner"]) for hit in hits[0]]

    def insert(self, rows: Sequence[ServerRow], name: str = "") -> None:
        """Write rows; acknowledged rows survive a stop of the server."""
        with self.explaining():
            for start in range(0, len(rows), _INSERT_ROWS):
                block: Any = list(rows[start : start + _INSERT_ROWS])
                self.client.insert(name or self.alias, block, timeout=self.timeout_s)

    def upsert(self, row: ServerRow) -> None:
        """Write one row, or write it over."""
        with self.explaining():
            self.client.upsert(self.alias, [row], timeout=self.timeout_s)

    def delete(self, condition: str) -> None:
        """Delete the rows that meet a condition."""
        with self.explaining():
            self.client.delete(self.alias, filter=condition, timeout=self.timeout_s)

    def delete_in(self, condition: str, field: str, values: Sequence[str]) -> None:
        """Delete the rows that meet a condition and have one of these values in a field."""
        for some in _list_conditions(condition, field, values):
            self.delete(some)

    def flush(self, name: str = "") -> None:
        """Seal what was written, after which it is searched."""
        with self.explaining():
            self.client.flush(name or self.alias, timeout=self.timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


def _list_conditions(condition: str, field: str, values: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(values), _VALUES):
        quoted = ", ".join(f"'{value}'" for value in values[start : start + _VALUES])
        yield f"{condition} and {field} in [{quoted}]" if condition else f"{field} in [{quoted}]"
