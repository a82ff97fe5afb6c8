"""Latency and throughput of an exported model from photo bytes, next to the plain Keras path, and over gRPC.

    python benchmarks/serving.py --arch small --size 224 --repeats 50

Without --model an encoder of random weights is exported first: its speed is that of a trained one. Prints p50 and p99 of the
time of a request, and photos a second, at batch 1, 8 and 32; each way of calling takes its turn in every round, so that a busy
machine slows all of them.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.config.toml import parse_config
from handnet.export.archive import export_encoder
from handnet.export.exported_model import FACTS_FILE
from handnet.images.decode import load_photo
from handnet.networks.encoder import build_encoder

BATCHES = (1, 8, 32)
Call = Callable[[list[bytes]], object]


def make_photos(count: int, width: int, height: int) -> list[bytes]:
    """Return JPEG files of smooth random pictures with a little noise: about as large as photos of that size are."""
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(40, 220, (12, 16, 3), dtype=np.uint8)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(coarse, np.int16) + rng.integers(-6, 7, (height, width, 3))
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        photos.append(buffer.getvalue())
    return photos


def build_keras_path(encoder: keras.Model, image: ImageConfig) -> Call:
    """Return what a program without an export does: decode each photo with TensorFlow, then `predict_on_batch`."""
    decode = tf.function(lambda contents: load_photo(contents, image), input_signature=[tf.TensorSpec((), tf.string)])
    return lambda photos: encoder.predict_on_batch(np.stack([decode(photo).numpy() for photo in photos]))


def build_session_path(folder: Path, session: tf.compat.v1.Session) -> Call:
    """Return the exported model as TensorFlow Serving runs it: by a Session."""
    with session.graph.as_default():
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
    signature = meta.signature_def["embed"]
    run = session.make_callable(signature.outputs["embeddings"].name, [signature.inputs["photos"].name])
    return lambda photos: run(np.array(photos, dtype=object))


def measure(calls: dict[str, Call], photos: list[bytes], batch: int, repeats: int) -> dict[str, np.ndarray]:
    """Return the seconds of each call, the ways taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-2, repeats):
        part = [photos[(batch * (number + 2) + k) % len(photos)] for k in range(batch)]
        for name, call in calls.items():
            begin = time.perf_counter()
            call(part)
            # The first two rounds warm up.
            if number >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return {name: np.array(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="small")
    parser.add_argument("--size", type=int, default=224, help="side of the network's photos, pixels")
    parser.add_argument("--photo", default="1600x1200", help="size of the photos sent")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--no-grpc", action="store_true", help="leave the loopback gRPC stand-in out")
    arguments = parser.parse_args()
    config = parse_config({"image": {"size_px": arguments.size}, "model": {"arch": arguments.arch, "weights": "none"}})
    encoder = build_encoder(config)
    photos = make_photos(32, *map(int, arguments.photo.split("x")))
    kilobytes = np.mean([len(photo) for photo in photos]) / 1e3
    print(
        f"{arguments.arch} at {arguments.size} px, photos {arguments.photo} of {kilobytes:.0f} kB, {os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HANDNET_CACHE"] = f"{scratch}/cache"
        paths = [Path(scratch) / f"{k}.jpg" for k in range(4)]
        for path, photo in zip(paths, photos, strict=False):
            path.write_bytes(photo)
        begin = time.perf_counter()
        export = export_encoder(encoder, config.image, Path(scratch) / "bench", [str(path) for path in paths])
        facts = json.loads((export.folder / FACTS_FILE).read_text())
        print(f"exported and checked in {time.perf_counter() - begin:.1f} s, max abs error {facts['max_error']:.1e}\n")
        # Not as a context, which would make everything in it part of the session's graph.
        session = tf.compat.v1.Session(graph=tf.Graph())
        with contextlib.closing(session):
            calls = {
                "Keras: decode one by one, predict_on_batch": build_keras_path(encoder.model, config.image),
                "SavedModel in a Session": build_session_path(export.folder, session),
            }
            if arguments.no_grpc:
                print_table(calls, photos, arguments.repeats)
                return
            # Some packages install a folder of this name too.
            sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
            from handnet.serving.client.calls import connect
            from handnet.serving.client.connection import parse_server
            from tests.serving.standin import Model, serve_grpc

            with serve_grpc(Model(export.folder, "bench")) as address:
                client = connect(parse_server(address, "bench", timeout_s=300.0))
                calls["gRPC stand-in (Python), loopback"] = lambda part: client.predict(
                    "embed", {"photos": part}, ("embeddings",)
                )
                print_table(calls, photos, arguments.repeats)
                client.close()


def print_table(calls: dict[str, Call], photos: list[bytes], repeats: int) -> None:
    """Measure each batch size and print its rows."""
    print(f"{'':46}{'batch':>6}{'p50 ms':>10}{'p99 ms':>10}{'photos/s':>10}")
    for batch in BATCHES:
        for name, seconds in measure(calls, photos, batch, repeats).items():
            p50, p99 = np.percentile(seconds, [50, 99])
            print(f"{name:46}{batch:>6}{1e3 * p50:>10.1f}{1e3 * p99:>10.1f}{batch / p50:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
