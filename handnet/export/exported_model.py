"""An exported model as its folder describes it, and its signatures, run by TensorFlow's C library or by TensorFlow."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from handnet.config.image import WHOLE_CROPS
from handnet.data.checks import explain_refusal, find_problem
from handnet.embedding.frozen_encoder import is_switched_on
from handnet.errors import RunError, quote
from handnet.files import read_json
from handnet.images.unusable_photos import NO_HAND
from handnet.metrics.pairs.calibration import Calibration, parse_calibration
from handnet.networks.graph_session import GraphError, Value
from handnet.networks.saved_graph import SavedGraph

FACTS_FILE = "handnet_model.json"
_GRAPH_FILE = "saved_model.pb"


class Signatures(Protocol):
    """The signatures of a SavedModel."""

    def run(self, signature: str, **inputs: Value) -> Mapping[str, npt.NDArray[Any]]:
        """Compute all outputs of a signature; strings come as bytes objects.

        Args:
            signature: its name.
            inputs: by name: strings (N,) or an array.

        Raises:
            GraphError: the computation fails.
        """


class ExportedModel(NamedTuple):
    """What `handnet_model.json` says of an exported model.

    Attributes:
        folder: of the version, e.g. saved_models/hands/1.
        width: numbers in a vector.
        hand_finder: what crops go by: "colour", "landmarks", or "" where the photo is not cropped to the hand.
        calibration: of what decides on a pair; None where the model cannot verify.
        by_classifier: a classifier of pairs decides, not the cosine.
    """

    folder: Path
    width: int
    hand_finder: str
    calibration: Calibration | None
    by_classifier: bool

    def explain(self, contents: bytes) -> str:
        """Return why the model does not take a photo, from the bytes of its file."""
        return explain_untaken(contents, self.hand_finder)


def explain_untaken(contents: bytes, hand_finder: str) -> str:
    """Return why an exported model does not take a photo, since it answers with a flag alone.

    Args:
        contents: the bytes of its file.
        hand_finder: what crops go by; see `ExportedModel`.
    """
    problem = find_problem(contents)
    return problem or (NO_HAND[hand_finder] if hand_finder else explain_refusal(contents))


def read_hand_finder(facts: Mapping[str, Any]) -> str:
    """Return what a model's crops go by; see `ExportedModel`.

    Args:
        facts: what `handnet_model.json` says.

    Raises:
        ValueError: it says a name that there is not.
        LookupError, TypeError, AttributeError: it says nothing, or something of another kind.
    """
    image = facts["image"]
    finder: str = "" if image["crop"] in WHOLE_CROPS else image.get("hand_finder", "colour")
    if finder not in ("", *NO_HAND):
        raise ValueError(f"no hand finder is called {finder!r}")
    return finder


def is_export(folder: Path) -> bool:
    """Return whether a folder is the version of an exported SavedModel."""
    # Path.is_file raises OSError of a name that is too long.
    return os.path.isfile(folder / FACTS_FILE) and os.path.isfile(folder / _GRAPH_FILE)


def find_export(folder: Path) -> Path | None:
    """Return the version that a folder is, or the newest of a model's folder, e.g. saved_models/hands; None for another."""
    if is_export(folder):
        return folder
    newest = find_newest(folder)
    return newest if newest is not None and is_export(newest) else None


def find_newest(folder: Path) -> Path | None:
    """Return the folder of a model's highest version; None where there is none."""
    versions = list_versions(folder)
    return versions[max(versions)] if versions else None


def list_versions(folder: Path) -> dict[int, Path]:
    """Return the versions in a model's folder by number; none where there is no such folder."""
    return {int(path.name): path for path in folder.iterdir() if path.name.isdecimal()} if os.path.isdir(folder) else {}


def digest_graph(folder: Path) -> str:
    """Return the digest of a SavedModel's graph, 32 hexadecimal digits: TensorFlow has checksums for the weights alone."""
    return hashlib.blake2b((folder / _GRAPH_FILE).read_bytes(), digest_size=16).hexdigest()


def check_graph(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that a SavedModel's graph is the one that was exported; exports of before do not say which that was.

    Args:
        folder: of the version.
        facts: what `handnet_model.json` says.

    Raises:
        ValueError: it is another.
    """
    if "graph_digest" in facts and facts["graph_digest"] != digest_graph(folder):
        raise ValueError(f"{_GRAPH_FILE} was changed since the export")


def read_export(folder: Path) -> ExportedModel:
    """Read what an exported model says of itself.

    Raises:
        RunError: it is damaged, or its graph is not the one that was exported.
    """
    try:
        facts = read_json(folder / FACTS_FILE)
        check_graph(folder, facts)
        calibration = facts.get("pair_calibration") or facts.get("calibration")
        return ExportedModel(
            folder,
            int(facts["embedding_size"]),
            read_hand_finder(facts),
            parse_calibration(calibration) if calibration else None,
            bool(facts.get("pair_calibration")),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise RunError(
            f"The exported model {str(folder)!r} is damaged ({error!r}). Export the run again: handnet export RUN "
            f"{quote(folder.parent)}."
        ) from None


def run_signature(
    signatures: Signatures, signature: str, shapes: Mapping[str, tuple[int, ...]], **inputs: Sequence[bytes]
) -> Mapping[str, npt.NDArray[Any]]:
    """Compute all outputs of a signature of photos.

    Args:
        signatures: of the model.
        signature: its name.
        shapes: what it must give among others, by name.
        inputs: the bytes of N photos, by name.

    Raises:
        GraphError: the computation fails, or gives something else: other outputs begin with one number for each photo.
    """
    found = signatures.run(signature, **inputs)
    [num_photos] = {len(photos) for photos in inputs.values()}
    for name in (*shapes, *found):
        shape = found[name].shape if name in found else None
        if shape is None or (shape[:1] != (num_photos,) if name not in shapes else shape != shapes[name]):
            raise GraphError(f"The exported model's signature {signature!r} gives {name!r} of the shape {shape}.")
    return found


def open_quickly(folder: Path) -> Signatures | None:
    """Return the signatures of a SavedModel by TensorFlow's C library; None where that does not do, or is switched off.

    Args:
        folder: of the version.
    """
    if not is_switched_on():
        return None
    try:
        return SavedGraph(folder)
    except GraphError:
        return None
