"""A run's encoder as one frozen graph, from a photo's bytes to its vector: for the few photos of one answer.

After a run's first answer it is kept in the cache (`handnet.embedding.freeze_encoder`), and later answers need neither
TensorFlow's Python part nor Keras. Its name is a digest of all that decides it: weights, settings, handnet's code, TensorFlow's
library; so what was kept before a change of any of them is never met again. $HANDNET_QUICK=0 leaves it alone.
"""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import PAIR_WEIGHTS_FILE, Run
from handnet.data.cache import find_model_file, mark_used, use_folder
from handnet.data.checks import clean_jpeg, find_header_problem, needs_pillow
from handnet.embedding.run_identity import describe_run
from handnet.files import parse_json
from handnet.images.pillow_decode import to_graph_format
from handnet.images.seen_hand import SeenHand, read_facts
from handnet.images.unusable_photos import DAMAGED, explain_unusable
from handnet.networks.frozen_graph import FrozenGraph, GraphRunner
from handnet.networks.graph_session import GraphError, RefusedInputError
from handnet.networks.weights.manifest import hash_file

PHOTO_GRAPH, PAIR_GRAPH = "photo", "pair"
_KIND = "handnet frozen encoder 2"
Floats = npt.NDArray[np.float32]


class FrozenPhoto(NamedTuple):
    """What came of one photo.

    Attributes:
        problem: "" or the reason why there are no vectors.
        features: float32 (F,), of the backbone.
        embedding: float32 (D,), of unit length.
        hand: what the landmarks say of the hand; None where crops do not go by landmarks.
    """

    problem: str
    features: Floats | None = None
    embedding: Floats | None = None
    hand: SeenHand | None = None


class FrozenEncoder:
    """The frozen graphs of a run."""

    def __init__(self, run: Run, facts: Mapping[str, Any], graphs: Mapping[str, FrozenGraph]) -> None:
        """Load the graphs; see `write_frozen` for the arguments.

        Raises:
            GraphError: they cannot be run here.
        """
        self._image, self._graphs = run.config.image, graphs
        self._photo = GraphRunner(graphs[PHOTO_GRAPH])
        # The digest by which galleries know the model.
        self.digest = str(facts["digest"])
        self.width = int(facts["width"])

    def embed(self, contents: bytes) -> FrozenPhoto:
        """Return the vectors of a photo, from the bytes of its file.

        Raises:
            GraphError: the graph fails for another reason than the photo.
        """
        if problem := find_header_problem(contents):
            return FrozenPhoto(problem)
        contents, problem = clean_jpeg(contents)
        if problem:
            return FrozenPhoto(problem)
        try:
            found = self._photo.run(contents=to_graph_format(contents) if needs_pillow(contents) else contents)
        except (RefusedInputError, ValueError):
            return FrozenPhoto(DAMAGED)
        if not found["ok"]:
            return FrozenPhoto(explain_unusable(bool(found["blank"]), self._image))
        hand = None
        if "finding" in found:
            score, palmar, right, quality = (float(found[name]) for name in ("score", "palmar", "right", "quality"))
            hand = read_facts(score, palmar, right, quality, int(found["finding"]))
        return FrozenPhoto("", found["features"], found["embedding"], hand)

    def score_pair(self, first: Floats, second: Floats) -> float:
        """Return the score of the run's classifier of pairs, -1..1, for what it takes of two photos, (F,) each.

        Raises:
            GraphError: the run has no such classifier.
        """
        if PAIR_GRAPH not in self._graphs:
            raise GraphError("The run has no classifier of pairs.")
        found = GraphRunner(self._graphs[PAIR_GRAPH]).run(first=first[None], second=second[None])
        return float(found["score"][0])


def is_switched_on() -> bool:
    """Return whether frozen graphs are kept and used: unless $HANDNET_QUICK is 0."""
    return os.environ.get("HANDNET_QUICK", "1") != "0"


def read_frozen(run: Run) -> FrozenEncoder | None:
    """Return the frozen graphs of a run; None where none are kept, they cannot be run here, or they are switched off."""
    if not is_switched_on():
        return None
    file = find_frozen_file(run)
    use_folder(file.parent)
    try:
        contents = file.read_bytes()
    except OSError:
        return None
    try:
        found = FrozenEncoder(run, *split_frozen(contents))
    except (GraphError, ValueError, KeyError, TypeError):
        # A power cut can leave a file that was renamed and never filled.
        return None
    mark_used([file])
    return found


def find_frozen_file(run: Run) -> Path:
    """Return where the frozen graphs of a run are kept."""
    pairs = run.folder / PAIR_WEIGHTS_FILE
    classifier = hash_file(pairs) if run.config.pairs.form != "none" and pairs.exists() else ""
    return find_model_file({"kind": _KIND, "pair_weights": classifier, **describe_run(run)}, ".frozen")


def join_frozen(facts: Mapping[str, Any], graphs: Mapping[str, FrozenGraph]) -> bytes:
    """Return what a file of frozen graphs holds.

    Args:
        facts: `width` and `digest`.
        graphs: by PHOTO_GRAPH, contents → ok, blank, features, embedding and, where hands are found by landmarks, score, palmar,
            right, quality, finding; by PAIR_GRAPH, where the run has a classifier, first and second (1, F) → score (1,).
    """
    described = [
        {"name": name, "bytes": len(graph.graph), "inputs": graph.inputs, "outputs": graph.outputs}
        for name, graph in graphs.items()
    ]
    rest = b"".join(graph.graph for graph in graphs.values())
    header = json.dumps({"kind": _KIND, "facts": dict(facts), "graphs": described, "crc32": zlib.crc32(rest)}).encode()
    return b"\n".join([header, rest])


def split_frozen(contents: bytes) -> tuple[Mapping[str, Any], dict[str, FrozenGraph]]:
    """Return the facts and the graphs of a file that `join_frozen` has made.

    Raises:
        ValueError, KeyError, TypeError: it is another file, was not written whole, or was changed.
    """
    header, _, rest = contents.partition(b"\n")
    described = parse_json(header)
    if len(rest) != sum(graph["bytes"] for graph in described["graphs"]):
        raise ValueError("The file was not written whole.")
    # A changed weight would give other vectors, and no error.
    if zlib.crc32(rest) != described["crc32"]:
        raise ValueError("The file was changed on the disk.")
    graphs, begin = {}, 0
    for graph in described["graphs"]:
        end = begin + graph["bytes"]
        graphs[graph["name"]] = FrozenGraph(rest[begin:end], graph["inputs"], graph["outputs"])
        begin = end
    return described["facts"], graphs
