"""Photos to a folder of vectors by a cluster: what is done survives a kill, and a second start does what is missing."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.console import Progress, hide_progress
from handnet.data.example import Example
from handnet.data.remote.addresses import is_address, record_place
from handnet.data.remote.any_folder import Folder
from handnet.embedding.part_worker import WorkerJob, pack_examples
from handnet.embedding.ray_cluster import embed_parts, join_cluster, plan_pool
from handnet.embedding.shard import SHARD_SIZE
from handnet.errors import DataError, RunError
from handnet.files import parse_json
from handnet.images.pixel_rules import describe_rules
from handnet.metrics.vector_folder import COMPLETE_FILE, MANIFEST_FILE, name_record

# What is lost with a worker that is killed; whole shards, so that batches are those of the job of one machine.
PART_SIZE = 4 * SHARD_SIZE
FORMAT = 1
# What the folder must agree with, and how a difference is said.
_MUST_AGREE = {
    "format": "another version of handnet",
    "model": "another model",
    "image": "other settings of photos",
    "engine": "another engine or batch size",
    "photos": "other photos or labels",
    "part_size": "parts of another size",
}


class ClusterPlan(NamedTuple):
    """How a cluster is used.

    Attributes:
        cluster: as `join_cluster`.
        num_workers: as `plan_pool`.
        num_gpus: of each worker.
    """

    cluster: str
    num_workers: int = 0
    num_gpus: float = 0.0


class Embedded(NamedTuple):
    """What came of the photos.

    Attributes:
        num_vectors: rows in the folder.
        problems: the reason of each photo that has none, by its place.
    """

    num_vectors: int
    problems: dict[str, str]


def embed_on_cluster(
    run: Run,
    examples: Sequence[Example],
    stamps: Mapping[str, tuple[int, int]],
    output: str,
    plan: ClusterPlan,
    engine: str,
    batch_size: int,
    progress: Progress = hide_progress,
    part_size: int = PART_SIZE,
) -> Embedded:
    """Embed photos into a folder of Parquet files, one row for each good photo; bad ones are reported, not raised.

    The folder is continued where it belongs to the same photos, model and settings. `finish` says that it is complete.

    Args:
        run: whose encoder it is.
        examples: the photos and their labels; paths that all workers see, or addresses.
        stamps: address → (bytes, time) of photos in buckets; files of this machine are looked at.
        output: the folder, a path that all workers see, or s3://bucket/folder.
        plan: of the cluster.
        engine: a key of ENGINES.
        batch_size: photos at a time.
        progress: told of (photos done, photos in all), counted from where the work is continued.
        part_size: photos of a part.

    Raises:
        RunError: the run has no weights, or the folder holds vectors of something else, or a damaged record.
        ClusterError: the cluster cannot be reached, or gave up.
        DataError: a server or bucket that cannot be reached.
        DiskError: the folder cannot be written.
    """
    file = run.folder / WEIGHTS_FILE
    if not file.is_file():
        raise RunError(
            f"{str(run.folder)!r} has no {WEIGHTS_FILE}: the run was stopped before it began. Train it again."
        )
    weights = file.read_bytes()
    folder = Folder(output)
    model = hashlib.sha256(weights).hexdigest()
    rules = describe_rules(run.config.image)
    manifest = {
        "format": FORMAT,
        "model": model,
        "image": hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest(),
        "engine": [engine, batch_size],
        "photos": _digest_photos(examples, stamps),
        "num_photos": len(examples),
        "part_size": part_size,
    }
    names = _open_folder(folder, manifest)
    parts = [examples[begin : begin + part_size] for begin in range(0, len(examples), part_size)]
    records = [_read_record(folder, n, len(part)) for n, part in enumerate(parts) if name_record(n) in names]
    missing = [number for number in range(len(parts)) if name_record(number) not in names]
    count, total, done = progress("embed photos"), sum(len(parts[number]) for number in missing), 0
    if missing:
        with join_cluster(plan.cluster, 2 * len(weights)):
            pool = plan_pool(plan.num_workers, plan.num_gpus)
            job = WorkerJob(run.config, weights, model, rules, engine, batch_size, output, pool.num_cpus)
            packed = [(number, pack_examples(parts[number])) for number in missing]
            for record in embed_parts(job, packed, pool):
                records.append(record)
                done += record["photos"]
                count(done, total)
    if sum(record["photos"] for record in records) != len(examples):
        raise DataError(f"{str(folder)!r} lacks parts: something else writes or deletes there. Run the command again.")
    problems = {place: reason for record in records for place, reason in record["problems"]}
    return Embedded(sum(record["vectors"] for record in records), problems)


def finish(output: str, num_photos: int, part_size: int = PART_SIZE) -> None:
    """Say in the folder that all its parts are there: only then `handnet eval` reads it.

    Raises:
        RunError: a record is damaged.
        DataError: a record cannot be read.
        DiskError: the folder cannot be written.
    """
    folder = Folder(output)
    begins = range(0, num_photos, part_size)
    records = [_read_record(folder, n, min(part_size, num_photos - begin)) for n, begin in enumerate(begins)]
    facts = {
        "photos": num_photos,
        "vectors": sum(record["vectors"] for record in records),
        "parts": [number for number, record in enumerate(records) if record["vectors"]],
        "problems": [problem for record in records for problem in record["problems"]],
    }
    folder.write(COMPLETE_FILE, json.dumps(facts).encode())


def _open_folder(folder: Folder, manifest: Mapping[str, Any]) -> set[str]:
    """Return the names in the folder; its manifest is written where there is none.

    Raises:
        RunError: it holds something else.
    """
    folder.remove_leftovers()
    names = folder.list_names()
    if MANIFEST_FILE in names:
        try:
            known = parse_json(folder.read(MANIFEST_FILE))
            differing = [what for key, what in _MUST_AGREE.items() if known[key] != manifest[key]]
        except (ValueError, KeyError, TypeError):
            differing = ["a damaged manifest"]
        if differing:
            raise RunError(
                f"{str(folder)!r} holds vectors of {' and of '.join(differing)}. Give the same as when it was begun, or "
                "another folder."
            )
        return names
    if names - {".DS_Store"}:
        raise RunError(f"{str(folder)!r} holds other files. Give an empty or new folder.")
    folder.write(MANIFEST_FILE, json.dumps(manifest, indent=2).encode())
    return names


def _read_record(folder: Folder, number: int, num_photos: int) -> dict[str, Any]:
    """Return the record of a part that is done.

    Raises:
        RunError: it is no record of `num_photos` photos.
        DataError: it cannot be read.
    """
    try:
        record: dict[str, Any] = parse_json(folder.read(name_record(number)))
        sizes = record["photos"], record["vectors"] + len([(place, reason) for place, reason in record["problems"]])
    except (ValueError, KeyError, TypeError):
        sizes = -1, -1
    if sizes != (num_photos, num_photos):
        raise RunError(
            f"{name_record(number)} in {str(folder)!r} is damaged. Delete it and run the command again: its part is embedded "
            "again."
        )
    return record


def _digest_photos(examples: Sequence[Example], stamps: Mapping[str, tuple[int, int]]) -> str:
    """Return a digest of the photos and labels; size and time are taken for the content where they are known."""
    digest = hashlib.blake2b(digest_size=16)
    for example in examples:
        # Signed addresses expire: with a new signature it is the same photo.
        row = [record_place(example.path), example.identity, example.view, example.side, dict(example.attributes)]
        digest.update(json.dumps([*row, *_look(example.path, stamps)], sort_keys=True).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _look(place: str, stamps: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    if is_address(place):
        return stamps.get(place, (-1, -1))
    try:
        status = os.stat(place)
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns
