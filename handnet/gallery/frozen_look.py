"""The hand front end's look at a photo as one frozen graph, kept in the cache: for quick answers, without Keras."""

from collections.abc import Sequence
from pathlib import Path

from handnet.data.cache import find_model_file, mark_used, use_folder
from handnet.data.example import SIDES, VIEWS
from handnet.embedding.frozen_encoder import split_frozen
from handnet.embedding.run_identity import describe_library, digest_code
from handnet.gallery.hand_look import Look, look_at_pixels, rate_hand
from handnet.gallery.photo_quality import Seen
from handnet.images.hand.quality_rule import LIMITS
from handnet.images.hand_models.model_files import FILES, has_hand_models
from handnet.images.pillow_decode import prepare_for_graph
from handnet.images.unusable_photos import DAMAGED
from handnet.networks.frozen_graph import FrozenGraph, GraphRunner
from handnet.networks.graph_session import GraphError, RefusedInputError

LOOK_GRAPH = "look"
# What it gives, of `handnet.images.hand_report.look_at_contents`.
FIELDS = ("finding", "found", "palmar", "right", "measures")


class FrozenLook:
    """Looks for the hand in photos; see `handnet.gallery.hand_look.look_at_hands`."""

    def __init__(self, graph: FrozenGraph) -> None:
        """Load the graph.

        Raises:
            GraphError: it cannot be run here.
        """
        self._runner = GraphRunner(graph)

    def look(self, photos: Sequence[bytes]) -> list[Seen]:
        """Return what is seen in each photo, from the bytes of its file.

        Raises:
            GraphError: the graph fails for another reason than the photo.
        """
        return [self._look(photo) for photo in photos]

    def _look(self, contents: bytes) -> Seen:
        contents, problem = prepare_for_graph(contents)
        if problem:
            return Seen(reason=problem)
        try:
            found = self._runner.run(contents=contents)
        except (RefusedInputError, ValueError):
            return Seen(reason=DAMAGED)
        palmar, right = float(found["palmar"]), float(found["right"])
        measures = dict(zip(LIMITS, found["measures"].tolist(), strict=True))
        view, side = VIEWS[int(palmar > 0.5)], SIDES[int(right > 0.5)]
        return rate_hand(
            *(int(found["finding"]), bool(found["found"]), measures),
            *((view, max(palmar, 1.0 - palmar)), (side, max(right, 1.0 - right))),
        )


def choose_quick_look() -> Look | None:
    """Return what looks at photos as `choose_look`'s choice does, without TensorFlow; None where its graph is not kept."""
    if not has_hand_models():
        return look_at_pixels
    file = find_look_file()
    use_folder(file.parent)
    try:
        _, graphs = split_frozen(file.read_bytes())
        found = FrozenLook(graphs[LOOK_GRAPH])
    except (OSError, GraphError, ValueError, KeyError, TypeError):
        # Not kept yet, not written whole in a power cut, or changed on the disk.
        return None
    mark_used([file])
    return found.look


def find_look_file() -> Path:
    """Return where the frozen graph is kept: by the code, the hand models and TensorFlow's library."""
    described = {
        "kind": "handnet frozen look 2",
        "code": digest_code("gallery"),
        "hand models": [file.sha256 for file in FILES],
        "library": describe_library(),
    }
    return find_model_file(described, ".frozen")
