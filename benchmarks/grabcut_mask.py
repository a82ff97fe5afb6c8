"""OpenCV's GrabCut, seeded by the bones, compared with the package's mask by landmarks on pasted hands whose mask is known.

Command: python benchmarks/grabcut_mask.py --pasted DIR [--every 6]

DIR is what benchmarks/pasted_hands.py writes. OpenCV is needed: pip install opencv-python-headless, in an environment where it
does not change other packages. Printed for each mask: intersection over union with the known one above the wrist, mean of the
photos in which a hand is found, and processor milliseconds for each photo on one core. GrabCut sees the same square as the
package's mask, also with more pixels. A bone is surely hand, what lies as far off as the package takes for no hand surely is
not, the capsules are probably hand, the rest probably is not.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
Flags = npt.NDArray[np.bool_]
# Side of GrabCut's square: as the package's, and twice that.
SIDES_PX = (144, 288)
ITERATIONS = (1, 3, 5)


def cut_by_grabcut(picture: npt.NDArray[np.uint8], distance: npt.NDArray[np.float32], iterations: int) -> Flags:
    """Return GrabCut's mask of a square (S, S, 3), from the distances to the bones in radii, (S, S)."""
    import cv2

    from handnet.images.hand.mask_rule import INSIDE, NEVER

    seeds = np.where(distance < 1.0, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    seeds[distance < INSIDE], seeds[distance > NEVER] = cv2.GC_FGD, cv2.GC_BGD
    seeds = np.ascontiguousarray(seeds, np.uint8)
    cv2.setRNGSeed(0)
    blank = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, seeds, None, *blank, iterations, cv2.GC_INIT_WITH_MASK)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pasted", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    import cv2
    import tensorflow as tf

    from handnet.images.hand.front_end import find_hands
    from handnet.images.hand.landmark_mask import SIZE_PX, enclose_landmarks, measure_distance, segment_by_landmarks
    from handnet.images.hand.regions import cut_regions, to_regions
    from handnet.images.hand_models.models import load_hand_models

    cv2.setNumThreads(1)
    models = load_hand_models()
    photo_spec, points_spec = tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((21, 2), tf.float32)

    @tf.function(input_signature=[photo_spec], autograph=False)
    def find(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hands = find_hands(photo, models)
        return hands.found[0], hands.landmarks[0]

    @tf.function(input_signature=[photo_spec, points_spec], autograph=False)
    def segment(photo: tf.Tensor, landmarks: tf.Tensor) -> tf.Tensor:
        return segment_by_landmarks(photo, landmarks).mask[0, ..., 0] > 0.5

    @tf.function(input_signature=[photo_spec, photo_spec, points_spec], autograph=False)
    def look(photo: tf.Tensor, cover: tf.Tensor, landmarks: tf.Tensor) -> dict[str, Any]:
        region = enclose_landmarks(landmarks[tf.newaxis])
        points = to_regions(landmarks[tf.newaxis], region)[0]
        fields: dict[str, Any] = {"wrist": points[0, 0]}
        for side in SIDES_PX:
            fields[f"picture {side}"] = tf.cast(tf.round(255.0 * cut_regions(photo, region, side)[0]), tf.uint8)
            fields[f"known {side}"] = cut_regions(cover, region, side)[0, ..., 0] > 0.5
            fields[f"distance {side}"] = measure_distance(points, side)
        return fields

    scores: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    num_photos = 0
    for path in sorted((arguments.pasted / "Hands").glob("*.jpg"))[:: arguments.every]:
        photo = tf.io.decode_jpeg(path.read_bytes(), channels=3)
        mask = tf.io.decode_png((arguments.pasted / "Masks" / f"{path.stem}.png").read_bytes(), channels=3)
        num_photos += 1
        found, landmarks = find(photo)
        if not found:
            continue
        fields = {name: value.numpy() for name, value in look(photo, mask, landmarks).items()}

        def add(name: str, side: int, begin: float, seen: Flags, fields: dict[str, Any] = fields) -> None:
            spent.setdefault(name, []).append(time.process_time() - begin)
            above = np.arange(side)[:, np.newaxis] < fields["wrist"] * side
            known = fields[f"known {side}"]
            scores.setdefault(name, []).append((seen & known & above).sum() / max(1, ((seen | known) & above).sum()))

        begin = time.process_time()
        add("the package's mask by landmarks", SIZE_PX, begin, segment(photo, landmarks).numpy())
        for side in SIDES_PX:
            begin = time.process_time()
            add(f"capsules alone, {side} px", side, begin, fields[f"distance {side}"] < 1.0)
            for iterations in ITERATIONS:
                begin = time.process_time()
                seen = cut_by_grabcut(fields[f"picture {side}"], fields[f"distance {side}"], iterations)
                add(f"GrabCut, {side} px, {iterations} iterations", side, begin, seen)
    print(f"{num_photos} photos, a hand found in {len(next(iter(spent.values())))}; OpenCV {cv2.__version__}")
    for name, values in scores.items():
        print(
            f"{name:36} IoU {np.mean(values):.3f}, worst tenth {np.quantile(values, 0.1):.3f}; "
            f"{1e3 * np.median(spent[name]):6.1f} ms"
        )


if __name__ == "__main__":
    main()
