"""The search index: every template of a collection in memory, made from the store and thrown away at will. Exact."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.gallery.identification_threshold import Compared
from handnet.gallery.pairings import Matching, Pairing, PairingFit
from handnet.gallery.records import HandKind, Person, Vector
from handnet.gallery.stores.store import Store
from handnet.gallery.templates import Template, build_templates

# What changed since the main table was built lies in a second, small one, until it is this share of the main one.
_SMALL_PEOPLE = 256
_SMALL_SHARE = 0.1
_BLOCK_CELLS = 1 << 24

Codes = npt.NDArray[np.int64]
Ratios = npt.NDArray[np.float64]


class Hits(NamedTuple):
    """The people nearest to one probe, the nearest first.

    Attributes:
        people: K people.
        log_ratios: float64 (K,) log-likelihood ratios.
        cosines: float64 (K,).
        pairings: K, how each was compared.
        num_compared: people who could be compared at all, K or more.
    """

    people: list[Person]
    log_ratios: Ratios
    cosines: Ratios
    pairings: list[Pairing]
    num_compared: int

    def without(self, person: str) -> "Hits":
        """Return the hits but for one person's.

        Args:
            person: id.
        """
        rest = [place for place, other in enumerate(self.people) if other.id != person]
        return Hits(
            [self.people[place] for place in rest],
            self.log_ratios[rest],
            self.cosines[rest],
            [self.pairings[place] for place in rest],
            self.num_compared,
        )


class _Selection(NamedTuple):
    """For one kind of probe the template by which each person is compared, and how."""

    rows: Codes
    slopes: Ratios
    intercepts: Ratios
    codes: npt.NDArray[np.int64]
    pairings: list[Pairing]
    fits: list[PairingFit]


@dataclass(slots=True)
class _Table:
    """Some people's templates; never changed once built, but for what is remembered."""

    people: list[Person]
    templates: list[Template]
    vectors: Vector
    person_codes: Codes
    selections: dict[HandKind, _Selection] = field(default_factory=dict)


class _State(NamedTuple):
    """One moment of a collection; replaced as a whole, so that searches in other threads see one moment too.

    Attributes:
        version: of the collection.
        main: most people.
        alive: bool, the main table's people who have not changed since it was built.
        recent: the others.
    """

    version: int
    main: _Table
    alive: npt.NDArray[np.bool_]
    recent: _Table


