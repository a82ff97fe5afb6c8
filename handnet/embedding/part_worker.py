"""What a worker of a cluster does: it builds the encoder once, and turns parts of the photos into files of vectors."""

import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.config.settings import Config
from handnet.data.example import Example
from handnet.data.remote.addresses import record_place
from handnet.data.remote.any_folder import Folder
from handnet.embedding.engines import Engine, build_engine
from handnet.embedding.hand_columns import list_hands
from handnet.embedding.shard import SHARD_SIZE, embed_shards
from handnet.errors import ClusterError
from handnet.images.pixel_rules import describe_rules
from handnet.metrics.embedded import label_embeddings
from handnet.metrics.vector_folder import name_part, name_record
from handnet.networks.encoder import load_encoder


class WorkerJob(NamedTuple):
    """All that a worker needs, sent to it with the model itself: it reads no file of the machine that asks.

    Attributes:
        config: of the run.
        weights: the contents of its file of weights.
        model: their digest.
        rules: `describe_rules` of the photos, by the machine that asks.
        engine: a key of ENGINES.
        batch_size: photos at a time.
        output: the folder of the vectors, a path that all workers see, or an address.
        num_threads: cores of this worker.
    """

    config: Config
    weights: bytes
    model: str
    rules: Mapping[str, Any]
    engine: str
    batch_size: int
    output: str
    num_threads: int


class PartWorker:
    """Embeds one part after the other with the encoder that it builds when the first comes."""

    def __init__(self, job: WorkerJob) -> None:
        self._job = job
        self._engine: Engine | None = None
        self._width = 0

    def embed_part(self, number: int, examples: Sequence[Example]) -> dict[str, Any]:
        """Write the vectors of one part and then its record.

        A part that is done again, since its worker was killed, gets the same names: so each photo has one row.

        Args:
            number: of the part.
            examples: its photos with their labels.

        Returns:
            The record: photos, vectors (counts), problems ([place, reason] of each bad photo).

        Raises:
            HandnetError: what is not the fault of a photo.
        """
        job = self._job
        engine = self._engine or self._build()
        places = [example.path for example in examples]
        shards = [places[begin : begin + SHARD_SIZE] for begin in range(0, len(places), SHARD_SIZE)]
        found = list(
            embed_shards(
                shards, job.config.image, engine, self._width, job.batch_size, lambda done: None, job.num_threads
            )
        )
        reasons = [reason for shard in found for reason in shard.reasons]
        kept = [
            replace(example, path=record_place(example.path))
            for example, reason in zip(examples, reasons, strict=True)
            if not reason
        ]
        folder = Folder(job.output)
        if kept:
            vectors = np.concatenate([shard.vectors for shard in found])
            seen = list_hands([hand for shard in found for hand in shard.hands])
            with tempfile.TemporaryDirectory() as temporary:
                file = Path(temporary) / name_part(number)
                label_embeddings(vectors, kept, model=job.model).save(file, seen)
                folder.write(file.name, file.read_bytes())
        problems = [(record_place(place), reason) for place, reason in zip(places, reasons, strict=True) if reason]
        record = {"photos": len(places), "vectors": len(kept), "problems": problems}
        folder.write(name_record(number), json.dumps(record).encode())
        return record

    def _build(self) -> Engine:
        job = self._job
        if describe_rules(job.config.image) != job.rules:
            raise ClusterError(
                f"The worker on {platform.node()} makes other pixels of photos than the machine that asks it: another version of "
                "handnet, TensorFlow or Pillow. Install the same versions on all machines."
            )
        with tempfile.TemporaryDirectory() as temporary:
            (Path(temporary) / WEIGHTS_FILE).write_bytes(job.weights)
            encoder = load_encoder(Run(Path(temporary), job.config, {})).model
        self._engine = build_engine(job.engine, encoder, job.config.image, job.batch_size)
        self._width = int(encoder.output_shape[-1])
        return self._engine


def pack_examples(examples: Sequence[Example]) -> bytes:
    """Return photos with their labels as bytes that `unpack_examples` reads."""
    rows: list[list[Any]] = [[e.path, e.identity, e.view, e.side, dict(e.attributes)] for e in examples]
    return json.dumps(rows).encode("utf-8", "surrogatepass")


def unpack_examples(packed: bytes) -> list[Example]:
    """Return the photos that `pack_examples` packed."""
    rows: list[tuple[str, str, str, str, Mapping[str, str]]] = json.loads(packed.decode("utf-8", "surrogatepass"))
    return [Example(*row) for row in rows]
