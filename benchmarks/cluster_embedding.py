"""Photos to vectors by one process and by a Ray cluster on this machine, in one run, and where the difference goes.

    python benchmarks/cluster_embedding.py RUN PHOTOS --workers 2

RUN is a run folder and PHOTOS a folder; --count photos of it are used. Printed are photos a second by the
clock: the time until the first part is done, and of the parts after it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from machine import describe_machine

from handnet.config.run_folder import read_run
from handnet.data.example import VIEWS, Example
from handnet.data.photo_files import find_photos
from handnet.embedding.cluster_job import ClusterPlan, embed_on_cluster, finish
from handnet.embedding.engines import build_engine
from handnet.embedding.job import embed_photos
from handnet.metrics.embedded import load_part
from handnet.networks.encoder import load_encoder


def main() -> None:
    """Embed the same photos both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--part", type=int, default=128, help="Photos of a part.")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    places = list(find_photos(arguments.photos).photos)[: arguments.count]
    print(describe_machine(("tensorflow", "ray")))
    print(
        f"{len(places):,} photos, parts of {arguments.part}, {run.config.model.arch} at {run.config.image.size_px} px"
    )
    with tempfile.TemporaryDirectory() as folder:
        begin_s = time.perf_counter()
        encoder = load_encoder(run).model
        engine = build_engine("tensorflow", encoder, run.config.image, 32)
        ready_s = time.perf_counter()
        alone = embed_photos(places, run.config.image, engine, encoder, Path(folder) / "part", 32)
        done_s = time.perf_counter()
        print(f"one process: model {ready_s - begin_s:.1f} s, photos {done_s - ready_s:.1f} s", end="")
        print(f" ({len(places) / (done_s - ready_s):.1f} a second)")
        marks: list[tuple[float, int]] = []
        begin_s = time.perf_counter()
        output = str(Path(folder) / "out")
        embed_on_cluster(
            run,
            [Example(place, f"{k // 2}", VIEWS[k % 2]) for k, place in enumerate(places)],
            {},
            output,
            ClusterPlan("local", arguments.workers),
            "tensorflow",
            32,
            lambda name: lambda done, total: marks.append((time.perf_counter() - begin_s, done)),
            part_size=arguments.part,
        )
        done_s = time.perf_counter() - begin_s
        finish(output, len(places), arguments.part)
        vectors = load_part(output).embeddings
    (first_s, first), (last_s, last) = marks[0], marks[-1]
    rate = (last - first) / max(last_s - first_s, 1e-9)
    print(
        f"{arguments.workers} workers: first part after {first_s:.1f} s, then {rate:.1f} a second, in all {done_s:.1f} s"
    )
    print(f"equal to the bit: {bool((vectors == alone.embeddings).all())}")


if __name__ == "__main__":
    main()
