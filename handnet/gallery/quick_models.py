"""A run as a gallery's model by its frozen graph, without TensorFlow's Python part and Keras: for answers in two seconds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, is_run, read_run
from handnet.embedding.frozen_encoder import FrozenEncoder, read_frozen
from handnet.gallery.embed_photos import embed_all
from handnet.gallery.frozen_look import choose_quick_look
from handnet.gallery.hand_look import Look
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput
from handnet.networks.frozen_graph import GraphError

Vectors = npt.NDArray[np.float32]


class FrozenRunEncoder:
    """The encoder of a run, as its first answer left it in the cache."""

    def __init__(self, run: Run, frozen: FrozenEncoder, look: Look, load_whole: Callable[[], PhotoEncoder]) -> None:
        """Use frozen graphs.

        Args:
            run: the run.
            frozen: its encoder.
            look: rates photos.
            load_whole: loads the run's encoder itself, where a graph fails.
        """
        self._frozen, self._look, self._load_whole = frozen, look, load_whole
        self.digest, self.width = frozen.digest, frozen.width
        self.source = {"kind": "run", "path": str(run.folder.absolute())}

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`."""
        try:
            return embed_all(photos, self._look, self._embed_contents)
        except GraphError:
            return self._load_whole().embed(photos)

    def _embed_contents(self, contents: Sequence[bytes]) -> tuple[Vectors, list[str]]:
        found = [self._frozen.embed(photo) for photo in contents]
        vectors = np.zeros((len(found), self.width), np.float32)
        for vector, photo in zip(vectors, found, strict=True):
            if photo.embedding is not None:
                vector[:] = photo.embedding
        return vectors, [photo.problem for photo in found]


def load_quickly(source: Mapping[str, str], load_whole: Callable[[], PhotoEncoder]) -> PhotoEncoder | None:
    """Return the model that a gallery names by its frozen graphs; None where they are not kept, or it is no run.

    Args:
        source: {"kind": …, "path": its folder}.
        load_whole: loads the model itself, where a graph fails.

    Raises:
        RunError: the run is damaged.
    """
    folder = Path(source.get("path", ""))
    if source.get("kind") != "run" or not is_run(folder):
        return None
    run = read_run(folder)
    frozen = read_frozen(run)
    look = choose_quick_look() if frozen is not None else None
    return None if frozen is None or look is None else FrozenRunEncoder(run, frozen, look, load_whole)
