"""Synthetic people to fine-tune EfficientNet-Lite2 on, for other grounds: crops of their hands before any mask is laid on.

Commands: python benchmarks/lite2_people.py drawn PEOPLE.npy [--people 9000] [--seed 9016] [--workers 4]
          python benchmarks/lite2_people.py found FOUND.npy [--people 1000] [--seed 7016]

"drawn": uint8 (N, 2, 5, 192, 192), the back and the palm of N people, upright and laid as `hand-canonical` lays them: the
light of hand and sleeve (three channels), how much both cover, and how much of the hand above the wrist is there. "found": people
on their way through the front end. Each hand is pasted on a drawn ground in another light (`pasted_hands.make_pasted`), found by
its landmarks and cut, as the package does it; the channels are what the photo shows, the mask that the front end drew and
the known one. A person of whom a hand is not found, or is cropped wrong (intersection over union below 0.6, thumb on the
other side), is left out, so N is smaller. No photo is read.
"""

import argparse
import io
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from mask_hands import paint_hand

from handnet.images.hand.crop_rule import HAND_SIZE_FRACTION, WRIST_CUT_RADII

SIZE_PX, CANVAS_PX = 192, 224
LEAST_OVERLAP = 0.6
Floats = npt.NDArray[np.float64]
Crops = npt.NDArray[np.uint8]


