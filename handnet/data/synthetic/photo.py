"""One photo: a person's hand held, placed, lit and taken by a camera, each photo differently."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handnet.data.example import SIDES, VIEWS
from handnet.data.synthetic.camera import (
    Photo,
    Scene,
    lay_paper,
    lay_sleeve,
    light_surface,
    sample_scene,
    take_photo,
)
from handnet.data.synthetic.fields import compute_fields
from handnet.data.synthetic.grid import sample_grid
from handnet.data.synthetic.grounds import draw_ground
from handnet.data.synthetic.person import Person, sample_person
from handnet.data.synthetic.placement import Placement, find_box, sample_placement, to_pixels
from handnet.data.synthetic.skeleton import Floats, Hand, pose_hand, sample_pose
from handnet.data.synthetic.skin import paint_skin
from handnet.errors import DataError, format_unknown

MIN_SIDE_PX = 24
# Points per pixel side; edges are softened between points as well.
_OVERSAMPLING = 2


def draw_batch(
    seed: int,
    people: Sequence[int] | npt.NDArray[np.integer[Any]],
    views: Sequence[int] | npt.NDArray[np.integer[Any]],
    sides: Sequence[int] | npt.NDArray[np.integer[Any]],
    photos: Sequence[int] | npt.NDArray[np.integer[Any]],
    side_px: int = 96,
    background: int = 255,
) -> Photo:
    """Draw a batch of small photos, letterboxed into squares, straight into memory: for training on many people.

    Args:
        seed: seed of the population.
        people: (B,) numbers of people, from 0 without end.
        views: (B,) places in VIEWS: 0 dorsal, 1 palmar.
        sides: (B,) places in SIDES: 0 left, 1 right.
        photos: (B,) numbers of the photos.
        side_px: side of the squares, at least 32; the photos are three quarters as high as wide.
        background: grey level of the padding.

    Returns:
        uint8 (B, side_px, side_px, 3).

    Raises:
        DataError: arguments of different lengths, or too small a size.
    """
    lengths = [len(people), len(views), len(sides), len(photos)]
    if len(set(lengths)) != 1:
        raise DataError(f"`people`, `views`, `sides` and `photos` must have the same length. Received: {lengths}.")
    height = round(0.75 * side_px)
    top = (side_px - height) // 2
    batch = np.full((lengths[0], side_px, side_px, 3), background, np.uint8)
    known = {int(index): sample_person(seed, int(index)) for index in set(np.asarray(people).tolist())}
    for k, (index, view, side, photo) in enumerate(zip(people, views, sides, photos, strict=True)):
        drawn = draw_photo(seed, known[int(index)], VIEWS[view], SIDES[side], int(photo), (side_px, height))
        batch[k, top : top + height] = drawn
    return batch


def draw_photo(
    seed: int,
    person: Person,
    view: str,
    side: str,
    photo: int,
    size_px: tuple[int, int] = (256, 192),
    on_grounds: bool = False,
) -> Photo:
    """Draw the photo of a given number; independent of what else is drawn, and in which order.

    Args:
        seed: seed of the data set.
        person: whose hand.
        view: "dorsal" or "palmar".
        side: "left" or "right".
        photo: number of the photo of this person, view and side, from 0.
        size_px: width and height, at least 24 each.
        on_grounds: lay the same hand on wood, cloth and other grounds rather than on paper.

    Returns:
        The photo, uint8 (height, width, 3).
    """
    _check(view, side, size_px)
    key = (person.index, VIEWS.index(view), SIDES.index(side), photo)
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    if not on_grounds:
        return draw_hand(person, view, side, random, size_px)
    # Numbers of its own: the hand is the one that lies on paper otherwise.
    ground = draw_ground(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*key, 1))), size_px[::-1])
    return draw_hand_with_mask(person, view, side, random, size_px, ground)[0]


def draw_hand(
    person: Person, view: str, side: str, rng: np.random.Generator, size_px: tuple[int, int] = (256, 192)
) -> Photo:
    """Draw one photo of a person's hand, as `draw_hand_with_mask` does, without the mask.

    Args:
        person: whose hand.
        view: "dorsal" or "palmar".
        side: "left" or "right".
        rng: decides pose, place, light and camera.
        size_px: width and height, at least 24 each.

    Returns:
        The photo, uint8 (height, width, 3).
    """
    return draw_hand_with_mask(person, view, side, rng, size_px)[0]


def draw_hand_with_mask(
    person: Person,
    view: str,
    side: str,
    rng: np.random.Generator,
    size_px: tuple[int, int] = (256, 192),
    ground: Photo | None = None,
) -> tuple[Photo, npt.NDArray[np.bool_]]:
    """Draw one photo of a person's hand, and say which pixels are hand.

    Args:
        person: whose hand.
        view: "dorsal" or "palmar".
        side: "left" or "right".
        rng: decides pose, place, light and camera.
        size_px: width and height, at least 24 each.
        ground: what the hand lies on, uint8 (height, width, 3); without it paper.

    Returns:
        The photo, uint8 (height, width, 3), and the mask, bool (height, width): true where skin, nails or a ring cover at
        least half the pixel, before the camera's blur. Sleeves and shadows are not hand.

    Raises:
        DataError: an unknown view or side, or too small a size.
    """
    _check(view, side, size_px)
    hand = pose_hand(person.shape(side), sample_pose(rng))
    placement = sample_placement(hand, view, side, rng, size_px)
    scene = sample_scene(rng)
    photo, coverage = render_photo(person, view, side, hand, placement, scene, size_px, rng, ground)
    return photo, coverage >= 0.5


def _check(view: str, side: str, size_px: tuple[int, int]) -> None:
    if view not in VIEWS:
        raise DataError(format_unknown("view", view, VIEWS))
    if side not in SIDES:
        raise DataError(format_unknown("side", side, SIDES))
    if min(size_px) < MIN_SIDE_PX:
        raise DataError(f"`size_px` must be at least {MIN_SIDE_PX} each way. Received: size_px={size_px}.")


def render_photo(
    person: Person,
    view: str,
    side: str,
    hand: Hand,
    placement: Placement,
    scene: Scene,
    size_px: tuple[int, int],
    rng: np.random.Generator,
    ground: Photo | None = None,
) -> tuple[Photo, Floats]:
    """Render one photo, everything about it given but the noise.

    Args:
        person: whose hand.
        view: "dorsal" or "palmar".
        side: "left" or "right".
        hand: the posed hand of that side.
        placement: where it lies.
        scene: light, background and camera.
        size_px: width and height.
        rng: source of the noise.
        ground: what the hand lies on, uint8 (height, width, 3); without it the scene's paper.

    Returns:
        The photo, uint8 (height, width, 3), and the share of each pixel that the hand covers, float32 (height, width).
    """
    width, height = size_px
    step = 1.0 / _OVERSAMPLING
    box = find_box(hand, placement, size_px)
    grid = sample_grid(placement, box, step)
    fields = compute_fields(hand, grid)

    def to_grid(points: Floats) -> Floats:
        columns_rows: Floats = (to_pixels(placement, points) - box[:2]) * _OVERSAMPLING
        return columns_rows

    color, relief = paint_skin(person, side, view, hand, fields, grid, to_grid)
    color *= light_surface(fields.height_mm + relief, scene, grid.step_mm)
    cover = np.clip(0.5 - np.minimum(fields.distance_mm, fields.nail_mm) / grid.step_mm, 0.0, 1.0)
    sleeve = lay_sleeve(color, cover, hand, fields, scene, grid.step_mm)
    hand_cover, cloth_cover = _shrink(cover), _shrink(sleeve)
    painted = _shrink(color * (cover + sleeve))
    left, top, right, bottom = box
    coverage = np.zeros((height, width), np.float32)
    coverage[top:bottom, left:right] = hand_cover
    opaque = coverage.copy()
    opaque[top:bottom, left:right] += cloth_cover
    photo = lay_paper(scene, opaque, placement.scale, ground) * (1.0 - opaque)
    photo[:, top:bottom, left:right] += painted
    return take_photo(photo, scene, rng), coverage


def _shrink(points: Floats) -> Floats:
    """Return the mean over the points of each pixel."""
    n = _OVERSAMPLING
    total: Floats = points[..., ::n, ::n].copy()
    for k in range(1, n * n):
        total += points[..., k // n :: n, k % n :: n]
    total *= 1.0 / (n * n)
    return total
