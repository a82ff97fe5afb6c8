"""Grounds to lay hands on, drawn from random numbers alone: wood, cloth, noise, clutter, gradients."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]
# Height and width in pixels.
Shape = tuple[int, int]
LARGEST_PX: Shape = (360, 480)


def draw_smooth(random: np.random.Generator, cell_px: float, shape: Shape) -> Floats:
    """Return smooth noise (H, W) with a deviation of 1 and hills of about `cell_px`."""
    coarse = random.normal(size=[max(4, int(side / cell_px) + 4) for side in shape])
    # Pillow resizes many times faster than scipy zooms.
    zoomed = Image.fromarray(coarse.astype(np.float32)).resize(
        (int(coarse.shape[1] * cell_px) + 1, int(coarse.shape[0] * cell_px) + 1), Image.Resampling.BICUBIC
    )
    field = np.asarray(zoomed, np.float64)[: shape[0], : shape[1]]
    return (field - field.mean()) / (field.std() + 1e-9)


def draw_fractal(random: np.random.Generator, shape: Shape) -> Floats:
    """Return noise of all sizes, deviation 1."""
    field = np.sum([draw_smooth(random, cell, shape) * cell**0.7 for cell in (4, 9, 20, 45, 100)], axis=0)
    return (field - field.mean()) / field.std()


def draw_wood(random: np.random.Generator, shape: Shape) -> Floats:
    """Return planks of wood, some as brown as skin."""
    # Here, since trainings import this module for other grounds, and few draw hands: a fifth of a second.
    from scipy import ndimage

    y, x = np.mgrid[: shape[0], : shape[1]]
    turn = random.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    rings = np.sin((across + 12 * draw_smooth(random, 90, shape)) * random.uniform(0.15, 0.5) + 0.01 * along)
    grain = ndimage.rotate(ndimage.gaussian_filter(random.normal(size=(700, 700)), (0.7, 14)), np.degrees(-turn))
    top, left = (np.array(grain.shape) - shape) // 2
    grain = grain[top : top + shape[0], left : left + shape[1]]
    plank = np.floor(across / random.uniform(60, 160))
    shade = np.array([random.uniform(0.85, 1.1) for _ in range(40)])[plank.astype(int) % 40]
    color = np.array([[181, 130, 84], [120, 80, 50], [214, 172, 120], [92, 62, 44], [205, 150, 118]])[
        random.integers(5)
    ]
    return color * (shade + 0.07 * rings + 0.5 * grain)[..., np.newaxis]


def draw_cloth(random: np.random.Generator, shape: Shape) -> Floats:
    """Return woven cloth in two colours, plain, striped or checked."""
    y, x = np.mgrid[: shape[0], : shape[1]] + draw_smooth(random, 60, shape) * 2
    period = random.uniform(3, 7)
    weave = np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    width = random.uniform(14, 60)
    first, second = random.uniform(15, 240, (2, 3))
    stripes = (np.sin(2 * np.pi * x / width) > 0) * random.integers(2) + (
        np.sin(2 * np.pi * y / width) > 0
    ) * random.integers(2)
    mixed = first + (second - first) * (stripes / 2.0)[..., np.newaxis]
    folds = 1 + 0.15 * draw_smooth(random, 120, shape)
    return mixed * (folds * (1 + 0.12 * weave))[..., np.newaxis]


def draw_noise(random: np.random.Generator, shape: Shape) -> Floats:
    """Return coloured noise of all sizes, dark or bright."""
    mean, strength = random.uniform(20, 220, 3), random.uniform(10, 50)
    return mean + strength * np.stack([draw_fractal(random, shape) for _ in range(3)], -1)


def draw_clutter(random: np.random.Generator, shape: Shape) -> Floats:
    """Return things on a table: boxes, discs and bars of any colour, some of the colour of skin, with edges and shade."""
    ground = np.ones((*shape, 3)) * random.uniform(30, 230, 3)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(int(random.integers(25, 60))):
        centre, turn = random.uniform((0, 0), shape), random.uniform(0, np.pi)
        across = (x - centre[1]) * np.cos(turn) + (y - centre[0]) * np.sin(turn)
        down = (y - centre[0]) * np.cos(turn) - (x - centre[1]) * np.sin(turn)
        height, width = random.uniform(8, 70, 2)
        kind = random.integers(3)
        inside = (
            (across / width) ** 2 + (down / height) ** 2 < 1
            if kind == 0
            else (np.abs(across) < width * (1 + 2 * (kind == 2))) & (np.abs(down) < height / (1 + 4 * (kind == 2)))
        )
        skin = random.uniform() < 0.25
        color = np.array([200, 150, 120]) * random.uniform(0.5, 1.2) if skin else random.uniform(0, 255, 3)
        shade = 1 + 0.3 * across / (width * 3)
        ground[inside] = (color * shade[..., np.newaxis])[inside]
    return ground * (1 + 0.04 * draw_fractal(random, shape))[..., np.newaxis]


def draw_gradient(random: np.random.Generator, shape: Shape) -> Floats:
    """Return two colours that pass into each other."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    turn = random.uniform(0, 2 * np.pi)
    part = np.clip(0.5 + (np.cos(turn) * (x / shape[1] - 0.5) + np.sin(turn) * (y / shape[0] - 0.5)), 0, 1)
    first, second = random.uniform(10, 250, (2, 3))
    return first + (second - first) * part[..., np.newaxis]


GROUNDS: dict[str, Callable[[np.random.Generator, Shape], Floats]] = {
    "wood": draw_wood,
    "cloth": draw_cloth,
    "noise": draw_noise,
    "clutter": draw_clutter,
    "gradient": draw_gradient,
}


def draw_ground(random: np.random.Generator, shape: Shape) -> npt.NDArray[np.uint8]:
    """Return a ground of any kind, uint8 (H, W, 3).

    Args:
        random: source of randomness, which decides the kind too.
        shape: height and width in pixels; above 360 × 480 it is drawn smaller and enlarged.
    """
    factor = max(1.0, *(side / most for side, most in zip(shape, LARGEST_PX, strict=True)))
    draw = list(GROUNDS.values())[random.integers(len(GROUNDS))]
    height, width = (max(1, round(side / factor)) for side in shape)
    drawn = np.clip(np.round(draw(random, (height, width))), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(drawn).resize(shape[::-1], Image.Resampling.BICUBIC))
