"""The gallery: enrol people from photos, then ask whose a hand is. No training when somebody joins."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from handnet.console import Count
from handnet.errors import ConfigError, DataError, EvaluationError, GalleryError
from handnet.gallery.answers import CheckReport, PersonSummary, Verdict, Verification, decide_same
from handnet.gallery.enrolment import Enrolment, Entry, Refused, enrol, new_id, now
from handnet.gallery.forgetting import Forgotten, forget
from handnet.gallery.identification_threshold import Compared, Threshold, choose_threshold
from handnet.gallery.index import TemplateIndex, choose_pairing
from handnet.gallery.matching import MAX_RANKED, Answer, combine_hits, rank_people
from handnet.gallery.migration import Migration, migrate
from handnet.gallery.noise import find_duplicates, find_misplaced, find_same_people
from handnet.gallery.pairings import Matching, matching_from_json, matching_to_json
from handnet.gallery.photo_encoder import Encoder, PhotoInput, name_photo
from handnet.gallery.protection import Codec, Key
from handnet.gallery.records import (
    UNKNOWN,
    AuditEntry,
    HandKind,
    Header,
    Person,
    Photo,
    check_kind,
    clean_name,
    decide_kind,
    describe_contradiction,
)
from handnet.gallery.review import check_level
from handnet.gallery.search import Found, PersonSearch
from handnet.gallery.stores import create_store, open_store
from handnet.gallery.stores.store import Store
from handnet.gallery.templates import build_templates
from handnet.metrics.embedded import EmbeddedPart, check_vector_file

Photos = PhotoInput | Sequence[PhotoInput]


class Gallery:
    """A collection of enrolled people, bound to one model."""

    def __init__(self, store: Store, encoder: Encoder | None = None) -> None:
        """Use an open store; `create` and `open` are the usual ways to a gallery.

        Args:
            store: the truth; closed with the gallery.
            encoder: the collection's model; None: what needs one fails.

        Raises:
            GalleryError: the encoder is another model than the collection's.
        """
        self._store = store
        self._encoder: Encoder | None = None
        self._thresholds: dict[tuple[object, ...], Threshold | str] = {}
        if encoder is not None:
            self.bind(encoder)
        self._use_header()

    @classmethod
    def create(
        cls,
        gallery: str | Path,
        encoder: Encoder,
        matching: Matching,
        *,
        store: str = "",
        key: Key | None = None,
        keep_photos: bool = False,
        review: str = "standard",
    ) -> "Gallery":
        """Make a new, empty gallery.

        Args:
            gallery: its folder, or its name on a server.
            encoder: the model that it is bound to.
            matching: the model's calibrations.
            store: address of a server, e.g. "milvus+http://127.0.0.1:19530"; "": a folder.
            key: protects the templates; None: not protected.
            keep_photos: keep the bytes of enrolled photos, without which no other model can be migrated to.
            review: level of the review at enrolment: "off", "standard" or "strict".

        Raises:
            GalleryError: it exists already.
            DiskError: it cannot be written.
            ConfigError: an unknown level or store.
        """
        header = Header(
            collection=new_id(),
            name=Path(gallery).name,
            model=encoder.digest,
            width=encoder.width,
            source=encoder.source,
            keep_photos=keep_photos,
            review=check_level(review),
            protection=Codec.describe_new(encoder.width, key),
            matching=matching_to_json(matching),
            created=now(),
        )
        return cls(create_store(str(gallery), store, header, key), encoder)

    @classmethod
    def open(
        cls, gallery: str | Path, encoder: Encoder | None = None, *, store: str = "", key: Key | None = None
    ) -> "Gallery":
        """Open a gallery; every row is checked.

        Args:
            gallery: its folder, or its name on a server.
            encoder: its model, for what embeds photos.
            store: address of a server; "": a folder.
            key: its key where it is protected.

        Raises:
            GalleryError: there is none, it is damaged, the key does not fit, or the model is another.
        """
        opened = open_store(str(gallery), store, key)
        try:
            return cls(opened, encoder)
        except BaseException:
            opened.close()
            raise

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()

    def bind(self, encoder: Encoder) -> None:
        """Use this model from now on.

        Raises:
            GalleryError: it is another model than the collection's.
        """
        self._check_model(encoder)
        self._encoder = encoder

    @property
    def header(self) -> Header:
        """What is true of the whole collection."""
        return self._store.header

    @property
    def matching(self) -> Matching:
        """The calibrations."""
        return self._matching

    @property
    def num_people(self) -> int:
        """How many people are enrolled."""
        return len(self._store.read_since(self._store.read_version()).ids)

    def add(
        self, name: str, photos: Photos | Sequence[Entry], *, view: str = "", side: str = "", review: str = ""
    ) -> Enrolment:
        """Enrol photos of a person, new or enrolled already.

        Args:
            name: of the person.
            photos: one or more files, bytes or uint8 arrays (H, W, 3), or `Entry` each.
            view: of all photos that do not say themselves: "dorsal", "palmar", or "" as the model sees it.
            side: likewise: "left", "right" or "".
            review: level for these photos; "": the collection's.

        Returns:
            What was enrolled, on disk, and what was refused and why.

        Raises:
            ConfigError: an unusable name, view, side or level.
            GalleryError: the gallery is busy, damaged or without its model.
            DiskError: it cannot be written; nothing was enrolled.
        """
        entries = [
            entry if isinstance(entry, Entry) else Entry(entry, view, side, name_photo(entry, number))
            for number, entry in enumerate(_list_photos(photos), 1)
        ]
        if not entries:
            raise DataError(f"No photos of {name!r} were given.")
        level = check_level(review or self.header.review)
        return enrol(self._store, self._search, self._need_encoder(), self._matching, name, entries, level)

    def import_(
        self,
        entries: Mapping[str, Sequence[Entry]],
        *,
        review: str = "",
        progress: Callable[[Enrolment], None] | None = None,
    ) -> Sequence[Enrolment]:
        """Enrol many people, each in a transaction of their own: what was reported is on disk whatever comes after.

        Args:
            entries: photos by name, e.g. from `read_entries`.
            review: level for these photos; "": the collection's.
            progress: called with what came of each person.
        """
        done = []
        for name, photos in entries.items():
            try:
                clean_name(name)
            except ConfigError as error:
                # One unusable name must not keep those after it from being enrolled.
                done.append(_refuse_all(name, photos, str(error)))
            else:
                done.append(self.add(name, list(photos), review=review))
            if progress is not None:
                progress(done[-1])
        return done

    def list(self) -> Sequence[PersonSummary]:
        """Return everybody, sorted by name."""
        snapshot = self._store.read_since(-1)
        kinds: dict[str, Counter[HandKind]] = {person.id: Counter() for person in snapshot.people}
        for photo in snapshot.photos:
            kinds[photo.person][photo.kind] += 1
        rows = [
            PersonSummary(
                person.name, sum(kinds[person.id].values()), dict(kinds[person.id]), person.created, person.id
            )
            for person in snapshot.people
        ]
        return sorted(rows, key=lambda row: (row.name.casefold(), row.name))

    def find_person(self, person: str) -> Person | None:
        """Return the person of an id, or None.

        Args:
            person: id.
        """
        return self._store.read_person(person)

    def show(self, name: str) -> tuple[Person, Sequence[Photo]]:
        """Return a person and the enrolled photos.

        Raises:
            GalleryError: nobody of that name.
        """
        person = self._find(name)
        return person, self._store.read_photos([person.id])

    def read_picture(self, photo: str) -> bytes | None:
        """Return the kept bytes of an enrolled photo, or None where they were not kept.

        Args:
            photo: its id.
        """
        return self._store.read_picture(photo)

    def rename(self, name: str, new_name: str) -> None:
        """Give a person another name.

        Raises:
            GalleryError: nobody of that name, or somebody else has the new one.
            ConfigError: a name that cannot be used.
        """
        new_name = clean_name(new_name)
        with self._store.write() as changes:
            person = self._find(name)
            other = self._store.find_person(new_name)
            if other is not None and other.id != person.id:
                raise GalleryError(
                    f"Somebody is enrolled as {other.name!r} already. Use merge if they are one person, or another name."
                )
            changes.put_people.append(replace(person, name=new_name))
            changes.action, changes.subject = "rename", person.id
        # The old name is personal data too.
        self._store.compact()

    def remove(self, name: str, photo: str = "") -> int:
        """Remove a person, or one of the person's photos, and what is left of them in the files.

        Args:
            name: of the person.
            photo: id of a photo, or as much of its beginning as is unique; "": the person.

        Returns:
            Photos that were removed.

        Raises:
            GalleryError: there is no such person or photo, or another process still reads what was removed.
        """
        with self._store.write() as changes:
            person = self._find(name)
            photos = self._store.read_photos([person.id])
            changes.action, changes.subject = "remove", person.id
            if photo:
                chosen = [row for row in photos if row.id.startswith(photo)]
                if len(chosen) != 1:
                    raise GalleryError(
                        f"{len(chosen)} photos of {person.name!r} have an id that begins with {photo!r}; expected one. "
                        "See handnet gallery show."
                    )
                changes.remove_photos.append(chosen[0].id)
            else:
                chosen = photos
                changes.remove_people.append(person.id)
            changes.detail = f"{len(chosen)} photos"
        self._store.compact()
        return len(chosen)

    def merge(self, name: str, other: str) -> int:
        """Make one person of two: the photos of `other` go to `name`, and `other` is removed.

        Returns:
            Photos that were moved.

        Raises:
            GalleryError: one of them is not enrolled, or both are the same.
        """
        with self._store.write() as changes:
            person, second = self._find(name), self._find(other)
            if person.id == second.id:
                raise GalleryError(f"{name!r} and {other!r} are the same person already.")
            photos = self._store.read_photos([second.id])
            changes.put_photos += [replace(photo, person=person.id) for photo in photos]
            changes.remove_people.append(second.id)
            changes.action, changes.subject = "merge", person.id
            changes.detail = f"{len(photos)} photos of {second.id}"
        self._store.compact()
        return len(photos)

    def forget(self, name: str) -> Forgotten:
        """Remove a person and prove it by searching the files for their bytes.

        Raises:
            GalleryError: nobody of that name, or something of them was found afterwards.
        """
        return forget(self._store, name)

    def backup(self, target: str | Path) -> None:
        """Write the gallery as of now into a new folder, which can be opened as a gallery.

        Raises:
            GalleryError: something lies there already.
            DiskError: it cannot be written.
        """
        self._store.backup(Path(target))

    def compact(self) -> None:
        """Remove what deleted rows left behind in the files."""
        self._store.compact()

    def check(self) -> CheckReport:
        """Look for damage, and for label noise where there is none."""
        damage = self._store.check()
        if damage:
            return CheckReport(tuple(damage), (), (), ())
        snapshot = self._store.read_since(-1)
        index = TemplateIndex(self._matching, self.header.width)
        index.refresh(self._store)
        return CheckReport(
            (),
            tuple(find_same_people(index)),
            tuple(find_misplaced(snapshot.people, snapshot.photos, index, self._matching)),
            tuple(find_duplicates(snapshot.people, snapshot.photos)),
        )

    def migrate(
        self,
        encoder: Encoder,
        matching: Matching,
        *,
        dry_run: bool = False,
        photos: str | Path | None = None,
        progress: Count | None = None,
    ) -> Migration:
        """Embed everybody again with another model and bind the gallery to it; all of them, or nothing is changed.

        Args:
            encoder: the new model.
            matching: its calibrations.
            dry_run: only say who can be migrated.
            photos: folder of the photos, where they were not kept.
            progress: called with (photos done, photos in all).

        Raises:
            GalleryError: somebody cannot be migrated and it is no dry run.
        """
        folder = None if photos is None else Path(photos)
        done = migrate(self._store, encoder, matching, dry_run=dry_run, photos=folder, progress=progress)
        if done.done:
            self._encoder = encoder
            self._use_header()
        return done

    def rotate_key(self, key: Key | None) -> None:
        """Turn and seal everything with another key, in one transaction; the old key opens nothing any more.

        Args:
            key: the new one; None: the gallery is not protected any longer.
        """
        self._store.rekey(key)
        self._use_header()

    def read_audit(self) -> Sequence[AuditEntry]:
        """Return the log of changes, the oldest first."""
        return self._store.read_audit()

    def export(self, target: str | Path) -> int:
        """Write names and vectors as the model gave them, not protected, to a file that `handnet eval --embeddings` reads.

        Only its owner can read the file.

        Args:
            target: a file that ends with .npz or .parquet.

        Returns:
            Photos that were written.

        Raises:
            DataError: nobody is enrolled.
            ConfigError: another kind of file.
            DiskError: it cannot be written.
        """
        check_vector_file(Path(target))
        snapshot = self._store.read_since(-1)
        if not snapshot.photos:
            raise DataError("There is nothing to export: nobody is enrolled.")
        names = {person.id: person.name for person in snapshot.people}
        vectors = self._store.codec.turn_back(np.stack([photo.vector for photo in snapshot.photos]))
        part = EmbeddedPart(
            vectors,
            np.array([names[photo.person] for photo in snapshot.photos]),
            np.array([photo.kind.view for photo in snapshot.photos]),
            np.array([photo.kind.side for photo in snapshot.photos]),
            ({},) * len(vectors),
            ("",) * len(vectors),
            self.header.name,
        )
        part.save(Path(target), private=True)
        return len(vectors)

    def identify(
        self,
        photos: Photos,
        *,
        top: int = 10,
        fpir: float | None = None,
        fpir_bound: str = "estimate",
        prior: float = 0.5,
        view: str = "",
        side: str = "",
        together: bool = False,
    ) -> Sequence[Answer]:
        """Say whose hands these are; the answer may be nobody enrolled.

        Args:
            photos: one or more files, bytes or uint8 arrays (H, W, 3).
            top: people to list at most, 1 or more.
            fpir: false-positive identification rate, 0..1: about this share of people who are not enrolled may be named;
                None: the lowest of 1, 5, 10 and 30 % that the calibration carries.
            fpir_bound: what `fpir` is of the threshold: "estimate", the best estimate of its rate, or "upper", the upper end
                of the 95 % interval.
            prior: probability that a hand belongs to somebody enrolled, before it is seen.
            view: of all photos: "dorsal", "palmar", or "" as the model sees it.
            side: likewise: "left", "right" or "".
            together: all photos show one person: one answer.

        Returns:
            An answer for each photo, or one for all.

        Raises:
            EvaluationError: a rate that the calibration cannot carry.
            ConfigError: an unknown view, side or bound.
        """
        check_kind(view, side)
        asked = _Asked(fpir, fpir_bound)
        inputs = _list_photos(photos)
        titles = [name_photo(photo, number) for number, photo in enumerate(inputs, 1)]
        embedded = self._need_encoder().embed(inputs) if inputs else []
        answers: list[Answer] = []
        usable: list[tuple[str, HandKind, Found]] = []
        all_remarks: list[str] = []
        for title, result in zip(titles, embedded, strict=True):
            if result.vector is None:
                answers.append(Answer(title, result.reason, "", "", "", (), 1.0, prior, None, (), 0, 0))
                continue
            kind = decide_kind(result.kind, view, side)
            vector = self._store.codec.turn(result.vector[None])[0]
            found = self._search.find(kind, vector, None if together else max(top, MAX_RANKED))
            usable.append((title, kind, found))
            remarks = (*result.remarks, *describe_contradiction(result.kind, kind))
            all_remarks += [f"{title}: {remark}" for remark in remarks]
            if not together:
                answers.append(self._answer(title, [kind], found, [found.compared], remarks, top, asked, prior))
        if together and usable:
            title = ", ".join(row[0] for row in usable)
            found = usable[0][2]._replace(hits=combine_hits([row[2].hits for row in usable]))
            kinds, compared = [row[1] for row in usable], [row[2].compared for row in usable]
            answers.insert(0, self._answer(title, kinds, found, compared, tuple(all_remarks), top, asked, prior))
        return answers

    def verify(self, name: str, photos: Photos, *, view: str = "", side: str = "") -> Sequence[Verification]:
        """Say of each photo whether it shows an enrolled person.

        Args:
            name: of the person.
            photos: one or more files, bytes or uint8 arrays (H, W, 3).
            view: of all photos: "dorsal", "palmar", or "" as the model sees it.
            side: likewise: "left", "right" or "".

        Raises:
            GalleryError: nobody of that name.
            ConfigError: an unknown view or side.
        """
        check_kind(view, side)
        person = self._find(name)
        templates = build_templates(self._store.read_photos([person.id]))
        inputs = _list_photos(photos)
        answers = []
        for number, (photo, result) in enumerate(zip(inputs, self._need_encoder().embed(inputs), strict=True), 1):
            title = name_photo(photo, number)
            if result.vector is None:
                answers.append(Verification(title, person.name, Verdict(result.reason)))
                continue
            kind = decide_kind(result.kind, view, side)
            found = choose_pairing(self._matching, kind, templates)
            if found is None:
                verdict = Verdict(_explain_no_pairing(kind))
            else:
                template, pairing, fit = found
                vector = self._store.codec.turn(result.vector[None])[0]
                verdict = decide_same(template.vector, vector, pairing, fit, self._matching.origin)
            remarks = (*result.remarks, *describe_contradiction(result.kind, kind))
            answers.append(Verification(title, person.name, verdict, remarks))
        return answers

    def _answer(
        self,
        title: str,
        kinds: Sequence[HandKind],
        found: Found,
        compared: Sequence[Sequence[Compared]],
        remarks: tuple[str, ...],
        top: int,
        asked: "_Asked",
        prior: float,
    ) -> Answer:
        hits, num_people = found.hits, found.num_people
        view, side = kinds[0] if len(set(kinds)) == 1 else UNKNOWN
        threshold: Threshold | None = None
        if not num_people:
            remarks += ("nobody is enrolled",)
        elif not hits.num_compared:
            remarks += (_explain_no_pairing(kinds[0]),)
        else:
            thresholds = [self._choose_threshold(part, asked) for part in compared if part]
            remarks += tuple(dict.fromkeys(row for row in thresholds if isinstance(row, str)))
            # Of several photos of different kinds the strictest threshold counts.
            told = [row for row in thresholds if isinstance(row, Threshold)]
            threshold = max(told, key=lambda row: row.log_ratio, default=None)
            if apart := num_people - hits.num_compared:
                remarks += (f"{apart:,} of {num_people:,} people cannot be compared with this photo",)
        matches, nobody = rank_people(hits, threshold, num_people=num_people, top=top, prior=prior)
        name = matches[0].name if matches and matches[0].accepted else ""
        compared_people = hits.num_compared
        return Answer(
            title, "", view, side, name, matches, nobody, prior, threshold, remarks, num_people, compared_people
        )

    def _choose_threshold(self, compared: Sequence[Compared], asked: "_Asked") -> Threshold | str:
        """Return the threshold, or, where no rate was asked for, why there is none."""
        place = (tuple(sorted((id(part.fit), part.num_people) for part in compared)), asked)
        if place not in self._thresholds:
            try:
                self._thresholds[place] = choose_threshold(
                    compared, asked.fpir, self._matching.origin, bound=asked.bound
                )
            except EvaluationError as error:
                if asked.fpir is not None:
                    raise
                self._thresholds[place] = f"nobody is named: {error}"
        return self._thresholds[place]

    def _use_header(self) -> None:
        """Build again what depends on the header: calibrations, index, thresholds."""
        self._matching = matching_from_json(self.header.matching)
        self._search = PersonSearch(self._store, self._matching)
        self._thresholds.clear()

    def _check_model(self, encoder: Encoder) -> None:
        if (encoder.digest, encoder.width) != (self.header.model, self.header.width):
            raise GalleryError(
                f"This gallery holds vectors of the model {self.header.model[:12]} ({self.header.width} numbers). "
                f"Received: the model {encoder.digest[:12]} ({encoder.width}). Give its own model, or use migrate."
            )

    def _need_encoder(self) -> Encoder:
        if self._encoder is None:
            raise GalleryError("This needs the gallery's model: open the gallery with an encoder.")
        return self._encoder

    def _find(self, name: str) -> Person:
        person = self._store.find_person(clean_name(name))
        if person is None:
            raise GalleryError(f"Nobody is enrolled as {name!r}. See handnet gallery list.")
        return person


class _Asked(NamedTuple):
    """The false-positive rate that is asked for, and what it is of the threshold."""

    fpir: float | None
    bound: str


def _list_photos(photos: Photos | Entry | Sequence[Entry]) -> list[PhotoInput]:
    single = isinstance(photos, str | Path | bytes | np.ndarray | Entry)
    return [photos] if single else list(photos)  # type: ignore[list-item, arg-type]


def _refuse_all(name: str, photos: Sequence[Entry], reason: str) -> Enrolment:
    titles = [entry.title or name_photo(entry.photo, number) for number, entry in enumerate(photos, 1)]
    return Enrolment(name, (), tuple(Refused(title, reason) for title in titles), is_new=False)


def _explain_no_pairing(kind: HandKind) -> str:
    return f"nobody's photos can be compared with this one ({kind}): another hand, or no calibration for such a pair"
