"""The API under load: many clients identify photos at once; time of an answer, errors, processor time, the server's memory.

    python benchmarks/api.py [--requests 10000] [--clients 50] [--bad 100] [--people 200] [--gallery G]

Among the requests, at random places, are bad uploads: no photo, half a photo, a picture that claims to be enormous, malformed
forms, unknown fields. Each must be refused (4xx), or answered with a problem where one of several photos cannot be used.
Without --gallery the server uses an encoder of pixels that costs next to nothing, so that the figures are the API's own:
parsing, limits, batching, search. With it, a gallery that handnet gallery made, and its model. Loopback only.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from machine import describe_machine
from PIL import Image

from handnet.data.synthetic import draw_batch
from handnet.gallery import Gallery
from handnet.gallery.pairings import fit_matching
from handnet.gallery.photo_encoder import Embedded, PhotoInput, digest_model, read_contents
from handnet.gallery.records import HandKind

WIDTH, SIDE_PX = 128, 96
CALIBRATION_PEOPLE = 40


class PixelEncoder:
    """Small grey pixels, turned: an encoder of no worth that costs next to nothing."""

    width, digest, source = WIDTH, digest_model([b"pixels"]), {"kind": "pixels", "path": ""}
    _matrix = np.random.default_rng(0).normal(size=(24 * 24, WIDTH)).astype(np.float32)

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos."""
        return [self._embed(read_contents(photo)) for photo in photos]

    def _embed(self, contents: bytes) -> Embedded:
        try:
            with Image.open(BytesIO(contents), formats=("JPEG", "PNG")) as opened:
                pixels = np.asarray(opened.convert("L").resize((24, 24)), np.float32).ravel() / 255
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return Embedded(None, "cannot be decoded")
        vector = (pixels - pixels.mean()) @ self._matrix
        return Embedded((vector / np.linalg.norm(vector)).astype(np.float32))


def draw(people: Sequence[int], shot: int) -> list[bytes]:
    """Return a JPEG of each person's left palm."""
    count = len(people)
    files = []
    for pixels in draw_batch(5, people, [1] * count, [0] * count, [shot] * count, SIDE_PX):
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        files.append(buffer.getvalue())
    return files


def serve(folder: str, num_people: int, gallery_path: str, pipe: "multiprocessing.connection.Connection") -> None:
    """Make a gallery, or open one, and serve it until the process is told to stop."""
    from handnet.serving.api.batching import BatchingEncoder
    from handnet.serving.api.counters import Counters
    from handnet.serving.api.limits import Limits
    from handnet.serving.api.server import listen, run_server
    from handnet.serving.api.service import Collection, Service

    figures = Counters()
    if gallery_path:
        from handnet.gallery.bound_models import load_model

        gallery = Gallery.open(gallery_path)
        encoder = BatchingEncoder(load_model(dict(gallery.header.source)), count=figures.count_batch)
        gallery.bind(encoder)
    else:
        encoder = BatchingEncoder(PixelEncoder(), count=figures.count_batch)
        calibration = range(10_000, 10_000 + CALIBRATION_PEOPLE)
        photos = [photo for shot in range(3) for photo in draw(calibration, shot)]
        vectors = np.stack([row.vector for row in PixelEncoder().embed(photos) if row.vector is not None])
        names = [str(person) for person in calibration] * 3
        matching = fit_matching(vectors, names, [HandKind("", "")] * len(names), origin="synthetic people")
        gallery = Gallery.create(Path(folder) / "gallery", encoder, matching, review="off")
        for person, photo in enumerate(draw(range(num_people), 0)):
            gallery.add(f"Person {person}", photo)
    limits = Limits(rate_per_s=1e6, burst=1_000_000)
    bound = listen("127.0.0.1", 0)
    pipe.send(bound.getsockname()[1])
    run_server(Service({"bench": Collection("bench", gallery, encoder)}, limits, figures=figures), bound)


