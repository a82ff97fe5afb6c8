"""`handnet client`: photos to vectors and verdicts by a server; `handnet project`: the embedding projector's files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo, warn
from handnet.cli._tensorflow import start_tensorflow
from handnet.errors import ConfigError

if TYPE_CHECKING:
    from handnet.serving.client.calls import Client
    from handnet.serving.client.server import Server


PATH = click.Path(path_type=Path)


def _server_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--server", "address", required=True, metavar="URL", help="grpc://HOST:8500 or http://HOST:8501."),
        click.option("--model", default="handnet", show_default=True, help="Name of the model at the server."),
        click.option("--version", default=0, metavar="N", help="Version of the model.  [default: the server's choice]"),
        click.option("--timeout", default=30.0, show_default=True, metavar="S", help="Seconds for each request."),
        click.option("--attempts", default=4, show_default=True, help="Requests to an absent or overloaded server."),
        click.option("--batch", default=32, show_default=True, help="Photos in a request at most."),
        click.option("--max-request-mb", default=64.0, show_default=True, help="Megabytes in a request at most."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def client() -> None:
    """Ask a model that a server runs: TensorFlow Serving, over gRPC or REST."""


@client.command()
@click.argument("photos", nargs=-1, required=True, type=PATH)
@_server_options
@click.option("--output", type=PATH, metavar="FILE.npz", help="Write the vectors here.  [default: print JSON lines]")
def embed(photos: tuple[Path, ...], output: Path | None, **options: Any) -> None:
    """Turn PHOTOS into unit vectors; one that the server cannot decode is named and gives zeros."""
    server = _read_server(**options)
    if output is not None and output.suffix != ".npz":
        raise ConfigError(f"`--output` must end in .npz. Received: {str(output)!r}.")
    from handnet.serving.client.calls import embed_photos

    connection = _connect(server)
    try:
        result = embed_photos(connection, server, photos)
    finally:
        connection.close()
    for path, ok in zip(photos, result.ok, strict=True):
        if not ok:
            warn(f"the server cannot decode {str(path)!r}: its vector is zero")
    if output is None:
        for path, vector, ok in zip(photos, result.embeddings, result.ok, strict=True):
            echo(json.dumps({"photo": str(path), "ok": bool(ok), "embedding": [float(x) for x in vector]}))
        return
    import numpy as np

    from handnet.files import write_with

    paths = np.array([str(path) for path in photos])

    def save(temporary: Path) -> None:
        np.savez_compressed(temporary, embeddings=result.embeddings, ok=result.ok, paths=paths)

    write_with(output, save)
    echo(f"wrote {output}: {int(result.ok.sum())} of {len(photos)} photos, {result.embeddings.shape[1]} numbers each")


@client.command()
@click.argument("photos", nargs=-1, required=True, type=PATH)
@_server_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def verify(photos: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Do two PHOTOS show one person? Given more, each two neighbours are a pair: A1 A2 B1 B2 …"""
    server = _read_server(**options)
    if len(photos) % 2:
        raise ConfigError(f"Expected pairs of photos, an even number. Received: {len(photos)}.")
    from handnet.serving.client.calls import verify_photos

    pairs = list(zip(photos[::2], photos[1::2], strict=True))
    connection = _connect(server)
    try:
        result = verify_photos(connection, server, pairs)
    finally:
        connection.close()
    for (first, second), similarity, probability, decision, ok in zip(pairs, *result, strict=True):
        if as_json:
            verdict = {"similarity": float(similarity), "probability": float(probability), "decision": bool(decision)}
            echo(json.dumps({"first": str(first), "second": str(second), "ok": bool(ok), **verdict}))
        elif not ok:
            echo(f"{first} {second}: one of the photos cannot be decoded")
        else:
            words = "the same person" if decision else "different people"
            echo(f"{first} {second}: {words} (similarity {similarity:.3f}, probability {100 * probability:.1f} %)")


def _read_server(
    address: str, model: str, version: int, timeout: float, attempts: int, batch: int, max_request_mb: float
) -> "Server":
    from handnet.serving.client.server import parse_server

    return parse_server(
        address,
        model,
        version=version,
        timeout_s=timeout,
        attempts=attempts,
        max_request_photos=batch,
        max_request_bytes=int(1e6 * max_request_mb),
    )


def _connect(server: "Server") -> "Client":
    from handnet.serving.client.calls import connect

    if server.scheme == "grpc":
        # The messages of gRPC bring TensorFlow with them.
        start_tensorflow()
    return connect(server)
