"""DINOv2-B from JPEG files on disk to vectors: `handnet embed`'s engines compared with transformers on torch, in one run.

    python benchmarks/embedding.py --peer PYTHON --data data/hands11k-fullres [--clock cpu]

PYTHON is an interpreter with torch, transformers and pillow. Weights are random: the arithmetic is the same. Theirs decodes
with Pillow, resizes the short side to 256, crops 224 and normalises, batch by batch, as the published recipe does. Loading,
conversion and the first batch are not counted: the clock runs from the end of the first batch to the end of the last. By
the clock "cpu" the seconds of all cores are added up. The cases take their turn in every round, and each keeps its best, so
that a busy machine slows all of them. The limit is the arithmetic of the backbone at the speed of a large matrix product, which
torch (oneDNN) computes in the same processes.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import CLOCKS, describe_machine, list_photos, start, time_best

Count = Callable[[int, int], None]
# Of a photo of 224 px: multiplications and additions of 12 blocks, their attention, and the projection of the patches.
GFLOP = 46.3
# Rows, inner numbers and columns of the product whose speed is the limit: four photos' tokens in the feed-forward part.
PRODUCT = (1028, 3072, 3072)
# (table's name, child)
CASES = (
    ("transformers, torch float32", "peer:float32"),
    ("transformers, torch bfloat16", "peer:bfloat16"),
    ("handnet embed, tensorflow", "ours:tensorflow"),
    ("handnet embed, openvino", "ours:openvino"),
)


def time_photo(embed: Callable[[Count], None], repeats: int, clock: str) -> float:
    """Return the least seconds of a photo over several runs, from the end of the first batch on."""
    best = float("inf")
    for _ in range(repeats):
        ends: list[tuple[int, float]] = []
        embed(lambda done, _total, ends=ends: ends.append((done, CLOCKS[clock]())))
        (first, began), (last, ended) = ends[0], ends[-1]
        best = min(best, (ended - began) / (last - first))
    return best


def run_peer(precision: str, photos: list[str], batch: int, repeats: int, clock: str) -> dict[str, object]:
    """Measure transformers' Dinov2Model."""
    import numpy as np
    import torch
    from PIL import Image
    from transformers import Dinov2Config, Dinov2Model

    dtype = getattr(torch, precision)
    model = Dinov2Model(Dinov2Config(image_size=518, patch_size=14)).eval().to(dtype)
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

    def read(path: str) -> np.ndarray:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        scale = 256 / min(photo.size)
        photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
        left, top = (photo.width - 224) // 2, (photo.height - 224) // 2
        pixels = np.asarray(photo.crop((left, top, left + 224, top + 224)), np.float32)
        return ((pixels / 255 - mean) / std).transpose(2, 0, 1)

    def embed(count: Count) -> None:
        with torch.inference_mode():
            for begin in range(0, len(photos), batch):
                pixels = np.stack([read(path) for path in photos[begin : begin + batch]])
                vectors = model(torch.from_numpy(pixels).to(dtype)).last_hidden_state[:, 0]
                torch.nn.functional.normalize(vectors.float()).numpy()
                count(begin + len(pixels), len(photos))

    rows, inner, columns = PRODUCT
    left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
    product_s = time_best(lambda: torch.mm(left, right), 8 * repeats, clock)
    return {
        "seconds": time_photo(embed, repeats, clock),
        "gflops": 2e-9 * rows * inner * columns / product_s,
        "versions": describe_machine(("torch", "transformers", "pillow")),
    }


def run_ours(name: str, photos: list[str], batch: int, repeats: int, clock: str, work: Path) -> dict[str, object]:
    """Measure what `handnet embed` does, an encoder of DINOv2-B and head."""
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import numpy as np

    from handnet.embedding.engines import build_engine, check_engine
    from handnet.embedding.job import embed_photos, remove_partial
    from handnet.images.photo_store import build_decoder
    from handnet.networks.complete_config import complete_config
    from handnet.networks.encoder import build_encoder

    config = complete_config({"model": {"arch": "dino", "weights": "none"}})
    encoder = build_encoder(config).model
    decode = build_decoder(config.image)
    images = np.stack([decode(Path(photo).read_bytes())[0] for photo in photos[:4]])
    engine = build_engine(name, encoder, config.image, batch, images)
    cosine = check_engine(engine, encoder, images)

    def embed(count: Count) -> None:
        embed_photos(photos, config.image, engine, encoder, work / "part", batch, lambda name: count)
        remove_partial(work / "part")

    seconds = time_photo(embed, repeats, clock)
    versions = describe_machine(("tensorflow", "openvino"))
    return {"seconds": seconds, "versions": versions, "precision": engine.precision, "cosine": cosine}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--data", default="", help="a folder like that of 11k Hands; synthetic hands without it")
    parser.add_argument("--photos", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1, help="in each process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", default=",".join(child for _, child in CASES))
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, name, folder, *photos = json.loads(arguments.child)
        common = (name, photos, arguments.batch, arguments.repeats, arguments.clock)
        print(json.dumps(run_peer(*common) if kind == "peer" else run_ours(*common, Path(folder))))
        return
    if arguments.photos < 2 * arguments.batch:
        raise SystemExit("--photos must be two batches at least: the first is not counted.")
    print(describe_machine(()))
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as work:
        photos = list_photos(arguments.data, arguments.photos, Path(work))
        common = ["--batch", str(arguments.batch), "--repeats", str(arguments.repeats), "--clock", arguments.clock]
        cases = [(name, child) for name, child in CASES if child in arguments.cases.split(",")]
        for number in range(arguments.rounds):
            for name, child in cases:
                kind, _, what = child.partition(":")
                python = arguments.peer if kind == "peer" else sys.executable
                given = [*common, "--child", json.dumps([kind, what, work, *photos])]
                found = start(python, __file__, given, arguments.threads)
                if not number:
                    print(f"{name}: {found['versions'].rpartition('; ')[2]}", flush=True)
                best = results.setdefault(name, found)
                best["seconds"] = min(best["seconds"], found["seconds"])
                if "gflops" in found:
                    best["gflops"] = max(best["gflops"], found["gflops"])
    print(f"{len(photos)} photos, batch {arguments.batch}, seconds of the {arguments.clock} clock")
    bases = [results[name]["seconds"] if name in results else None for name, _ in CASES[:2]]
    print("\n| from files to vectors | precision | photos/s | of torch float32 | of torch bfloat16 | cosine |")
    print("|---|---|---:|---:|---:|---:|")
    for name, result in results.items():
        ratios = " | ".join(f"{base / result['seconds']:.2f}×" if base else "-" for base in bases)
        cosine = f"{result['cosine']:.6f}" if "cosine" in result else "-"
        precision = result.get("precision", name.rpartition(" ")[2])
        print(f"| {name} | {precision} | {1 / result['seconds']:.2f} | {ratios} | {cosine} |")
    for name, result in results.items():
        if "gflops" in result:
            precision, rate = name.rpartition(" ")[2], result["gflops"]
            print(
                f"\n{precision}: a product at {rate:.0f} GFLOP/s; {GFLOP} GFLOP a photo: at most {rate / GFLOP:.2f} photos/s"
            )


if __name__ == "__main__":
    main()