def read_memory_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    line = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def read_processor_s(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def claim_size(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size, and which holds next to nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def list_bad_uploads(photo: bytes) -> list[dict[str, Any]]:
    """Return what is sent, as arguments of an HTTP client, none of which holds a photo that can be used."""

    def send(contents: bytes, **fields: str) -> dict[str, Any]:
        return {"files": {"photos": ("x.jpg", contents)}, "data": fields}

    form = {"Content-Type": "multipart/form-data; boundary=b"}
    return [
        send(b""),
        send(b"not a photo"),
        send(os.urandom(5_000)),
        send(photo[: len(photo) // 2]),
        send(photo[:20]),
        send(b"\xff\xd8\xff\xe0" + bytes(2_000)),
        send(claim_size(60_000, 60_000)),
        send(claim_size(2**31 - 1, 2**31 - 1)),
        send(b"GIF89a" + b"\xff" * 40),
        send(b"BM" + b"\xff" * 80),
        send(bytes(11_000_000)),
        send(photo, top="many"),
        send(photo, fpir="2"),
        send(photo, colour="red"),
        {"files": [("photos", ("x.jpg", photo))] * 21},
        {"files": {"other": ("x.jpg", photo)}},
        {"data": {"top": "3"}},
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
        {"content": b"--b\r\nno header\r\n", "headers": form},
        {"content": photo, "headers": {"Content-Type": "image/jpeg"}},
    ]


async def ask(base: str, pid: int, num_requests: int, num_clients: int, photos: list[bytes], num_bad: int) -> None:
    """Send the requests and print what came of them."""
    url = f"{base}/v1/collections/bench/identify"
    left = iter(range(num_requests))
    seconds: list[float] = []
    codes: Counter[int | str] = Counter()
    kinds = list_bad_uploads(photos[0])
    places = random.Random(0).sample(range(num_requests), num_bad)
    bad = {place: kinds[number % len(kinds)] for number, place in enumerate(places)}
    bad_codes: Counter[int | str] = Counter()
    memory = {0: read_memory_mb(pid)}
    begin_processor_s = read_processor_s(pid)

    async def run_client() -> None:
        async with httpx.AsyncClient(timeout=120) as client:
            for number in left:
                begin_s = time.perf_counter()
                photo = photos[number % len(photos)]
                given = bad.get(number, {"files": {"photos": ("hand.jpg", photo)}})
                counted = bad_codes if number in bad else codes
                try:
                    answer = await client.post(url, **given)
                    refused = answer.status_code == 200 and any(row["problem"] for row in answer.json()["answers"])
                    counted["a problem" if refused else answer.status_code] += 1
                except httpx.HTTPError as error:
                    counted[type(error).__name__] += 1
                seconds.append(time.perf_counter() - begin_s)
                if len(seconds) % max(num_requests // 5, 1) == 0:
                    memory[len(seconds)] = read_memory_mb(pid)

    begin_s = time.perf_counter()
    await asyncio.gather(*(run_client() for _ in range(num_clients)))
    took_s = time.perf_counter() - begin_s
    p50, p90, p99, worst = 1000 * np.quantile(seconds, [0.5, 0.9, 0.99, 1])
    errors = sum(count for code, count in codes.items() if code != 200)
    print(
        f"{num_requests:,} requests, {num_clients} clients: {num_requests / took_s:.0f} a second, {errors} errors {dict(codes)}"
    )
    print(f"bad uploads: {num_bad}, answered by {dict(bad_codes)}")
    used_s = read_processor_s(pid) - begin_processor_s
    print(
        f"{took_s:.0f} s, of them {used_s:.0f} processor seconds of the server: {1000 * used_s / num_requests:.1f} ms each"
    )
    print(f"p50 {p50:.0f} ms, p90 {p90:.0f} ms, p99 {p99:.0f} ms, slowest {worst:.0f} ms")
    print(
        "memory of the server: " + ", ".join(f"{size:.0f} MB after {count:,}" for count, size in sorted(memory.items()))
    )
    async with httpx.AsyncClient() as client:
        figures = (await client.get(f"{base}/v1/metrics")).text
    sums = {
        row.split()[0]: float(row.split()[1]) for row in figures.splitlines() if row.startswith("handnet_batch_photos_")
    }
    print(f"photos in a batch, mean: {sums['handnet_batch_photos_sum'] / sums['handnet_batch_photos_count']:.1f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--bad", type=int, default=100, help="Bad uploads among the requests.")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--gallery", default="")
    options = parser.parse_args()
    print(describe_machine(("fastapi", "starlette", "uvicorn")))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=serve, args=(folder, options.people, options.gallery, there))
        server.start()
        base = f"http://127.0.0.1:{here.recv()}"
        assert server.pid is not None
        while True:
            try:
                if httpx.get(f"{base}/v1/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        asyncio.run(ask(base, server.pid, options.requests, options.clients, draw(range(50), 1), options.bad))
        server.terminate()
        server.join()
        print(f"server ended with code {server.exitcode}")


if __name__ == "__main__":
    main()
