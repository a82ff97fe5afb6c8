"""How a Milvus server searches: exactly, or by an index that looks at a part of the vectors and misses some."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from handnet.errors import ConfigError, format_unknown

# The index of a gallery that is searched exactly, as in memory.
EXACT = "exact"


class SearchIndex(NamedTuple):
    """An index of the server.

    Attributes:
        type: as Milvus calls it.
        build: its parameters as it is built.
        search: its parameters in a search.
        breadth: the one of them that must not be less than the number of people asked for; "": none.
    """

    type: str
    build: Mapping[str, int]
    search: Mapping[str, int]
    breadth: str = ""

    def choose_search(self, limit: int) -> dict[str, Any]:
        """Return what a search for `limit` rows is given."""
        chosen = dict(self.search)
        if self.breadth:
            chosen[self.breadth] = max(chosen[self.breadth], limit)
        return {"params": chosen}


def find_index(name: str) -> SearchIndex:
    """Return an index by its name.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in INDEXES:
        raise ConfigError(format_unknown("index", name, INDEXES))
    return INDEXES[name]


# What each of them finds, needs and costs: docs/scale.md. DiskANN is a Milvus cluster's or standalone's; milvus-lite has none.
INDEXES: Mapping[str, SearchIndex] = {
    EXACT: SearchIndex("FLAT", {}, {}),
    "hnsw": SearchIndex("HNSW", {"M": 32, "efConstruction": 200}, {"ef": 256}, "ef"),
    "ivf": SearchIndex("IVF_FLAT", {"nlist": 1024}, {"nprobe": 64}),
    "ivf-sq8": SearchIndex("IVF_SQ8", {"nlist": 1024}, {"nprobe": 64}),
    "diskann": SearchIndex("DISKANN", {}, {"search_list": 200}, "search_list"),
}