def find_pose(mask: npt.NDArray[np.bool_]) -> tuple[Floats, float, Floats, float, Floats]:
    """Return centre, radius, direction, size and middle of an upright hand, as `handnet.images.hand.pose.find_pose` does."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    radius = float(depth.max())
    centre = np.argwhere(depth >= radius - 1e-6).mean(axis=0)
    rows, columns = np.nonzero(mask)
    down, right = rows - centre[0], columns - centre[1]
    distance = np.hypot(down, right)
    direction = np.array([-1.0, 0.0])
    for _ in range(4):
        along = down * direction[0] + right * direction[1]
        cone = (along > 0.64 * distance) & (distance > 1.25 * radius)
        if cone.sum() > 4:
            pull = np.array([(distance * down)[cone].sum(), (distance * right)[cone].sum()])
            direction = pull / max(float(np.hypot(*pull)), 1e-6)
    along, across = (
        down * direction[0] + right * direction[1],
        down * direction[1] - right * direction[0],
    )
    hand = along > -WRIST_CUT_RADII * radius
    up, side = ((values[hand].max() + values[hand].min()) / 2 for values in (along, across))
    middle = centre + np.array([up * direction[0] + side * direction[1], up * direction[1] - side * direction[0]])
    return centre, radius, direction, float(np.sqrt(max(hand.sum(), 1))), middle


def draw_crop(seed: int, number: int, shot: int) -> Crops:
    """Draw one hand, (5, S, S): `shot` 0 shows the back, 1 the palm; see "drawn" above."""
    from handnet.data.example import SIDES, VIEWS
    from handnet.data.synthetic.camera import sample_scene
    from handnet.data.synthetic.person import sample_person
    from handnet.data.synthetic.placement import Placement, compute_mirror
    from handnet.data.synthetic.skeleton import pose_hand, sample_pose

    random = np.random.default_rng([seed, number, shot])
    person = sample_person(seed, number)
    view, side = VIEWS[shot], SIDES[random.integers(2)]
    hand = pose_hand(person.shape(side), sample_pose(random))
    scene = sample_scene(random)
    # Fingers up: as if the photo were held upside down.
    turn, wrist = 180.0 + random.normal(0, 6), (0.5 * CANVAS_PX, 0.83 * CANVAS_PX)
    place = Placement(CANVAS_PX / 245.0, turn, wrist, compute_mirror(view, side))
    light, cover, cloth = paint_hand(person, side, view, hand, scene, place, CANVAS_PX)
    centre, radius, up, size, middle = find_pose(cover > 0.5)
    # The thumb belongs on the left.
    sign = -1.0 if (side == "right") == (view == "palmar") else 1.0
    step = size / (HAND_SIZE_FRACTION * SIZE_PX)
    line = (np.arange(SIZE_PX) - (SIZE_PX - 1) / 2) * step
    along, across = -line[:, None], line[None] * sign
    y, x = middle[0] + along * up[0] + across * up[1], middle[1] + along * up[1] - across * up[0]
    blur = max(0.0, 0.4 * step - 0.4)

    def take(values: Floats) -> Floats:
        smooth = ndimage.gaussian_filter(values, blur) if blur else values
        return ndimage.map_coordinates(smooth, [y, x], order=1, mode="nearest")

    above = np.clip(((y - centre[0]) * up[0] + (x - centre[1]) * up[1] + WRIST_CUT_RADII * radius) / step + 0.5, 0, 1)
    covered = take(cover)
    kept = np.clip((covered - 0.5) * 2.5 + 0.5, 0, 1) * above
    opaque = np.clip(covered + take(cloth), 0, 1)
    layers = np.stack([*(take(layer) for layer in light), 255 * opaque, 255 * kept])
    return np.clip(np.round(layers), 0, 255).astype(np.uint8)


def draw_person(seed: int, number: int) -> Crops:
    """Draw the back and the palm of a person, (2, 5, S, S)."""
    return np.stack([draw_crop(seed, number, shot) for shot in (0, 1)])


def draw_people(seed: int, count: int, workers: int) -> Crops:
    """Draw people, (N, 2, 5, S, S), on several cores."""
    with ProcessPoolExecutor(workers) as pool:
        return np.stack(list(pool.map(draw_person, [seed] * count, range(count), chunksize=16)))


def find_people(seed: int, count: int) -> Crops:
    """Send people through the front end, (N, 2, 5, S, S); see "found" above."""
    import tensorflow as tf
    from pasted_hands import Changes, make_pasted

    from handnet.data.example import SIDES, VIEWS
    from handnet.data.synthetic import draw_hand_with_mask, sample_person
    from handnet.images.hand.front_end import find_hands
    from handnet.images.hand.landmark_crop import sample_placed
    from handnet.images.hand.landmark_mask import segment_by_landmarks
    from handnet.images.hand.side_and_view import find_thumb_side
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)] * 2, autograph=False)
    def cut(photo: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return whether a hand is found, whether its thumb is on the right, and the crop's five channels."""
        hands = find_hands(photo, models)
        landmarks = hands.landmarks[0]
        placed = segment_by_landmarks(photo, landmarks)
        sign = tf.where(find_thumb_side(landmarks[tf.newaxis])[0], -1.0, 1.0)
        shown, kept = sample_placed(photo, placed, SIZE_PX, sign)
        cover, _ = sample_placed(known, placed, SIZE_PX, sign)
        return hands.found[0], hands.thumb_right[0], tf.concat([shown, 255.0 * kept, cover[..., :1]], -1)

    people = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        person, crops = sample_person(seed, number), []
        for view in VIEWS:
            side = SIDES[random.integers(2)]
            photo, mask = draw_hand_with_mask(person, view, side, random, (240, 180))
            ground = int(random.integers(10**6))
            (pasted,) = make_pasted(photo.astype(float), mask.astype(float), ground, seed, [Changes()])
            jpeg = io.BytesIO()
            Image.fromarray(pasted.photo).save(jpeg, "JPEG", quality=92)
            known = np.repeat(np.round(255 * pasted.cover).astype(np.uint8)[..., np.newaxis], 3, -1)
            found, right, crop = cut(tf.io.decode_jpeg(jpeg.getvalue(), channels=3), known)
            layers = np.clip(np.round(np.moveaxis(crop.numpy(), -1, 0)), 0, 255).astype(np.uint8)
            # What is known goes on below the wrist; the front end's mask ends there.
            inside = layers[3] > 127
            layers[4][int(np.max(np.nonzero(inside.any(axis=1))[0], initial=-1)) + 1 :] = 0
            hand = layers[4] > 127
            overlap = (inside & hand).sum() / max((inside | hand).sum(), 1)
            if found and bool(right) == ((side == "right") == (view == "palmar")) and overlap > LEAST_OVERLAP:
                crops.append(layers)
        if len(crops) == len(VIEWS):
            people.append(np.stack(crops))
        if number % 100 == 0:
            print(f"{number} of {count} people, {len(people)} found in both views", file=sys.stderr, flush=True)
    return np.stack(people)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("drawn", "found"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    if arguments.kind == "drawn":
        people = draw_people(arguments.seed or 9016, arguments.people or 9000, arguments.workers)
    else:
        from handnet.library.start import start_tensorflow

        start_tensorflow()
        people = find_people(arguments.seed or 7016, arguments.people or 1000)
    np.save(arguments.file, people)
    print(f"{len(people)} people in {arguments.file}")


if __name__ == "__main__":
    main()
