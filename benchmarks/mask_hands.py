"""Synthetic hands to learn masks from: cut out of no photo, with the landmarks that the front end sees on them.

Command: python benchmarks/mask_hands.py FILE.npz [--hands 1800] [--seed 21]

Each hand is of another synthetic person (`handnet.data.synthetic`), fingers up on a canvas of 208 px. FILE holds, for
`mask_examples.py`, the light that comes from hand and sleeve, what each covers, and the 21 landmarks: those of MediaPipe's
network where it sees the hand where it was drawn, else the joints as drawn. No photo is read.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
CANVAS_PX = 208
Floats = npt.NDArray[np.float32]
# A landmark is taken from the network where the mean distance to the joints as drawn is below so many palm widths.
MOST_APART = 0.16


def find_joints(hand: Any) -> list[tuple[float, float]]:
    """Return the 21 joints of a posed hand in its own millimetres, in the order of the front end's landmarks."""
    thumb, *fingers = hand.digits
    root, last = np.array(thumb.joints[0]), np.array(thumb.joints[1])
    away = (last - root) / np.linalg.norm(last - root)
    joints = [(0.0, 4.0), tuple(root + 2.0 * away), tuple(root + thumb.root_mm * away), tuple(last), thumb.joints[-1]]
    for finger in fingers:
        joints += list(finger.joints)
    return joints


def paint_hand(
    person: Any, side: str, view: str, hand: Any, scene: Any, place: Any, canvas_px: int
) -> tuple[Any, Any, Any]:
    """Paint a hand on a square canvas of its own, drawn at twice the size.

    Returns:
        Light (3, S, S) of what is covered, not limited to 255; cover of the hand and of the sleeve, (S, S), 0..1.
    """
    from handnet.data.synthetic.camera import lay_sleeve, light_surface
    from handnet.data.synthetic.fields import compute_fields
    from handnet.data.synthetic.grid import sample_grid
    from handnet.data.synthetic.placement import to_pixels
    from handnet.data.synthetic.skin import paint_skin

    def halve(values: Any) -> Any:
        return values.reshape(*values.shape[:-2], canvas_px, 2, canvas_px, 2).mean((-3, -1))

    grid = sample_grid(place, (0, 0, canvas_px, canvas_px), 0.5)
    fields = compute_fields(hand, grid)
    color, relief = paint_skin(person, side, view, hand, fields, grid, lambda points: 2.0 * to_pixels(place, points))
    color *= light_surface(fields.height_mm + relief, scene, grid.step_mm)
    cover = np.clip(0.5 - np.minimum(fields.distance_mm, fields.nail_mm) / grid.step_mm, 0.0, 1.0)
    sleeve = lay_sleeve(color, cover, hand, fields, scene, grid.step_mm)
    return halve(color * (cover + sleeve)), halve(cover), halve(sleeve)


def draw_hand(seed: int, number: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw one hand.

    Returns:
        Light (3, S, S), 0..255, of what is covered; cover of the hand and of the sleeve, (S, S), 0..1; joints (21, 2) as
        (y, x), 0 being the centre of the first pixel.
    """
    from handnet.data.example import SIDES, VIEWS
    from handnet.data.synthetic.camera import sample_scene
    from handnet.data.synthetic.person import sample_person
    from handnet.data.synthetic.placement import Placement, compute_mirror, to_pixels
    from handnet.data.synthetic.skeleton import pose_hand, sample_pose

    random = np.random.default_rng([seed, number])
    person = sample_person(seed, number)
    view, side = VIEWS[random.integers(2)], SIDES[random.integers(2)]
    hand = pose_hand(person.shape(side), sample_pose(random))
    scene = sample_scene(random)
    scale = CANVAS_PX / random.uniform(235.0, 260.0)
    # Fingers up: as if the photo were held upside down.
    place = Placement(
        scale, 180.0 + random.normal(0, 6), (0.5 * CANVAS_PX, 0.83 * CANVAS_PX), compute_mirror(view, side)
    )
    light, cover, sleeve = paint_hand(person, side, view, hand, scene, place, CANVAS_PX)
    joints = to_pixels(place, find_joints(hand))[:, ::-1] - 0.5
    return np.minimum(light, 255.0), cover, sleeve, joints.astype(np.float32)


def draw_hands(seed: int, count: int) -> dict[str, npt.NDArray[Any]]:
    """Draw hands and find their landmarks; see the module."""
    import tensorflow as tf

    from handnet.images.hand.capsules import enclose_landmarks
    from handnet.images.hand.front_end import find_landmarks
    from handnet.images.hand.regions import Regions
    from handnet.images.hand_models.models import load_hand_models

    models = load_hand_models()

    @tf.function(
        input_signature=[tf.TensorSpec((CANVAS_PX, CANVAS_PX, 3), tf.float32), tf.TensorSpec((21, 2), tf.float32)],
        autograph=False,
    )
    def find(photo: tf.Tensor, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for _ in range(2):
            region = enclose_landmarks(points[tf.newaxis])
            hands = find_landmarks(
                photo, Regions(region.centre, 1.25 * region.side, region.direction), tf.ones(1), models
            )
            points = hands.landmarks[0]
        return points, hands.score[0]

    kept: dict[str, list[Any]] = {"light": [], "cover": [], "sleeve": [], "landmarks": [], "seen": []}
    for number in range(count):
        light, cover, sleeve, joints = draw_hand(seed, number)
        paper = np.random.default_rng([seed, number, 1]).uniform(30, 230, (3, 1, 1))
        photo = light + paper * (1.0 - cover - sleeve)
        points, score = (values.numpy() for values in find(np.moveaxis(photo, 0, -1).astype(np.float32), joints))
        width = np.linalg.norm(joints[5] - joints[17])
        apart = np.linalg.norm(points - joints, axis=-1) / width
        seen = bool(score > 0.5 and apart.mean() < MOST_APART)
        row = np.moveaxis(light, 0, -1), 255 * cover, 255 * sleeve
        for name, values in zip(kept, row, strict=False):
            kept[name].append(np.round(values).astype(np.uint8))
        kept["landmarks"].append(points if seen else joints)
        kept["seen"].append(seen)
        if number % 200 == 0:
            print(f"{number} of {count} hands drawn, {np.mean(kept['seen']):.0%} seen", file=sys.stderr, flush=True)
    return {name: np.stack(values) for name, values in kept.items()}


def main() -> None:
    """Draw the hands and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--hands", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=21)
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    np.savez(arguments.file, **draw_hands(arguments.seed, arguments.hands))


if __name__ == "__main__":
    main()
