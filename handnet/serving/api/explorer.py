"""A run's test part to look around in: a photo, and whose photos of the other view are nearest to it."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from handnet.errors import EvaluationError
from handnet.metrics.embedded import EmbeddedPart, load_part

EMBEDDINGS_FILE = Path("eval-test/embeddings.npz")
THUMBNAIL_PX = 320


class Near(NamedTuple):
    """A person, by the photo nearest to a query.

    Attributes:
        row: of the photo.
        name: of the person.
        similarity: cosine.
    """

    row: int
    name: str
    similarity: float


class Explorer:
    """Answers queries of one part from its vectors alone; no network is needed."""

    def __init__(self, part: EmbeddedPart, name: str) -> None:
        """Use an evaluated part.

        Args:
            part: with paths of its photos.
            name: what it is called on the page.

        Raises:
            EvaluationError: it has not both views.
        """
        if len(set(part.views.tolist())) < 2:
            raise EvaluationError("The explorer needs photos of both views. This part does not have both.")
        self.part, self.name = part, name

    def list_people(self) -> dict[str, list[int]]:
        """Return the rows of each person, sorted by name."""
        rows: dict[str, list[int]] = {}
        for row in np.argsort(self.part.identities, kind="stable"):
            rows.setdefault(str(self.part.identities[row]), []).append(int(row))
        return rows

    def search(self, row: int) -> list[Near]:
        """Return everybody with a photo of the other view, the nearest first.

        Args:
            row: of the query.
        """
        others = np.flatnonzero(self.part.views != self.part.views[row])
        cosines = self.part.embeddings[others] @ self.part.embeddings[row]
        best: dict[str, Near] = {}
        for place in np.argsort(-cosines, kind="stable"):
            name = str(self.part.identities[others[place]])
            best.setdefault(name, Near(int(others[place]), name, float(cosines[place])))
        return list(best.values())

    def read_picture(self, row: int) -> bytes | None:
        """Return a small JPEG of a photo, or None where its file is not there any more.

        Args:
            row: of the photo.
        """
        try:
            with Image.open(self.part.paths[row]) as opened:
                opened.draft("RGB", (THUMBNAIL_PX, THUMBNAIL_PX))
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, SyntaxError, ValueError):
            return None
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()


def open_explorer(run: Path) -> Explorer:
    """Open the test part of an evaluated run.

    Args:
        run: its folder.

    Raises:
        EvaluationError: it was not evaluated, or has no photos of both views.
    """
    file = run / EMBEDDINGS_FILE
    if not file.is_file():
        raise EvaluationError(f"The run {str(run)!r} has no evaluated test part. Evaluate it first: handnet eval {run}")
    return Explorer(load_part(file), run.name)
