"""A population of simulated people, and an encoder that reads their photos: small, deterministic, no TensorFlow."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handnet.gallery.pairings import Matching, fit_matching
from handnet.gallery.photo_encoder import Embedded, PhotoInput, digest_model, read_contents
from handnet.gallery.records import HandKind

WIDTH = 32
VIEWS, SIDES = ("dorsal", "palmar"), ("left", "right")


def draw_vector(person: int, view: str = "dorsal", side: str = "left", shot: int = 0, width: int = WIDTH) -> np.ndarray:
    """Return a photo's vector: what the person, the hand, the view and the shot add up to."""

    def draw(*seed: int) -> np.ndarray:
        return np.random.default_rng([11, *seed]).normal(size=width) / np.sqrt(width)

    number = SIDES.index(side) if side else 2
    vector = (
        0.3 * draw(0)
        + 1.0 * draw(1, person)
        + 0.8 * draw(2, person, number)
        + 0.5 * draw(3, person, number, VIEWS.index(view) if view else 2)
        + 0.4 * draw(4, person, number, VIEWS.index(view) if view else 2, shot)
    )
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def take_photo(person: int, view: str = "dorsal", side: str = "left", shot: int = 0, **more: object) -> bytes:
    """Return the bytes of a photo, which say what the encoder is to see."""
    return json.dumps({"person": person, "view": view, "side": side, "shot": shot, **more}).encode()


def write_photo(
    path: Path, person: int, view: str = "dorsal", side: str = "left", shot: int = 0, **more: object
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(take_photo(person, view, side, shot, **more))
    return path


class SimulatedEncoder:
    """Reads `take_photo`'s bytes. `sees` tells whether it knows view and side of a hand by itself."""

    def __init__(self, width: int = WIDTH, sees: bool = True, name: str = "simulated") -> None:
        self.width, self.sees, self._name = width, sees, name

    @property
    def digest(self) -> str:
        return digest_model([self._name.encode(), str(self.width).encode()])

    @property
    def source(self) -> dict[str, str]:
        return {"kind": "simulated", "path": self._name}

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        return [self._embed(read_contents(photo)) for photo in photos]

    def _embed(self, contents: bytes) -> Embedded:
        try:
            row = json.loads(contents)
            vector = draw_vector(row["person"], row["view"], row["side"], row["shot"], self.width)
        except (ValueError, KeyError, TypeError):
            return Embedded(None, "not a photo")
        kind = HandKind(row["view"], row["side"]) if self.sees else HandKind("", "")
        quality = float(row.get("quality", 1.0))
        return Embedded(vector, kind=kind, quality=quality, remarks=("blurred",) if quality < 0.3 else ())


def fit_simulated(
    num_people: int = 60, first: int = 1000, width: int = WIDTH, sees: bool = True, shots: int = 3, seed: int = 0
) -> Matching:
    """Calibrate on simulated people who are enrolled nowhere."""
    rows = [
        (person, view, side, shot)
        for person in range(first, first + num_people)
        for view in VIEWS
        for side in SIDES
        for shot in range(shots)
    ]
    vectors = np.stack([draw_vector(*row, width=width) for row in rows])
    kinds = [HandKind(view, side) if sees else HandKind("", "") for _, view, side, _ in rows]
    people = [str(row[0]) for row in rows]
    return fit_matching(vectors, people, kinds, seed=seed, origin=f"{num_people} simulated people")
