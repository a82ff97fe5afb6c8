"""`handnet embed`."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt

    from handnet.cli._data import FoundPhotos
    from handnet.config.image import ImageConfig
    from handnet.config.run_folder import Run
    from handnet.data.example import Example
    from handnet.embedding.engines import Engine
    from handnet.embedding.quick_embed import Vectors
    from handnet.images.photo_store import Decoded

_NUM_CHECKED = 8
# What comes of bad photos. A folder belongs to its photos as they were: a file is continued with repaired ones too.
_FILE_OUTCOME = (
    "Nothing was written. Repair or remove them, or leave them out with --skip-bad: what is embedded is kept."
)
_FOLDER_OUTCOME = (
    "The folder is left incomplete. Leave them out with --skip-bad: what is embedded is kept. Or repair or remove them, and "
    "embed into another folder."
)


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("sources", metavar="PHOTO…|DIR|DATA|ADDRESS", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    required=True,
    help="File to write: .npz or .parquet (pyarrow); with --cluster a folder, or s3://BUCKET/FOLDER.",
)
@click.option("--reader", default="", help="Reader of a data set with labels.  [default: chosen by its table]")
@click.option("--engine", default="auto", show_default=True, help="auto, tensorflow or openvino.")
@click.option(
    "--batch", default=32, show_default=True, type=click.IntRange(1, 4096), help="Number of photos in a batch."
)
@click.option(
    "--skip-bad", is_flag=True, help="Leave out photos that cannot be decoded; without this they are an error."
)
@click.option(
    "--cluster",
    default="",
    help="Embed on a Ray cluster: local (this machine), auto, ray://HOST:10001 or HOST:6379; needs the extra cluster.",
)
@click.option(
    "--workers",
    default=0,
    type=click.IntRange(0),
    help="With --cluster: number of workers.  [default: one for each GPU asked for, else one for each machine]",
)
@click.option(
    "--num-gpus-per-worker",
    "num_gpus",
    default=0.0,
    type=click.FloatRange(0, 64),
    help="With --cluster: GPUs of each worker.  [default: none]",
)
def embed(
    run_folder: Path,
    sources: tuple[str, ...],
    output: str,
    reader: str,
    engine: str,
    batch: int,
    skip_bad: bool,
    cluster: str,
    workers: int,
    num_gpus: float,
) -> None:
    """Turn photos into unit vectors with the encoder of RUN, and write them to one file.

    Give photos, or a folder. The vectors of a data set with a table (HandInfo.csv, labels.csv) keep its labels, and
    `handnet eval --embeddings` reads the file; in any other folder all photos below it are used. If you stop the command
    and run it again, it continues.

    Photos may lie elsewhere: give a folder s3://BUCKET/FOLDER (gs://), or a table labels.csv whose column path holds
    addresses. With --cluster the workers of a Ray cluster embed them, and write a folder of Parquet files.
    """
    from handnet.cli._data import find_photos_anywhere
    from handnet.config.run_folder import read_run
    from handnet.data.remote.addresses import is_address
    from handnet.embedding.ray_cluster import check_cluster
    from handnet.errors import ConfigError
    from handnet.files import check_free_space, hold_lock
    from handnet.metrics.embedded import check_vector_file

    if not cluster:
        if workers or num_gpus:
            raise ConfigError("--workers and --num-gpus-per-worker belong to --cluster, e.g. --cluster local.")
        file = Path(output)
        check_vector_file(file)
        run = read_run(run_folder)
        examples = find_photos_anywhere(sources, reader).examples
        check_free_space(file.absolute().parent, 10_000_000 + 8 * len(examples) * run.config.model.embedding_size)
        with hold_lock(file):
            _write_embeddings(run, examples, file, engine, batch, skip_bad)
        return
    check_cluster(cluster)
    run = read_run(run_folder)
    found = find_photos_anywhere(sources, reader)
    with contextlib.nullcontext() if is_address(output) else hold_lock(Path(output)):
        _embed_on_cluster(run, found, output, (cluster, workers, num_gpus), engine, batch, skip_bad)


def _embed_on_cluster(
    run: "Run",
    found: "FoundPhotos",
    output: str,
    pool: tuple[str, int, float],
    engine: str,
    batch: int,
    skip_bad: bool,
) -> None:
    start_tensorflow()
    from handnet.data.remote.addresses import hide_secrets
    from handnet.embedding.cluster_job import ClusterPlan, embed_on_cluster, finish
    from handnet.embedding.engines import ENGINES
    from handnet.errors import ConfigError, format_unknown

    # Each worker would choose for its own machine, and their vectors would differ.
    engine = "tensorflow" if engine == "auto" else engine
    if engine not in ENGINES:
        raise ConfigError(format_unknown("engine", engine, ["auto", *ENGINES]))
    num_photos = len(found.examples)
    echo(f"engine: {engine} in float32, on the cluster {pool[0]}; {num_photos:,} photos")
    embedded = embed_on_cluster(
        run, found.examples, found.stamps, output, ClusterPlan(*pool), engine, batch, show_progress
    )
    _say_problems(embedded.problems, num_photos, skip_bad, _FOLDER_OUTCOME)
    finish(output, num_photos)
    echo(
        f"wrote {embedded.num_vectors:,} vectors of {run.config.model.embedding_size} numbers to {hide_secrets(output)}"
    )


def _say_problems(problems: Mapping[str, str], num_photos: int, skip_bad: bool, outcome: str = _FILE_OUTCOME) -> None:
    """Warn of each bad photo, or raise DataError where bad ones are not to be left out."""
    from handnet.errors import DataError
    from handnet.images.unusable_photos import describe_problems

    if problems and not skip_bad:
        raise DataError(f"{describe_problems(problems, num_photos)} {outcome}")
    for place, reason in problems.items():
        warn(f"left out {place!r}: {reason}")


def _write_embeddings(
    run: "Run",
    examples: "list[Example]",
    output: Path,
    engine: str,
    batch: int,
    skip_bad: bool,
) -> None:
    from handnet.config.run_folder import WEIGHTS_FILE
    from handnet.data.remote.addresses import record_place
    from handnet.embedding.hand_columns import note_findings
    from handnet.embedding.quick_embed import embed_quickly
    from handnet.metrics.embedded import label_embeddings
    from handnet.networks.weights.manifest import hash_file

    paths = [example.path for example in examples]
    partial = output.with_name(f"{output.name}.part")
    # What was begun is continued.
    quick = embed_quickly(run, paths, engine) if not partial.exists() else None
    if quick is not None:
        found = quick.vectors
        echo(f"engine: {quick.engine} in {quick.precision}, from the cache; {len(paths):,} photos")
    else:
        found = _embed_all(run, paths, partial, engine, batch)
    _say_problems({record_place(place): why for place, why in found.problems.items()}, len(examples), skip_bad)
    kept = [replace(examples[row], path=record_place(paths[row])) for row in found.rows]
    for note in note_findings([example.path for example in kept], found.hands):
        warn(note)
    label_embeddings(found.embeddings, kept, model=hash_file(run.folder / WEIGHTS_FILE)).save(output, found.hands)
    if quick is None:
        from handnet.embedding.job import remove_partial

        remove_partial(partial)
    echo(f"wrote {len(found.rows):,} vectors of {found.embeddings.shape[1]} numbers to {output}")


def _embed_all(run: "Run", paths: Sequence[str], partial: Path, engine: str, batch: int) -> "Vectors":
    """Embed photos by the run's encoder, and keep what comes of each."""
    start_tensorflow()
    from handnet.embedding.job import embed_photos
    from handnet.embedding.kept_vectors import KeptVectors
    from handnet.embedding.run_identity import describe_run
    from handnet.networks.encoder import load_encoder

    encoder, image = load_encoder(run).model, run.config.image
    built = _build_engine(engine, encoder, image, batch, paths)
    kept = KeptVectors(describe_run(run), built.name, built.precision)
    return embed_photos(paths, image, built, encoder, partial, batch, show_progress, kept)


def _build_engine(
    name: str, encoder: "keras.Model", image: "ImageConfig", batch: int, paths: Sequence[str]
) -> "Engine":
    """Compile the encoder, and compare its vectors of some of the photos with TensorFlow's."""
    from handnet.embedding.engines import build_engine, check_engine, choose_engine
    from handnet.images.photo_store import build_hand_decoder

    name = choose_engine(encoder, len(paths)) if name == "auto" else name
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

    from handnet.data.remote.remote_photos import read_photo_anywhere

    step = max(1, len(paths) // max(1, count))
    read = [read_photo_anywhere(path) for path in paths[::step][:count]]
    decoded = [decode(contents).pixels for contents, problem in read if not problem]
    images = [pixels for pixels in decoded if pixels is not None]
    return np.stack(images) if images else None
