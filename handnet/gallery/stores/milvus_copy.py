"""A gallery written again: into a new collection of the server, block by block, which then becomes the gallery."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from handnet.errors import GalleryError, GalleryServerError
from handnet.gallery.protection import Codec
from handnet.gallery.records import Header
from handnet.gallery.stores.milvus_client import Server
from handnet.gallery.stores.milvus_rows import Head, RowWriter, ServerRow, compose, write_composition
from handnet.gallery.stores.rows import RowCodec
from handnet.gallery.stores.store import CHANGED_MEANWHILE, Block
from handnet.gallery.templates import build_templates


class NewCollection:
    """A collection of the server that nobody reads before the gallery's alias is turned to it."""

    def __init__(self, server: Server, header: Header, codec: Codec, version: int) -> None:
        """Make it, empty.

        Args:
            server: of the gallery.
            header: of the gallery as it will be.
            codec: seals and sums its rows.
            version: of the gallery as it will be.
        """
        self._server, self._header, self._version = server, header, version
        self._writer = RowWriter(RowCodec(codec, header.collection, seal_vectors=False), header.width, version)
        self._composition: Counter[str] = Counter()
        self.num_people = self.num_photos = 0
        self.name = server.create_collection(header.width, header.index, header.shards)

    @contextmanager
    def dropped_on_error(self) -> Iterator[None]:
        """Drop it where it is not finished.

        Raises:
            GalleryError: a program that wrote the whole gallery has dropped it meanwhile.
        """
        try:
            yield
        except GalleryServerError as error:
            if self._server.has(self.name):
                self._server.drop(self.name)
                raise
            raise GalleryError(CHANGED_MEANWHILE) from error
        except BaseException:
            self._server.drop(self.name)
            raise

    def put(self, block: Block) -> None:
        """Write some people with all of their photos, and the templates of these."""
        rows = [self._writer.make_person(replace(person, version=self._version)) for person in block.people]
        rows += [self._writer.make_photo(photo) for photo in block.photos]
        rows += [self._writer.make_template(template) for template in build_templates(block.photos)]
        self._composition.update(write_composition(compose(sorted(person.id for person in block.people), block.photos)))
        self.num_people += len(block.people)
        self.num_photos += len(block.photos)
        self._server.insert(rows, self.name)

    def put_log(self, pages: Iterable[Iterable[ServerRow]]) -> None:
        """Write lines of the log again."""
        for page in pages:
            rows = [self._writer.make("audit", row["item"], body=row["body"]) for row in page]
            self._server.insert(rows, self.name)

    def finish(self, epoch: int, make_entries: Callable[[RowWriter], list[ServerRow]]) -> None:
        """Write what makes a gallery of it, and let the server seal it.

        Args:
            epoch: of the gallery as it will be.
            make_entries: returns the lines that are new in the log.
        """
        rows = self._writer.make_header(self._header.to_json())
        head = Head(self._version, epoch, len(rows), dict(self._composition))
        self._server.insert([*rows, *make_entries(self._writer), self._writer.make_head(head)], self.name)
        self._server.flush(self.name)
