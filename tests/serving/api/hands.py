"""Photos of synthetic hands that say in a comment whose they are, and an encoder that reads it: no network, no TensorFlow."""

import json
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from handnet.data.synthetic import draw_photo, sample_person
from handnet.gallery import Gallery
from handnet.gallery.pairings import Matching
from handnet.gallery.photo_encoder import Embedded, PhotoInput, read_contents
from handnet.metrics.embedded import EmbeddedPart, make_part
from handnet.serving.api.batching import BatchingEncoder
from handnet.serving.api.explorer import Explorer
from handnet.serving.api.limits import Limits
from handnet.serving.api.service import Collection, Service
from tests.gallery.simulated import SimulatedEncoder, draw_vector, fit_simulated, take_photo

NAMES = ("Ada Lovelace", "Emmy Noether", "Grace Hopper", "Lise Meitner", "Mary Cartwright", "Sofia Kovalevskaya")
SIZE_PX = (160, 120)


@cache
def draw(
    person: int, view: str = "dorsal", side: str = "left", shot: int = 0, size_px: tuple[int, int] = SIZE_PX
) -> bytes:
    """Return a JPEG of a synthetic person's hand, with what `SimulatedEncoder` reads as its comment."""
    pixels = draw_photo(3, sample_person(3, person), view, side, shot, size_px)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, comment=take_photo(person, view, side, shot))
    return buffer.getvalue()


class PhotoEncoder(SimulatedEncoder):
    """Reads the comment of `draw`'s photos; a photo without one is of a stranger whom its pixels decide."""

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        return super().embed([_read_comment(read_contents(photo)) for photo in photos])


def _read_comment(contents: bytes) -> bytes:
    try:
        with Image.open(BytesIO(contents)) as opened:
            if "comment" in opened.info:
                return bytes(opened.info["comment"])
            stranger = int(np.asarray(opened.convert("L").resize((8, 8)), np.int64).sum())
    except (OSError, SyntaxError, ValueError):
        return b"not a photo"
    return json.dumps({"person": 10_000 + stranger, "view": "dorsal", "side": "left", "shot": 0}).encode()


@cache
def calibrate() -> Matching:
    return fit_simulated(60)


def make_service(
    folder: Path, *, keep_photos: bool = True, people: int = 6, limits: Limits | None = None, **more: object
) -> Service:
    """A service of one gallery, `hands`, in which six women are enrolled by one palm each, and of a small test part."""
    encoder = BatchingEncoder(PhotoEncoder())
    gallery = Gallery.create(folder / "hands", encoder, calibrate(), keep_photos=keep_photos)
    for number, name in enumerate(NAMES[:people]):
        gallery.add(name, draw(number, "palmar"))
    explorer = Explorer(make_test_part(folder / "test part"), "first")
    examples = {"the back of Ada's hand": draw(0), "somebody else": draw(40)}
    collections = {"hands": Collection("hands", gallery, encoder)}
    chosen = limits or Limits(rate_per_s=10_000, burst=10_000)
    return Service(collections, chosen, explorer=explorer, examples=examples, **more)  # type: ignore[arg-type]


def make_test_part(folder: Path, num_people: int = 8) -> EmbeddedPart:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(person, view) for person in range(20, 20 + num_people) for view in ("dorsal", "palmar")]
    paths = []
    for person, view in rows:
        path = folder / f"{person} {view}.jpg"
        path.write_bytes(draw(person, view))
        paths.append(str(path))
    vectors = np.stack([draw_vector(person, view) for person, view in rows])
    names = [f"{person:07d}" for person, _ in rows]
    return make_part(vectors, names, [view for _, view in rows], ["left"] * len(rows), paths=paths, name="test")