class TemplateIndex:
    """Finds the people nearest to a probe, each compared by the pairing that tells people apart best."""

    def __init__(self, matching: Matching, width: int) -> None:
        """Start empty.

        Args:
            matching: the calibrations.
            width: D.
        """
        self._matching = matching
        self._width = width
        self._guard = threading.Lock()
        self._state = _State(-1, self._build([], []), np.zeros(0, bool), self._build([], []))

    @property
    def num_people(self) -> int:
        """Everybody, also those who have no photo that can be compared."""
        return int(self._state.alive.sum()) + len(self._state.recent.people)

    def list_people(self) -> list[Person]:
        """Return everybody, in the order of enrolment or of the last change."""
        state = self._state
        return [p for p, alive in zip(state.main.people, state.alive, strict=True) if alive] + state.recent.people

    def list_templates(self) -> list[Template]:
        """Return all templates."""
        state = self._state
        alive = state.alive[state.main.person_codes]
        return [t for t, kept in zip(state.main.templates, alive, strict=True) if kept] + state.recent.templates

    def refresh(self, store: Store) -> None:
        """Take in what this or another process has written since."""
        with self._guard:
            state = self._state
            if store.read_version() == state.version:
                return
            snapshot = store.read_since(state.version)
            changed = {person.id for person in snapshot.people}
            templates = build_templates(snapshot.photos)
            kept = [person for person in state.recent.people if person.id in snapshot.ids and person.id not in changed]
            kept_ids = {person.id for person in kept}
            people = kept + snapshot.people
            templates = [t for t in state.recent.templates if t.person in kept_ids] + templates
            stays = [person.id in snapshot.ids and person.id not in changed for person in state.main.people]
            alive = state.alive & np.array(stays, dtype=bool)
            num_dead = len(alive) - int(alive.sum())
            if len(people) + num_dead > max(_SMALL_PEOPLE, _SMALL_SHARE * len(alive)):
                rows = alive[state.main.person_codes]
                old = [t for t, row in zip(state.main.templates, rows, strict=True) if row]
                people = [p for p, living in zip(state.main.people, alive, strict=True) if living] + people
                main = self._build(people, old + templates)
                self._state = _State(snapshot.version, main, np.ones(len(people), bool), self._build([], []))
            else:
                self._state = _State(snapshot.version, state.main, alive, self._build(people, templates))

    def fill(self, people: list[Person], templates: list[Template]) -> None:
        """Hold these, e.g. the candidates of a server's search, instead of a whole collection."""
        with self._guard:
            table = self._build(people, templates)
            self._state = _State(-1, table, np.ones(len(people), bool), self._build([], []))

    def search(self, kind: HandKind, vectors: Vector, limit: int | None = None) -> list[Hits]:
        """Return the nearest people of each probe; equally near ones in the order of enrolment.

        Args:
            kind: of all probes.
            vectors: float32 (Q, D), unit norm, turned as the collection's.
            limit: how many people to return at most; None: all.
        """
        state = self._state
        main = self._search_table(state.main, kind, vectors, limit, state.alive)
        recent = self._search_table(state.recent, kind, vectors, limit, np.ones(len(state.recent.people), bool))
        return [_merge(pair, limit) for pair in zip(main, recent, strict=True)]

    def compare(self, kind: HandKind) -> list[Compared]:
        """Return how many people a probe of this kind is compared with by each pairing."""
        state = self._state
        counts: dict[int, tuple[PairingFit, int]] = {}
        for table, alive in ((state.main, state.alive), (state.recent, np.ones(len(state.recent.people), bool))):
            selection = self._select(table, kind)
            living = selection.codes[alive[table.person_codes[selection.rows]]]
            for code, count in zip(*np.unique(living, return_counts=True), strict=True):
                fit = selection.fits[int(code)]
                counts[id(fit)] = (fit, counts.get(id(fit), (fit, 0))[1] + int(count))
        return [Compared(fit, count) for fit, count in counts.values()]

    def _build(self, people: list[Person], templates: list[Template]) -> _Table:
        places = {person.id: place for place, person in enumerate(people)}
        vectors = np.zeros((len(templates), self._width), np.float32)
        for row, template in zip(vectors, templates, strict=True):
            row[:] = template.vector
        codes = np.array([places[template.person] for template in templates], dtype=np.int64)
        return _Table(people, templates, vectors, codes)

    def _select(self, table: _Table, kind: HandKind) -> _Selection:
        if kind not in table.selections:
            table.selections[kind] = _choose_templates(table, kind, self._matching)
        return table.selections[kind]

    def _search_table(
        self, table: _Table, kind: HandKind, vectors: Vector, limit: int | None, alive: npt.NDArray[np.bool_]
    ) -> list[Hits]:
        selection = self._select(table, kind)
        living = alive[table.person_codes[selection.rows]]
        if not living.any():
            return [Hits([], np.zeros(0), np.zeros(0), [], 0) for _ in vectors]
        found = []
        places = np.flatnonzero(living)
        rows = selection.rows[places]
        block = max(1, _BLOCK_CELLS // len(table.vectors))
        for start in range(0, len(vectors), block):
            # All templates, also those that are not asked: to pick rows first would copy the matrix for each search.
            for cosines in (table.vectors @ vectors[start : start + block].T).T:
                found.append(_rank(table, selection, places, cosines[rows], limit, len(places)))
        return found


def choose_pairing(
    matching: Matching, kind: HandKind, templates: Iterable[Template]
) -> tuple[Template, Pairing, PairingFit] | None:
    """Return the template of one person by which a probe is compared: the one whose pairing errs least.

    Args:
        matching: the calibrations.
        kind: of the probe.
        templates: of the person.
    """
    best: tuple[Template, Pairing, PairingFit] | None = None
    for template in templates:
        found = matching.find(kind, template.kind, template.num_photos)
        if found is not None and (best is None or found[1].equal_error_rate < best[2].equal_error_rate):
            best = (template, *found)
    return best


def _choose_templates(table: _Table, kind: HandKind, matching: Matching) -> _Selection:
    """Choose as `choose_pairing` for everybody at once, before any score is seen."""
    fits: list[PairingFit] = []
    pairings: list[Pairing] = []
    by_group: dict[tuple[HandKind, bool], int] = {}
    codes = np.full(len(table.templates), -1, np.int64)
    for row, template in enumerate(table.templates):
        group = (template.kind, template.num_photos == 1)
        if group not in by_group:
            found = matching.find(kind, template.kind, template.num_photos)
            if found is not None and found[0] not in pairings:
                pairings.append(found[0])
                fits.append(found[1])
            by_group[group] = -1 if found is None else pairings.index(found[0])
        codes[row] = by_group[group]
    rows = np.flatnonzero(codes >= 0)
    columns = np.array([(fit.equal_error_rate, fit.slope, fit.intercept) for fit in fits]).reshape(-1, 3)
    # The first of each person after sorting by error rate; equal ones in the order of the templates.
    order = rows[np.lexsort((rows, columns[codes[rows], 0], table.person_codes[rows]))]
    chosen = order[np.unique(table.person_codes[order], return_index=True)[1]]
    used = codes[chosen]
    return _Selection(chosen, columns[used, 1], columns[used, 2], used, pairings, fits)


def _rank(
    table: _Table,
    selection: _Selection,
    places: Codes,
    cosines: npt.NDArray[np.floating],
    limit: int | None,
    num_compared: int,
) -> Hits:
    exact = cosines.astype(np.float64)
    ratios = selection.slopes[places] * exact + selection.intercepts[places]
    if limit is not None and len(ratios) > limit:
        nearest = np.argpartition(-ratios, limit - 1)[:limit]
        places, exact, ratios = places[nearest], exact[nearest], ratios[nearest]
    order = np.lexsort((places, -ratios))
    people = [table.people[code] for code in table.person_codes[selection.rows[places[order]]]]
    pairings = [selection.pairings[code] for code in selection.codes[places[order]]]
    return Hits(people, ratios[order], exact[order], pairings, num_compared)


def _merge(both: tuple[Hits, Hits], limit: int | None) -> Hits:
    main, recent = both
    if not recent.num_compared:
        return main if limit is None else _cut(main, limit)
    if not main.num_compared:
        return recent
    ratios = np.concatenate([main.log_ratios, recent.log_ratios])
    order = np.argsort(-ratios, kind="stable")
    people, pairings = main.people + recent.people, main.pairings + recent.pairings
    merged = Hits(
        [people[place] for place in order],
        ratios[order],
        np.concatenate([main.cosines, recent.cosines])[order],
        [pairings[place] for place in order],
        main.num_compared + recent.num_compared,
    )
    return merged if limit is None else _cut(merged, limit)


def _cut(hits: Hits, limit: int) -> Hits:
    return Hits(
        hits.people[:limit], hits.log_ratios[:limit], hits.cosines[:limit], hits.pairings[:limit], hits.num_compared
    )
