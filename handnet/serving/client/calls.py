"""Photos to vectors, and pairs of photos to probabilities, by a server."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from handnet.images.pillow_decode import prepare_for_graph
from handnet.images.seen_hand import PROBLEM_OUTPUTS
from handnet.serving.client.connection import (
    Arrays,
    Server,
    check_size,
    explain_outputs,
    read_photo_bytes,
    split_requests,
)


class Client(Protocol):
    """A connection to a server, as GrpcClient and RestClient are."""

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, Sequence[bytes]],
        outputs: Sequence[str],
        optional: Sequence[str] = (),
    ) -> Arrays:
        """Call a signature with the bytes of photos.

        Returns the outputs that were asked for, and of the optional ones those that it has.
        """

    def close(self) -> None:
        """Close the connection."""


class Embedded(NamedTuple):
    """Vectors of photos.

    Attributes:
        embeddings: float32 (N, D), unit length; zeros where not ok.
        ok: bool (N,), the photo could be decoded and, where the model crops to the hand, shows one.
        seen: what the model says of the hands, by the names of `SEEN_OUTPUTS`, each (N, …); empty where it says nothing.
    """

    embeddings: npt.NDArray[np.float32]
    ok: npt.NDArray[np.bool_]
    seen: Mapping[str, npt.NDArray[Any]]


# What models whose crops go by landmarks say of each photo as well; see `handnet.export.signatures.build_signatures`.
SEEN_OUTPUTS = ("hand_score", "view", "side", "view_confidence", "landmarks", "quality", "finding")

# The columns of a file of vectors that keep them.
SEEN_COLUMNS = {
    "hand_score": "hand_scores",
    "view": "seen_views",
    "side": "seen_sides",
    "view_confidence": "seen_confidences",
    "quality": "qualities",
    "finding": "findings",
}


class Verified(NamedTuple):
    """A server's answers for pairs of photos.

    Attributes:
        similarity: float32 (N,), cosine.
        probability: float32 (N,), that both show one person, at prior 0.5.
        decision: bool (N,), similarity at or above the threshold.
        ok: bool (N,), both photos could be decoded and, where the model finds hands by landmarks, each shows one well enough.
        first_problem: string (N,), why the first photo cannot be compared, "" where it can; "" from models that do not say it.
        second_problem: likewise of the second photo.
    """

    similarity: npt.NDArray[np.float32]
    probability: npt.NDArray[np.float32]
    decision: npt.NDArray[np.bool_]
    ok: npt.NDArray[np.bool_]
    first_problem: npt.NDArray[np.str_]
    second_problem: npt.NDArray[np.str_]


def connect(server: Server) -> Client:
    """Return the client of the server's scheme; nothing is sent yet.

    Raises:
        ConfigError: tensorflow-serving-api is needed and not installed.
    """
    if server.scheme == "grpc":
        from handnet.serving.client.grpc import GrpcClient

        return GrpcClient(server)
    from handnet.serving.client.rest import RestClient

    return RestClient(server)


def embed_photos(client: Client, server: Server, paths: Sequence[Path]) -> Embedded:
    """Embed photos, in as few requests as the limits allow.

    Raises:
        DataError: a photo that cannot be read or is too large to be sent.
        ServerError: the server does not answer as it should.
    """
    photos = _read_photos(paths, server.max_request_bytes)
    sizes = [len(photo) for photo in photos]
    parts = [
        _ask(client, server, "embed", {"photos": photos[part]}, ("embeddings", "ok"), SEEN_OUTPUTS)
        for part in split_requests(sizes, server.max_request_bytes, server.max_request_photos)
    ]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
    return Embedded(joined.pop("embeddings"), joined.pop("ok"), joined)


def verify_photos(client: Client, server: Server, pairs: Sequence[tuple[Path, Path]]) -> Verified:
    """Verify pairs of photos, in as few requests as the limits allow.

    Raises:
        DataError: a photo that cannot be read or is too large to be sent.
        ServerError: the server does not answer as it should.
    """
    # Two photos go together, so each may be half as large.
    limit = server.max_request_bytes // 2
    first, second = (_read_photos([pair[k] for pair in pairs], limit) for k in range(2))
    sizes = [len(a) + len(b) for a, b in zip(first, second, strict=True)]
    names = ("similarity", "probability", "decision", "ok")
    parts = [
        _ask(client, server, "verify", {"first": first[part], "second": second[part]}, names, PROBLEM_OUTPUTS)
        for part in split_requests(sizes, server.max_request_bytes, max(1, server.max_request_photos // 2))
    ]
    none = np.zeros(len(pairs), np.str_)
    problems = (
        np.concatenate([part[name] for part in parts]) if parts and name in parts[0] else none
        for name in PROBLEM_OUTPUTS
    )
    return Verified(*(np.concatenate([part[name] for part in parts]) for name in names), *problems)


def _read_photos(paths: Sequence[Path], max_bytes: int) -> list[bytes]:
    """Return the bytes of photos as the model decodes them; what cannot be used goes as it is, and is flagged."""
    photos = [prepare_for_graph(contents)[0] for contents in read_photo_bytes(paths, max_bytes)]
    for path, photo in zip(paths, photos, strict=True):
        check_size(path, len(photo), max_bytes)
    return photos


def _ask(
    client: Client,
    server: Server,
    signature: str,
    inputs: dict[str, list[bytes]],
    outputs: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> Arrays:
    answer = client.predict(signature, inputs, outputs, optional)
    count = len(next(iter(inputs.values())))
    wrong = {name: array.shape for name, array in answer.items() if array.shape[:1] != (count,)}
    if wrong:
        raise explain_outputs(server, signature, f"shapes {wrong} for {count} photos")
    return answer
