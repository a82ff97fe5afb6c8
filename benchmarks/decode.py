"""From the bytes of a 1600×1200 JPEG to a picture of 224 px: handnet's decode compared with Pillow's and OpenCV's, in one run.

    python benchmarks/decode.py --peer PYTHON --data data/hands11k-fullres [--clock cpu]

PYTHON is an interpreter with pillow and opencv (the one that runs this script, where it has them). One thread each, the best
of several rounds over the same photos; the bytes are in memory. The error is the mean absolute difference of the pixels,
0..255, from the whole photo decoded and resized with antialiasing in float32. Each resizes to 224×168, antialiased: Pillow
bilinear, OpenCV area; handnet pads it to a square, reads the orientation and checks the header too.
"""

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import describe_machine, list_photos, start, time_best

SIZE = (224, 168)


def run_ours(photos: list[str], repeats: int, clock: str, work: Path) -> dict[str, float]:
    """Measure handnet, and TensorFlow's full decode with the same resize, which is the reference of the error."""
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    from handnet.config.image import ImageConfig
    from handnet.images.decode import resize
    from handnet.images.photo_store import build_decoder

    tf.config.threading.set_intra_op_parallelism_threads(1)
    config = ImageConfig(size_px=SIZE[0])
    contents = [Path(photo).read_bytes() for photo in photos]
    ours = build_decoder(config)

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def decode_whole(data: tf.Tensor) -> tf.Tensor:
        return resize(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"), config)

    top = (SIZE[0] - SIZE[1]) // 2
    pictures = np.stack([np.asarray(decode_whole(data)) for data in contents])[:, top : top + SIZE[1]]
    np.save(work / "reference.npy", pictures)
    decoded = np.stack([ours(data)[0] for data in contents])[:, top : top + SIZE[1]]
    return {
        "handnet": time_best(lambda: [ours(data) for data in contents], repeats, clock) / len(photos),
        "handnet error": float(np.abs(decoded - pictures).mean()),
        "TensorFlow, whole": time_best(lambda: [decode_whole(tf.constant(d)) for d in contents], repeats, clock)
        / len(photos),
        "TensorFlow, whole error": 0.0,
    }


def run_peers(photos: list[str], repeats: int, clock: str, work: Path) -> dict[str, float]:
    """Measure Pillow and OpenCV."""
    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    contents = [Path(photo).read_bytes() for photo in photos]

    def pillow(data: bytes, draft: bool) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as photo:
            if draft:
                # The scale that handnet takes: at least half as large again as what is wanted.
                photo.draft("RGB", (SIZE[0] * 3 // 2, SIZE[1] * 3 // 2))
            return np.asarray(photo.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))

    def opencv(data: bytes, flag: int) -> np.ndarray:
        photo = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
        return cv2.cvtColor(cv2.resize(photo, SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)

    decoders = {
        "Pillow, whole": lambda data: pillow(data, False),
        "Pillow, draft": lambda data: pillow(data, True),
        "OpenCV, whole": lambda data: opencv(data, cv2.IMREAD_COLOR),
        "OpenCV, at 1/4": lambda data: opencv(data, cv2.IMREAD_REDUCED_COLOR_4),
    }
    reference, results = np.load(work / "reference.npy"), dict[str, float]()
    for name, decode in decoders.items():
        results[name] = time_best(lambda decode=decode: [decode(data) for data in contents], repeats, clock) / len(
            photos
        )
        results[f"{name} error"] = float(np.abs(np.stack([decode(d) for d in contents]) - reference).mean())
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--data", default="", help="a folder like that of 11k Hands; synthetic hands without it")
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, folder, *photos = json.loads(arguments.child)
        run = run_ours if kind == "ours" else run_peers
        versions = describe_machine(("tensorflow",) if kind == "ours" else ("pillow", "opencv-python-headless"))
        results = run(photos, arguments.repeats, arguments.clock, Path(folder))
        print(json.dumps({"versions": versions.rpartition("Python ")[2], **results}))
        return
    print(describe_machine(()))
    with tempfile.TemporaryDirectory() as work:
        photos = list_photos(arguments.data, arguments.photos, Path(work))
        common = ["--repeats", str(arguments.repeats), "--clock", arguments.clock, "--child"]
        ours = start(sys.executable, __file__, [*common, json.dumps(["ours", work, *photos])], 1)
        peers = start(arguments.peer, __file__, [*common, json.dumps(["peers", work, *photos])], 1)
    print(f"ours: Python {ours.pop('versions')}; peers: Python {peers.pop('versions')}")
    print(f"{len(photos)} photos, seconds of the {arguments.clock} clock")
    print("\n| decode | photos/s | mean error, of 255 | handnet is faster |\n|---|---:|---:|---:|")
    results = {**ours, **peers}
    for name in [name for name in results if not name.endswith(" error")]:
        seconds = results[name]
        print(f"| {name} | {1 / seconds:.0f} | {results[f'{name} error']:.2f} | {seconds / results['handnet']:.1f}× |")


if __name__ == "__main__":
    main()
