"""One search for both kinds of stores: in memory over everybody, or on the server and then exactly over its candidates."""

from typing import NamedTuple

import numpy as np

from handnet.gallery.identification_threshold import Compared
from handnet.gallery.index import Hits, TemplateIndex, choose_pairing
from handnet.gallery.pairings import Matching, Pairing, PairingFit
from handnet.gallery.records import HandKind, Vector
from handnet.gallery.stores.store import Composition, Store
from handnet.gallery.templates import Template

# Milvus returns 16,384 rows at most.
_SERVER_LIMIT = 2000
_NO_VECTOR = np.zeros(0, np.float32)


class Found(NamedTuple):
    """What a search returns.

    Attributes:
        hits: the nearest people.
        compared: how many people are compared by each pairing.
        num_people: enrolled.
    """

    hits: Hits
    compared: list[Compared]
    num_people: int


class PersonSearch:
    """Finds the enrolled people nearest to a probe, as of the last commit."""

    def __init__(self, store: Store, matching: Matching) -> None:
        """Start with nothing read.

        Args:
            store: the truth.
            matching: the calibrations.
        """
        self._store = store
        self._matching = matching
        self.index = TemplateIndex(matching, store.header.width)

    def find(self, kind: HandKind, vector: Vector, limit: int | None = None) -> Found:
        """Return the nearest people of one probe.

        Args:
            kind: of the probe.
            vector: float32 (D,), unit norm, turned as the collection's.
            limit: people at most; None: all, or as many as a server returns.
        """
        everybody = self._store.find_candidates((), vector, 0)
        if everybody is None:
            self.index.refresh(self._store)
            hits = self.index.search(kind, vector[None], limit)[0]
            return Found(hits, self.index.compare(kind), self.index.num_people)
        groups = {group for groups in everybody.composition for group in groups}
        usable = sorted(
            (hand, single) for hand, single in groups if self._matching.find(kind, hand, 1 if single else 2)
        )
        candidates = self._store.find_candidates(usable, vector, limit or _SERVER_LIMIT)
        assert candidates is not None, "a server that searched once searches again"
        index = TemplateIndex(self._matching, self._store.header.width)
        index.fill(candidates.people, candidates.templates)
        compared = count_pairings(self._matching, kind, candidates.composition)
        hits = index.search(kind, vector[None], limit)[0]
        num_compared = sum(part.num_people for part in compared)
        return Found(hits._replace(num_compared=num_compared), compared, candidates.num_people)


def count_pairings(matching: Matching, kind: HandKind, composition: Composition) -> list[Compared]:
    """Return how many people a probe is compared with by each pairing, from the kinds of their templates alone.

    Args:
        matching: the calibrations.
        kind: of the probe.
        composition: of the collection.
    """
    counts: dict[Pairing, tuple[PairingFit, int]] = {}
    for groups, count in composition.items():
        templates = [Template("", hand, 1 if single else 2, _NO_VECTOR) for hand, single in groups]
        found = choose_pairing(matching, kind, templates)
        if found is not None:
            _, pairing, fit = found
            counts[pairing] = (fit, counts.get(pairing, (fit, 0))[1] + count)
    return [Compared(fit, count) for fit, count in counts.values()]
