"""Vectors that were computed before, kept in the cache by the contents of the photos that they are of. Without TensorFlow.

Each photo has a file, named after the digest of its bytes, in a folder named after all that decides the vectors: the run
(`describe_run`) and what computes them. So a change of any of them, or of a photo, never meets the vectors of before.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.data.cache import find_feature_folder, mark_used, use_folder, write_cached
from handnet.files import parse_json
from handnet.images.seen_hand import SeenHand

_VERSION = 2
Floats = npt.NDArray[np.float32]


class KeptPhoto(NamedTuple):
    """What came of one photo.

    Attributes:
        embedding: float32 (D,), of unit length; None where the photo cannot be used.
        problem: "" or the reason why there is none.
        features: float32 (F,), of the backbone; None where they are not asked for.
        hand: what the landmarks say of the hand; None where crops do not go by landmarks.
    """

    embedding: Floats | None
    problem: str = ""
    features: Floats | None = None
    hand: SeenHand | None = None


class KeptVectors:
    """The vectors of a run that one way of computing them has given."""

    def __init__(self, run: Mapping[str, Any], engine: str, precision: str) -> None:
        """Find the folder.

        Args:
            run: what `describe_run` says of the run.
            engine: what computes the vectors.
            precision: what it computes in.
        """
        described = {"kind": f"vectors {_VERSION}", "engine": engine, "precision": precision}
        # On other backends than TensorFlow the same network rounds otherwise.
        described["backend"] = os.environ.get("KERAS_BACKEND", "tensorflow")
        self.engine, self.precision = engine, precision
        self._folder = find_feature_folder({**described, **run})
        use_folder(self._folder)

    def read(self, digest: str) -> KeptPhoto | None:
        """Return what came of a photo, by the digest of its bytes; None where it is not known."""
        try:
            contents = self._find(digest).read_bytes()
        except OSError:
            return None
        header, _, rest = contents.partition(b"\n")
        try:
            facts = parse_json(header)
            widths = [facts["embedding"], facts["features"]]
        except (ValueError, TypeError, KeyError):
            # A power cut can leave a file that was renamed and never filled.
            return None
        if len(rest) != 4 * sum(widths):
            return None
        values = np.frombuffer(rest, "<f4")
        embedding, features = values[: widths[0]], values[widths[0] :]
        hand = SeenHand(**facts["hand"]) if facts["hand"] else None
        return KeptPhoto(embedding if widths[0] else None, facts["problem"], features if widths[1] else None, hand)

    def write(self, digest: str, photo: KeptPhoto) -> None:
        """Keep what came of a photo.

        Raises:
            DiskError: the cache cannot be written.
        """
        arrays = [np.zeros(0, "<f4") if part is None else part for part in (photo.embedding, photo.features)]
        header = {
            "problem": photo.problem,
            "embedding": len(arrays[0]),
            "features": len(arrays[1]),
            "hand": photo.hand._asdict() if photo.hand else None,
        }
        values = b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in arrays)
        write_cached(self._find(digest), json.dumps(header).encode() + b"\n" + values)

    def mark_used(self, digests: Iterable[str]) -> None:
        """Note that the vectors of these photos are used now."""
        mark_used(self._find(digest) for digest in digests)

    def _find(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest
