"""An exported model as a gallery's model: it decodes by itself, and its training data need not be there."""

from collections.abc import Sequence
from pathlib import Path

from handnet.errors import GalleryError
from handnet.export.exported_model import (
    FACTS_FILE,
    Signatures,
    check_graph,
    explain_untaken,
    read_hand_finder,
    run_signature,
)
from handnet.export.verify_export import read_hands
from handnet.files import read_json
from handnet.gallery.embed_photos import Answers, embed_all
from handnet.gallery.frozen_look import find_look_file
from handnet.gallery.hand_look import Look, choose_look, look_at_hands
from handnet.gallery.photo_encoder import Embedded, PhotoInput, digest_model, read_contents
from handnet.images.pillow_decode import prepare_for_graph
from handnet.images.seen_hand import explain_unfit
from handnet.networks.graph_session import GraphError


class SavedModelEncoder:
    """A version of a SavedModel."""

    def __init__(self, folder: Path, look: Look | None = None, signatures: Signatures | None = None) -> None:
        """Load a version of a SavedModel, e.g. saved_models/hands/1.

        Args:
            folder: the version's folder.
            look: rates photos: quality, and view and side where it knows them; None: what `choose_look` chooses.
            signatures: of the model; None: loaded by TensorFlow.

        Raises:
            GalleryError: it is no SavedModel that handnet exported.
        """
        try:
            facts = read_json(folder / FACTS_FILE)
            self.width = int(facts["embedding_size"])
            check_graph(folder, facts)
            self._hand_finder = read_hand_finder(facts)
            self.signatures = signatures or _load(folder)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, GraphError) as error:
            raise GalleryError(
                f"{str(folder)!r} is not a SavedModel of handnet ({' '.join(str(error).split())[:120]}). "
                "Give a version's folder, e.g. saved_models/NAME/1, from handnet export."
            ) from None
        self._look = look or choose_look()
        self.digest = str(facts.get("digest") or _digest_files(folder))
        self.source = {"kind": "saved_model", "path": str(folder.absolute())}

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`."""
        return embed_all(photos, self._look, self._embed_contents)

    def lacks_frozen(self) -> bool:
        """Return whether the next answer would be quicker if `keep_frozen` were called: the model itself needs nothing."""
        return self._look is look_at_hands and not find_look_file().is_file()

    def keep_frozen(self, photos: Sequence[str]) -> str:
        """Keep the hand front end as a frozen graph in the cache; return "" or why it is not kept.

        Args:
            photos: files that can be used; the graph is compared with the front end on them.

        Raises:
            DiskError: the cache cannot be written.
            RunError: the frozen graph sees something else.
        """
        from handnet.gallery.freeze_look import keep_frozen_look

        return keep_frozen_look([read_contents(photo) for photo in photos])

    def explain(self, contents: bytes) -> str:
        """Return why the model does not take a photo, from the bytes of its file."""
        return explain_untaken(contents, self._hand_finder)

    def _embed_contents(self, contents: Sequence[bytes]) -> Answers:
        # The model decodes fewer formats than handnet, and does not see where a JPEG is damaged inside.
        prepared = [prepare_for_graph(photo) for photo in contents]
        shapes = {"embeddings": (len(prepared), self.width), "ok": (len(prepared),)}
        outputs = run_signature(self.signatures, "embed", shapes, photos=[photo for photo, _ in prepared])
        reasons = [
            problem or ("" if ok else self.explain(photo))
            for (photo, problem), ok in zip(prepared, outputs["ok"], strict=True)
        ]
        # The model may look for hands by itself: what looks at photos here may see pixels alone.
        if hands := read_hands(outputs):
            reasons = [reason or explain_unfit(hand) for reason, hand in zip(reasons, hands, strict=True)]
        return Answers(outputs["embeddings"], reasons, hands)


def _load(folder: Path) -> Signatures:
    # It imports TensorFlow.
    from handnet.export.loaded_model import LoadedModel

    return LoadedModel(folder)


def _digest_files(folder: Path) -> str:
    """Return the digest of a model that was exported before exports named theirs."""
    files = [folder / "saved_model.pb", *sorted((folder / "variables").glob("*"))]
    return digest_model([file.read_bytes() for file in files])
