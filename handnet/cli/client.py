"""`handnet client`: embed, verify, by a model that a server runs."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo, warn
from handnet.errors import ConfigError, DataError
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.serving.client.calls import Client
    from handnet.serving.client.connection import Server


_PATH = click.Path(path_type=Path)


def _server_options(command: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--server", "address", required=True, metavar="URL", help="grpc://HOST:8500 or http://HOST:8501."),
        click.option("--model", default="handnet", show_default=True, help="Name of the model on the server."),
        click.option("--version", default=0, metavar="N", help="Version of the model.  [default: the server's choice]"),
        click.option("--timeout", default=30.0, show_default=True, metavar="S", help="Seconds for each request."),
        click.option(
            "--attempts",
            default=4,
            show_default=True,
            help="Number of tries for a request while the server is absent or overloaded.",
        ),
        click.option("--batch", default=32, show_default=True, help="Maximum number of photos in a request."),
        click.option(
            "--max-request-mb", default=64.0, show_default=True, help="Maximum size of a request in megabytes."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def client() -> None:
    """Ask a model that a server runs: TensorFlow Serving, over gRPC or REST."""


@client.command()
@click.argument("sources", metavar="PHOTO…|DIR|DATA", nargs=-1, required=True, type=_PATH)
@_server_options
@click.option(
    "--output", "-o", type=_PATH, help="File to write: .npz or .parquet (pyarrow).  [default: print JSON lines]"
)
@click.option("--reader", default="", help="Reader of a data set with labels.  [default: chosen by its table]")
def embed(sources: tuple[Path, ...], output: Path | None, reader: str, **options: Any) -> None:
    """Turn photos into unit vectors; one that the model cannot use is named and left out of the file.

    Give photos, or a folder. The vectors of a data set with a table (HandInfo.csv, labels.csv) keep its labels, and
    `handnet eval --embeddings` reads the file, as it reads that of `handnet embed`.
    """
    server = _read_server(**options)
    from handnet.cli._data import find_photos
    from handnet.data.checks import explain_refusal, read_photo
    from handnet.metrics.embedded import check_vector_file, label_embeddings
    from handnet.serving.client.calls import SEEN_COLUMNS, embed_photos

    if output is not None:
        check_vector_file(output)
    examples = find_photos(sources, reader)
    connection = _connect(server)
    try:
        result = embed_photos(connection, server, [Path(example.path) for example in examples])
    finally:
        connection.close()
    for example, ok in zip(examples, result.ok, strict=True):
        if not ok:
            warn(f"no vector for {example.path!r}: {explain_refusal(read_photo(example.path)[0])}")
    if output is None:
        for row, example in enumerate(examples):
            seen = {name: values[row].tolist() for name, values in result.seen.items()}
            vector = result.embeddings[row].tolist()
            echo(json.dumps({"photo": example.path, "ok": bool(result.ok[row]), **seen, "embedding": vector}))
        return
    kept = [example for example, ok in zip(examples, result.ok, strict=True) if ok]
    if not kept:
        raise DataError(
            f"None of the {len(examples)} photos can be used: there is nothing to write to {str(output)!r}."
        )
    seen = {column: result.seen[name][result.ok] for name, column in SEEN_COLUMNS.items() if name in result.seen}
    label_embeddings(result.embeddings[result.ok], kept).save(output, seen)
    echo(f"wrote {output}: {len(kept)} of {len(examples)} photos, {result.embeddings.shape[1]} numbers each")


@client.command()
@click.argument("photos", nargs=-1, required=True, type=_PATH)
@_server_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def verify(photos: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Say whether two PHOTOS show one person. Give more photos for more pairs: A1 A2 B1 B2 …"""
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
    for pair, similarity, probability, decision, ok, *said in zip(pairs, *result, strict=True):
        problems = ["", ""] if ok else _explain_pair(pair, said)
        if as_json:
            verdict = {"similarity": float(similarity), "probability": float(probability), "decision": bool(decision)}
            named = dict(zip(("first_problem", "second_problem"), problems, strict=True))
            echo(json.dumps({"first": str(pair[0]), "second": str(pair[1]), "ok": bool(ok), **verdict, **named}))
        elif not ok:
            first, second = (problem or "nothing is wrong with it" for problem in problems)
            echo(f"{pair[0]} {pair[1]}: not compared. First photo: {first}. Second photo: {second}")
        else:
            words = "the same person" if decision else "different people"
            echo(f"{pair[0]} {pair[1]}: {words} (similarity {similarity:.3f}, probability {100 * probability:.1f} %)")


def _explain_pair(pair: tuple[Path, Path], said: Sequence[str]) -> list[str]:
    """Return why each photo of a pair that has no answer cannot be used, "" for one with which nothing is wrong.

    Args:
        pair: the files.
        said: what the model says of each; it knows less of files, and models without landmarks say nothing.
    """
    from handnet.data.checks import explain_refusal, find_problem, read_photo

    contents = [read_photo(str(photo))[0] for photo in pair]
    found = [find_problem(photo) or str(words) for photo, words in zip(contents, said, strict=True)]
    return found if any(found) else [f"perhaps {explain_refusal(photo)}" for photo in contents]


def _read_server(
    address: str, model: str, version: int, timeout: float, attempts: int, batch: int, max_request_mb: float
) -> "Server":
    from handnet.serving.client.connection import parse_server

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
