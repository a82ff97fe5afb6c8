"""The front end compared with MediaPipe's own solution: agreement, accuracy and speed, in one run.

Command: python benchmarks/hand_front_end.py --data DIR [--full DIR] [--reference PYTHON] [--repeats 3]

DIR has the layout of 11k Hands; agreement is with tests/goldens/hand_landmarks.npz, made from hands11k-mini. --full is a second
such folder whose photos are measured from their JPEG bytes too, e.g. 1600×1200 ones. PYTHON is that of an environment with
mediapipe 0.10.14. Speeds are processor milliseconds, threads added up, of one photo after the other on one core: the median
over the photos, the best of the repeats.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import ROOT, describe_machine

NUM_TIMED = 40
WAYS = ("tensorflow", "tensorflow from bytes", "openvino", "mediapipe", "mediapipe from bytes")


def list_paths(folder: Path, count: int) -> list[Path]:
    """Return `count` photos spread over a folder."""
    paths = sorted((folder / "Hands").glob("*.jpg"))
    return paths[:: max(1, len(paths) // count)][:count]


def time_photos(work: Any, photos: list[Any], repeats: int) -> float:
    """Return the processor milliseconds of one photo: the least over the repeats of the median over the photos."""
    best = np.inf
    for photo in photos[:3]:
        work(photo)
    for _ in range(repeats):
        spent = []
        for photo in photos:
            begin = time.process_time()
            work(photo)
            spent.append(time.process_time() - begin)
        best = min(best, float(np.median(spent)))
    return 1e3 * best


def prepare_mediapipe(from_bytes: bool) -> Any:
    """Return the reference as a function of a decoded photo or of the bytes of one."""
    import io

    import mediapipe
    from PIL import Image

    solution = mediapipe.solutions.hands.Hands(static_image_mode=True, max_num_hands=1, model_complexity=1)
    if not from_bytes:
        return solution.process
    return lambda contents: solution.process(np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")))


def prepare_tensorflow(from_bytes: bool) -> Any:
    """Return the front end as a graph of a decoded photo or of the bytes of one."""
    import tensorflow as tf

    from handnet.config.image import ImageConfig
    from handnet.images.decode import read_photo
    from handnet.images.hand.front_end import find_hands
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()
    if from_bytes:
        # Decoded at the size that a hand of half the photo needs.
        def find(contents: tf.Tensor) -> tf.Tensor:
            return find_hands(read_photo(contents, ImageConfig(size_px=448)), models).landmarks

        graph = tf.function(find, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    else:

        def find_in(photo: tf.Tensor) -> tf.Tensor:
            return find_hands(photo, models).landmarks

        graph = tf.function(find_in, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    return lambda photo: graph(tf.constant(photo)).numpy()


def prepare_openvino() -> Any:
    """Return the same graph converted to OpenVINO, for decoded photos."""
    import openvino
    import tensorflow as tf

    from handnet.images.hand.front_end import find_hands
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()
    module = tf.Module()
    signature = [tf.TensorSpec((None, None, 3), tf.uint8)]
    module.find = tf.function(
        lambda photo: {"landmarks": find_hands(photo, models).landmarks}, input_signature=signature, autograph=False
    )
    core = openvino.Core()
    compiled = core.compile_model(openvino.convert_model(module.find), "CPU", {"INFERENCE_NUM_THREADS": 1})
    return lambda photo: compiled([photo])[0]


def run_timing(way: str, folder: Path, repeats: int) -> None:
    """Time one way in this process and print the milliseconds as JSON."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    paths = list_paths(folder, NUM_TIMED)
    name, _, from_bytes = way.partition(" from ")
    if from_bytes:
        photos: list[Any] = [path.read_bytes() for path in paths]
    else:
        from PIL import Image

        photos = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    work = (
        prepare_openvino()
        if name == "openvino"
        else {"tensorflow": prepare_tensorflow, "mediapipe": prepare_mediapipe}[name](bool(from_bytes))
    )
    print(json.dumps(time_photos(work, photos, repeats)))


def start_timing(way: str, folder: Path, arguments: argparse.Namespace) -> str:
    """Time one way in a process of its own, on one core."""
    python = arguments.reference if way.startswith("mediapipe") else sys.executable
    if not python:
        return "no --reference"
    command = [python, __file__, "--data", str(folder), "--time", way, "--repeats", str(arguments.repeats)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    environment = os.environ | one | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1][:90]}"
    return f"{json.loads(done.stdout.strip().splitlines()[-1]):.1f} ms"


def print_agreement(folder: Path) -> None:
    """Print how well landmarks agree with the reference's and how often thumb, view and side are right."""
    import tensorflow as tf

    from handnet.data.readers.hands11k import read_hands11k
    from handnet.images.hand.front_end import Hands, find_hands
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def find(photo: tf.Tensor) -> Hands:
        return find_hands(photo, models)

    with np.load(ROOT / "tests" / "goldens" / "hand_landmarks.npz") as file:
        rows = zip(file["found"], file["landmarks"] / 10.0, strict=True)
        golden = dict(zip(file["names"], rows, strict=True))
    examples = read_hands11k(folder).examples
    found, mean_errors, largest_errors, thumbs, views, sides = [], [], [], [], [], []
    for example in examples:
        hands = find(tf.io.decode_jpeg(Path(example.path).read_bytes(), channels=3, dct_method="INTEGER_ACCURATE"))
        found.append(bool(hands.found[0]))
        palm, right = example.view == "palmar", example.side == "right"
        thumbs.append(bool(hands.thumb_right[0]) == (right == palm))
        views.append((float(hands.palmar[0]) > 0.5) == palm)
        sides.append((float(hands.right[0]) > 0.5) == right)
        seen, landmarks = golden.get(Path(example.path).name, (False, None))
        if seen and found[-1]:
            width = np.linalg.norm(landmarks[5] - landmarks[17])
            distances = np.linalg.norm(hands.landmarks[0].numpy()[:, ::-1] - landmarks, axis=-1) / width
            mean_errors.append(distances.mean())
            largest_errors.append(distances.max())
    ok = np.array(found)
    print(f"{len(examples)} photos: a hand found in {ok.sum()}, by both in {len(mean_errors)}")
    print(
        "distance of the landmarks from the reference's, as a fraction of the palm's width (index to little knuckle):"
    )
    for name, errors in (("mean of 21", mean_errors), ("largest of 21", largest_errors)):
        quantiles = " ".join(f"{value:.4f}" for value in np.quantile(errors, [0.5, 0.95, 0.99]))
        print(
            f"  {name:14} median, 95th, 99th percentile: {quantiles}; below 2 % in {np.mean(np.array(errors) < 0.02):.1%}"
        )
    for name, right_ones in (("thumb's side", thumbs), ("view", views), ("side", sides)):
        wrong = int((ok & ~np.array(right_ones)).sum())
        print(
            f"  {name:14} wrong in {wrong} of {ok.sum()}"
            + ("" if name == "thumb's side" else " (rule fitted to these)")
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--full", type=Path)
    parser.add_argument("--reference", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--time", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time:
        run_timing(arguments.time, arguments.data, arguments.repeats)
        return
    print(describe_machine(("tensorflow", "openvino")))
    print_agreement(arguments.data)
    for folder in filter(None, (arguments.data, arguments.full)):
        print(f"one photo of {folder.name} on one core:")
        for way in WAYS:
            print(f"  {way:22} {start_timing(way, folder, arguments)}", flush=True)


if __name__ == "__main__":
    main()
