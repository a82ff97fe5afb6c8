"""A hand held flat on white paper in even light, for tests that look at one thing at a time."""

import numpy as np

from handnet.data.synthetic.camera import Scene
from handnet.data.synthetic.person import Person
from handnet.data.synthetic.photo import render_photo
from handnet.data.synthetic.placement import Placement, compute_mirror
from handnet.data.synthetic.skeleton import Pose, pose_hand

VIEW_SIDES = [("dorsal", "right"), ("dorsal", "left"), ("palmar", "right"), ("palmar", "left")]
FLAT = Pose((0.0,) * 5, (0.0,) * 5, (1.0,) * 5, 0.0, None)
PLAIN = Scene(
    light=(0.0, 0.0, 1.0),
    ambient=0.6,
    exposure=1.0,
    white_balance=(1.0, 1.0, 1.0),
    contrast=1.0,
    background=(250.0, 250.0, 250.0),
    shading=(0.0, 0.0),
    shadow=0.0,
    shadow_mm=(0.0, 0.0, 1.0),
    blur_fraction=0.0,
    noise=0.0,
    sleeve_color=(0.0, 0.0, 0.0),
)
SIZE = (256, 192)


def render(person: Person, view: str, side: str, scene: Scene = PLAIN, pose: Pose = FLAT, scale: float = 0.85):
    hand = pose_hand(person.shape(side), pose)
    place = Placement(scale, 0.0, (SIZE[0] / 2, 10.0), compute_mirror(view, side))
    return render_photo(person, view, side, hand, place, scene, SIZE, np.random.default_rng(0))
