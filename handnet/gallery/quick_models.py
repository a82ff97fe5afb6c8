"""A gallery's model by TensorFlow's C library, without TensorFlow's Python part and Keras: for answers in two seconds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, is_run, read_run
from handnet.embedding.frozen_encoder import FrozenEncoder, read_frozen
from handnet.export.exported_model import is_export, open_quickly
from handnet.gallery.embed_photos import Answers, embed_all
from handnet.gallery.exported_encoder import SavedModelEncoder
from handnet.gallery.frozen_look import choose_quick_look
from handnet.gallery.hand_look import Look
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput
from handnet.networks.graph_session import GraphError

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

    def _embed_contents(self, contents: Sequence[bytes]) -> Answers:
        found = [self._frozen.embed(photo) for photo in contents]
        vectors = np.zeros((len(found), self.width), np.float32)
        for vector, photo in zip(vectors, found, strict=True):
            if photo.embedding is not None:
                vector[:] = photo.embedding
        return Answers(vectors, [photo.problem for photo in found])


class QuickExportEncoder:
    """An exported model by TensorFlow's C library."""

    def __init__(self, quick: SavedModelEncoder, load_whole: Callable[[], PhotoEncoder]) -> None:
        """Use a model.

        Args:
            quick: the model, its signatures run by the C library.
            load_whole: loads the model by TensorFlow, where a signature fails.
        """
        self._quick, self._load_whole = quick, load_whole
        self.digest, self.width, self.source = quick.digest, quick.width, quick.source
        self.lacks_frozen, self.keep_frozen = quick.lacks_frozen, quick.keep_frozen

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`."""
        try:
            return self._quick.embed(photos)
        except GraphError:
            return self._load_whole().embed(photos)


def load_quickly(source: Mapping[str, str], load_whole: Callable[[], PhotoEncoder]) -> PhotoEncoder | None:
    """Return the model that a gallery names without TensorFlow; None where that does not do.

    A run needs the frozen graphs that its first answer leaves, an exported model nothing, but where the hand models are
    installed their graph, which is kept after the first answer.

    Args:
        source: {"kind": …, "path": its folder}.
        load_whole: loads the model itself, where a graph fails.

    Raises:
        GalleryError: the exported model is damaged.
        RunError: the run is damaged.
    """
    folder = Path(source.get("path", ""))
    if source.get("kind") == "saved_model" and is_export(folder):
        look = choose_quick_look()
        signatures = open_quickly(folder) if look is not None else None
        return (
            None if signatures is None else QuickExportEncoder(SavedModelEncoder(folder, look, signatures), load_whole)
        )
    if source.get("kind") != "run" or not is_run(folder):
        return None
    run = read_run(folder)
    frozen = read_frozen(run)
    look = choose_quick_look() if frozen is not None else None
    return None if frozen is None or look is None else FrozenRunEncoder(run, frozen, look, load_whole)
