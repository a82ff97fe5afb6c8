"""The gallery: enrol people from photos, then ask whose a hand is. No training when somebody joins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from handnet.console import Count
from handnet.errors import ConfigError, DataError, GalleryError
from handnet.gallery.answers import CheckReport, PersonSummary, Verification
from handnet.gallery.enrolled import find_named, list_people, merge_people, remove_person, rename_person
from handnet.gallery.enrolment import Enrolment, Entry, Refused, enrol, new_id, now
from handnet.gallery.forgetting import Forgotten, forget
from handnet.gallery.matching import Answer
from handnet.gallery.migration import Migration, migrate
from handnet.gallery.pairings import Matching, matching_from_json, matching_to_json
from handnet.gallery.photo_encoder import PhotoEncoder, PhotoInput, name_photo
from handnet.gallery.protection import Codec, Key
from handnet.gallery.recognition import Question, Recognition
from handnet.gallery.records import AuditEntry, Header, Person, Photo, clean_name
from handnet.gallery.review import check_level
from handnet.gallery.stores import create_store, open_store
from handnet.gallery.stores.store import Store
from handnet.gallery.upkeep import check_store, export_vectors

Photos = PhotoInput | Sequence[PhotoInput]


class Gallery:
    """A collection of enrolled people, bound to one model."""

    def __init__(self, store: Store, encoder: PhotoEncoder | None = None) -> None:
        """Use an open store; `create` and `open` are the usual ways to a gallery.

        Args:
            store: the truth; closed with the gallery.
            encoder: the collection's model; None: what needs one fails.

        Raises:
            GalleryError: the encoder is another model than the collection's.
        """
        self._store = store
        self._encoder: PhotoEncoder | None = None
        if encoder is not None:
            self.bind(encoder)
        self._use_header()

    @classmethod
    def create(
        cls,
        gallery: str | Path,
        encoder: PhotoEncoder,
        matching: Matching,
        *,
        store: str = "",
        key: Key | None = None,
        keep_photos: bool = False,
        review: str = "standard",
        index: str = "exact",
        shards: int = 1,
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
            index: how a server searches: "exact", "hnsw", "ivf", "ivf-sq8" or "diskann"; see docs/scale.md.
            shards: over how many channels a Milvus cluster spreads what is written; milvus-lite ignores it.

        Raises:
            GalleryError: it exists already.
            DiskError: it cannot be written.
            ConfigError: an unknown level, store or index, or an index or shards for a folder.
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
            index=index,
            shards=shards,
        )
        return cls(create_store(str(gallery), store, header, key), encoder)

    def create_like(
        self, gallery: str | Path, *, store: str = "", keep_photos: bool = False, review: str = "standard"
    ) -> "Gallery":
        """Make a new, empty gallery of the same model, calibrations and key; its templates are turned otherwise.

        Args:
            gallery: its folder, or its name on a server.
            store: address of a server; "": a folder.
            keep_photos: keep the bytes of enrolled photos.
            review: level of the review at enrolment: "off", "standard" or "strict".

        Returns:
            The new gallery, open and without an encoder; see `bind`.

        Raises:
            GalleryError: it exists already.
            DiskError: it cannot be written.
        """
        key = self._store.codec.key
        header = replace(
            self.header,
            collection=new_id(),
            name=Path(gallery).name,
            keep_photos=keep_photos,
            review=check_level(review),
            protection=Codec.describe_new(self.header.width, key),
            created=now(),
            index=self.header.index if store else "exact",
            shards=self.header.shards if store else 1,
        )
        return Gallery(create_store(str(gallery), store, header, key))

    @classmethod
    def open(
        cls, gallery: str | Path, encoder: PhotoEncoder | None = None, *, store: str = "", key: Key | None = None
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

    def bind(self, encoder: PhotoEncoder) -> None:
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
        everybody = self._store.find_candidates((), np.zeros(self.header.width, np.float32), 0)
        if everybody is not None:
            return everybody.num_people
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
        return enrol(self._store, self._recognition.search, self._need_encoder(), self._matching, name, entries, level)

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
        return list_people(self._store)

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
        person = find_named(self._store, name)
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
        rename_person(self._store, name, new_name)

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
        return remove_person(self._store, name, photo)

    def merge(self, name: str, other: str) -> int:
        """Make one person of two: the photos of `other` go to `name`, and `other` is removed.

        Returns:
            Photos that were moved.

        Raises:
            GalleryError: one of them is not enrolled, or both are the same.
        """
        return merge_people(self._store, name, other)

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

    def delete(self) -> None:
        """Delete the whole gallery with everybody in it, and close it. Backups stay.

        Raises:
            GalleryError: another process has it open, or its server does not answer; nothing was deleted.
            DiskError: its folder cannot be written; likewise.
        """
        self._store.delete()

    def compact(self) -> None:
        """Remove what deleted rows left behind in the files."""
        self._store.compact()

    def check(self) -> CheckReport:
        """Look for damage, and for label noise where there is none."""
        return check_store(self._store, self._matching)

    def migrate(
        self,
        encoder: PhotoEncoder,
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

        Raises:
            ConfigError: it is the key that the gallery has.
        """
        if key is not None and key == self._store.codec.key:
            raise ConfigError(
                "This is the key that the gallery has, so nothing would be revoked. Make another: handnet gallery make-key FILE."
            )
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
        return export_vectors(self._store, Path(target))

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
        question = Question(top, fpir, fpir_bound, prior, view, side, together)
        return self._recognition.identify(self._need_encoder(), _list_photos(photos), question)

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
        person = find_named(self._store, name)
        return self._recognition.verify(self._need_encoder(), person, _list_photos(photos), view, side)

    def _use_header(self) -> None:
        """Build again what depends on the header: calibrations and what answers by them."""
        self._matching = matching_from_json(self.header.matching)
        self._recognition = Recognition(self._store, self._matching)

    def _check_model(self, encoder: PhotoEncoder) -> None:
        if (encoder.digest, encoder.width) != (self.header.model, self.header.width):
            raise GalleryError(
                f"This gallery holds vectors of the model {self.header.model[:12]} ({self.header.width} numbers). "
                f"Received: the model {encoder.digest[:12]} ({encoder.width}). Give its own model, or use migrate."
            )

    @property
    def encoder(self) -> PhotoEncoder | None:
        """The model that it is bound to, if it is."""
        return self._encoder

    def _need_encoder(self) -> PhotoEncoder:
        if self._encoder is None:
            raise GalleryError("This needs the gallery's model: open the gallery with an encoder.")
        return self._encoder


def _list_photos(photos: Photos | Entry | Sequence[Entry]) -> list[PhotoInput]:
    single = isinstance(photos, str | Path | bytes | np.ndarray | Entry)
    return [photos] if single else list(photos)  # type: ignore[list-item, arg-type]


def _refuse_all(name: str, photos: Sequence[Entry], reason: str) -> Enrolment:
    titles = [entry.title or name_photo(entry.photo, number) for number, entry in enumerate(photos, 1)]
    return Enrolment(name, (), tuple(Refused(title, reason) for title in titles), is_new=False)
