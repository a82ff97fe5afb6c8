"""`handnet embed`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt

    from handnet.config.run_folder import Run
    from handnet.config.settings import ImageConfig
    from handnet.data.example import Example
    from handnet.embedding.engines import Engine
    from handnet.images.photo_store import Decoded

_NUM_CHECKED = 8


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("sources", metavar="PHOTO…|DIR|DATA", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="File to write: .npz or .parquet (pyarrow)."
)
@click.option("--reader", default="", help="Reader of a data set with labels.  [default: chosen by its table]")
@click.option("--engine", default="auto", show_default=True, help="auto, tensorflow or openvino.")
@click.option(
    "--batch", default=32, show_default=True, type=click.IntRange(1, 4096), help="Number of photos in a batch."
)
@click.option(
    "--skip-bad", is_flag=True, help="Leave out photos that cannot be decoded; without this they are an error."
)
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

    Give photos, or a folder. The vectors of a data set with a table (HandInfo.csv, labels.csv) keep its labels, and
    `handnet eval --embeddings` reads the file; in any other folder all photos below it are used. If you stop the command
    and run it again, it continues.
    """
    from handnet.cli._data import find_photos
    from handnet.config.run_folder import read_run
    from handnet.files import check_free_space, hold_lock
    from handnet.metrics.embedded import check_vector_file

    check_vector_file(output)
    run = read_run(run_folder)
    examples = find_photos(sources, reader)
    check_free_space(output.absolute().parent, 10_000_000 + 8 * len(examples) * run.config.model.embedding_size)
    with hold_lock(output):
        _write_embeddings(run, examples, output, engine, batch, skip_bad)


def _write_embeddings(
    run: "Run",
    examples: "list[Example]",
    output: Path,
    engine: str,
    batch: int,
    skip_bad: bool,
) -> None:
    start_tensorflow()
    from handnet.config.run_folder import WEIGHTS_FILE
    from handnet.embedding.job import embed_photos, remove_partial
    from handnet.errors import DataError
    from handnet.images.unusable_photos import describe_problems
    from handnet.metrics.embedded import label_embeddings
    from handnet.networks.encoder import load_encoder
    from handnet.networks.weights.manifest import hash_file

    encoder = load_encoder(run).model
    paths = [example.path for example in examples]
    built = _build_engine(engine, encoder, run.config.image, batch, paths)
    partial = output.with_name(f"{output.name}.part")
    found = embed_photos(paths, run.config.image, built, encoder, partial, batch, show_progress)
    if found.problems:
        if not skip_bad:
            raise DataError(
                f"{describe_problems(found.problems, len(examples))} Nothing was written. Repair or remove them, or leave them "
                "out with --skip-bad: what is embedded is kept."
            )
        for path, reason in found.problems.items():
            warn(f"left out {path!r}: {reason}")
    kept = [examples[row] for row in found.rows]
    label_embeddings(found.embeddings, kept, model=hash_file(run.folder / WEIGHTS_FILE)).save(output, found.hands)
    remove_partial(partial)
    echo(f"wrote {len(found.rows):,} vectors of {found.embeddings.shape[1]} numbers to {output}")


def _build_engine(
    name: str, encoder: "keras.Model", image: "ImageConfig", batch: int, paths: Sequence[str]
) -> "Engine":
    """Compile the encoder, and compare its vectors of some of the photos with TensorFlow's."""
    from handnet.embedding.engines import build_engine, check_engine
    from handnet.images.photo_store import build_hand_decoder

    samples = None if name == "tensorflow" else _decode_some(paths, _NUM_CHECKED, build_hand_decoder(image))
    engine = build_engine(name, encoder, image, batch, samples)
    agreement = ""
    if engine.name != "tensorflow" and samples is not None:
        cosine = check_engine(engine, encoder, samples[:batch])
        agreement = f", cosine with TensorFlow's vectors at least {cosine:.6f}"
    echo(f"engine: {engine.name} in {engine.precision}{agreement}; {len(paths):,} photos")
    return engine


def _decode_some(
    paths: Sequence[str], count: int, decode: "Callable[[bytes], Decoded]"
) -> "npt.NDArray[np.uint8] | None":
    """Return some of the photos that can be decoded, evenly spread, or None where there are none."""
    import numpy as np

    from handnet.data.checks import read_photo

    step = max(1, len(paths) // max(1, count))
    read = [read_photo(path) for path in paths[::step][:count]]
    decoded = [decode(contents).pixels for contents, problem in read if not problem]
    images = [pixels for pixels in decoded if pixels is not None]
    return np.stack(images) if images else None
