"""`handnet embed`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._tensorflow import start_tensorflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from handnet.data.example import Example
    from handnet.images.store import Decode

_NUM_CHECKED = 8


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("sources", metavar="PHOTO…|DIR|DATA", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="File to write: .npz or .parquet (pyarrow)."
)
@click.option(
    "--reader", default="", help="How a data set is laid out, with its labels.  [default: seen from its table]"
)
@click.option("--engine", default="auto", show_default=True, help="auto, tensorflow, openvino or openvino-int8.")
@click.option("--batch", default=32, show_default=True, type=click.IntRange(1, 4096), help="Photos at a time.")
@click.option("--skip-bad", is_flag=True, help="Leave out photos that cannot be decoded; else they are an error.")
def embed(
    run_folder: Path,
    sources: tuple[Path, ...],
    output: Path,
    reader: str,
    engine: str,
    batch: int,
    skip_bad: bool,
) -> None:
    """Turn photos into unit vectors with the encoder of RUN, and write them to one file.

    Give photos, or a folder: a data set with a table (HandInfo.csv, labels.csv) keeps its labels, and its .npz file is read
    by `handnet eval --embeddings`; of any other folder all photos below it are taken. Stopped, it continues where it was.
    """
    from handnet.config.run_folder import read_run
    from handnet.errors import DataError
    from handnet.files import check_free_space
    from handnet.metrics.vectors import check_vector_file, write_vectors

    check_vector_file(output)
    run = read_run(run_folder)
    examples, labelled = find_photos(sources, reader)
    check_free_space(output.absolute().parent, 10_000_000 + 8 * len(examples) * run.config.model.embedding_size)

    start_tensorflow()
    from handnet.embedding.engines import NUM_CALIBRATION_PHOTOS, build_engine, check_engine
    from handnet.embedding.job import embed_photos, remove_partial
    from handnet.images.store import build_decoder, describe_problems
    from handnet.networks.encoder import load_encoder

    encoder = load_encoder(run).model
    # TensorFlow is what the others are compared with; 8-bit ranges are chosen on more photos than a comparison needs.
    num_samples = {"tensorflow": 0, "openvino-int8": NUM_CALIBRATION_PHOTOS}.get(engine, _NUM_CHECKED)
    samples = _decode_some([example.path for example in examples], num_samples, build_decoder(run.config.image))
    built = build_engine(engine, encoder, run.config.image, batch, samples)
    agreement = ""
    if built.name != "tensorflow" and samples is not None:
        cosine = check_engine(built, encoder, samples[: min(batch, _NUM_CHECKED)])
        agreement = f", cosine with TensorFlow's vectors at least {cosine:.6f}"
    echo(f"engine: {built.name} in {built.precision}{agreement}; {len(examples):,} photos")
    partial = output.with_name(f"{output.name}.part")
    paths = [example.path for example in examples]
    found = embed_photos(paths, run.config.image, built, encoder, partial, batch, show_progress("embed photos"))
    if found.problems:
        if not skip_bad:
            raise DataError(
                f"{describe_problems(found.problems, len(examples))} Nothing was written. Repair or remove them, or leave them "
                "out with --skip-bad: what is embedded is kept."
            )
        for path, reason in found.problems.items():
            warn(f"left out {path!r}: {reason}")
    write_vectors(output, found.embeddings, [examples[row] for row in found.rows], labelled)
    remove_partial(partial)
    echo(f"wrote {len(found.rows):,} vectors of {found.embeddings.shape[1]} numbers to {output}")


def _decode_some(paths: Sequence[str], count: int, decode: "Decode") -> "npt.NDArray[np.uint8] | None":
    """Return some of the photos that can be decoded, evenly spread, or None where there are none."""
    import numpy as np

    step = max(1, len(paths) // max(1, count))
    readable = [path for path in paths[::step][:count] if os.access(path, os.R_OK)]
    decoded = [decode(Path(path).read_bytes())[0] for path in readable]
    images = [pixels for pixels in decoded if pixels is not None]
    return np.stack(images) if images else None


def find_photos(sources: tuple[Path, ...], reader: str) -> tuple[list["Example"], bool]:
    """Return the photos that files, a folder or a data set give, and whether they have labels.

    Raises:
        DataError: there is no such file or folder, or no photo in it.
    """
    from handnet.data.dataset import PHOTO_SUFFIXES
    from handnet.data.example import Example
    from handnet.data.readers import read_dataset
    from handnet.data.readers.folder import TABLE_NAME
    from handnet.errors import DataError

    if len(sources) == 1 and sources[0].is_dir():
        folder = sources[0]
        if not reader:
            tables = {"HandInfo.csv": "hands11k", TABLE_NAME: "folder"}
            reader = next((name for table, name in tables.items() if (folder / table).is_file()), "")
        if reader:
            dataset = read_dataset(reader, folder)
            for problem in dataset.problems:
                echo(f"data: {problem}")
            return dataset.examples, True
    elif reader:
        raise DataError("--reader is for one folder, a data set. Leave it out for photos.")
    paths: list[str] = []
    for source in sources:
        if source.is_dir():
            below = (path for path in source.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
            found = sorted(str(path.absolute()) for path in below)
            if not found:
                kinds = ", ".join(suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES)
                raise DataError(f"There is no photo ({kinds}) in {str(source)!r}.")
            paths += found
        elif source.is_file():
            paths.append(str(source.absolute()))
        else:
            raise DataError(f"There is no photo or folder {str(source)!r}.")
    return [Example(path, "") for path in paths], False
