"""Lines drawn across a hand, the same in every photo of it: creases of the palm, veins of the back."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from handnet.data.synthetic.grid import Grid
from handnet.data.synthetic.skeleton import Floats, Hand

ToPixels = Callable[[Floats], Floats]


class Crease(NamedTuple):
    """A crease of the palm.

    Attributes:
        controls: (4, 2) control points of a Bézier curve: x in halves of the palm's breadth, y in palm lengths.
        width_mm: of the line.
        strength: 0 to 1; what exceeds 1 is drawn as 1.
    """

    controls: Floats
    width_mm: float
    strength: float


def draw_creases(hand: Hand, rng: np.random.Generator, grid: Grid, to_pixels: ToPixels) -> Floats:
    """Draw the creases of the palm and of the wrist: three main lines, a weak fourth one and minor ones.

    Args:
        hand: the posed hand; lines lie in its palm and move with it.
        rng: decides the lines: of one person, hand and view.
        grid: the points.
        to_pixels: from (N, 2) millimetres to columns and rows of the grid.

    Returns:
        Strength at each point, 0 to 1, float32.
    """
    scale = (0.5 * hand.shape.palm_breadth_mm, hand.shape.palm_length_mm)
    drawn = [
        (to_pixels(_bezier(crease.controls * scale, 18)), crease.width_mm, min(1.0, crease.strength))
        for crease in _sample_creases(rng)
    ]
    return _draw_lines(drawn, grid, 0.5)


def _sample_creases(rng: np.random.Generator) -> list[Crease]:
    """Draw by lot how the creases of one hand differ from the common ones."""
    heart = np.array([(0.92, 0.66), (0.45, 0.66), (0.05, 0.78), (-0.30, 0.92)])
    head = np.array([(-0.98, 0.66), (-0.35, 0.68), (0.15, 0.56), (0.62, 0.44)])
    life = np.array([(-0.98, 0.64), (-0.30, 0.62), (0.12, 0.30), (-0.16, 0.06)])
    fate = np.array([(0.05, 0.12), (0.10, 0.35), (0.02, 0.55), (-0.05, 0.80)])
    creases = []
    for points, width_mm, strength, wobble in (
        (heart, 1.5, 0.85, 0.06),
        (head, 1.4, 0.75, 0.07),
        (life, 1.6, 0.9, 0.05),
    ):
        moved = points + rng.normal(0.0, wobble, points.shape) * (1.0, 0.6)
        creases.append(Crease(moved, width_mm, strength * float(rng.uniform(0.7, 1.1))))
    creases.append(Crease(fate + rng.normal(0.0, 0.07, fate.shape), 0.9, float(rng.uniform(0.0, 0.5))))
    for _ in range(int(rng.integers(7, 15))):
        start = rng.uniform((-0.7, 0.15), (0.75, 0.88))
        angle, reach = rng.uniform(0.0, np.pi), rng.uniform(0.08, 0.30)
        step = reach * np.array([np.cos(angle), 0.8 * np.sin(angle)])
        sag = rng.normal(0.0, 0.03, 2)
        minor = np.stack([start, start + step / 3 + sag, start + 2 * step / 3 + sag, start + step])
        creases.append(Crease(minor, 0.8, float(rng.uniform(0.15, 0.5))))
    for height in (0.02, -0.04):
        bow = rng.normal(0.02, 0.01)
        wrist = np.array([(-0.62, height), (-0.2, height - bow), (0.2, height - bow), (0.62, height)])
        creases.append(Crease(wrist, 1.1, float(rng.uniform(0.3, 0.6))))
    return creases


def draw_veins(hand: Hand, rng: np.random.Generator, grid: Grid, to_pixels: ToPixels) -> Floats:
    """Draw the veins that shine through the back of the hand.

    Args:
        hand: the posed hand; lines lie in its palm and move with it.
        rng: decides the lines: of one person, hand and view.
        grid: the points.
        to_pixels: from (N, 2) millimetres to columns and rows of the grid.

    Returns:
        Strength at each point, 0 to 1, float32.
    """
    scale = (0.5 * hand.shape.palm_breadth_mm, hand.shape.palm_length_mm)
    visibility = float(rng.uniform(0.1, 1.0))
    lines = []
    for gap in (-0.5, 0.02, 0.5):
        end = np.array([gap, 0.78 - 0.15 * abs(gap)]) + rng.normal(0.0, 0.05, 2)
        start = np.array([0.5 * gap + rng.normal(0.0, 0.18), -0.15])
        middle = rng.normal(0.0, 0.10, (2, 2)) * (1.0, 0.3)
        step = end - start
        controls = np.stack([start, start + step / 3 + middle[0], start + 2 * step / 3 + middle[1], end])
        lines.append((to_pixels(_bezier(controls * scale, 16)), 2.8, visibility))
    return _draw_lines(lines, grid, 1.3)


def _bezier(controls: Floats, count: int) -> Floats:
    """Return `count` points (count, 2) of the cubic Bézier curve with four control points (4, 2)."""
    t = np.linspace(0.0, 1.0, count)[:, None]
    a, b, c, d = controls
    curve: Floats = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return curve


def _draw_lines(lines: Sequence[tuple[Floats, float, float]], grid: Grid, blur_mm: float) -> Floats:
    """Draw lines given in pixels, with width in millimetres and strength (0 to 1), tapering to their ends."""
    canvas = Image.new("L", grid.shape[::-1], 0)
    draw = ImageDraw.Draw(canvas)
    for points, width_mm, strength in sorted(lines, key=lambda line: line[2]):
        width = max(1, round(width_mm / grid.step_mm))
        shown = 255 * strength * min(1.0, width_mm / grid.step_mm)
        fades = np.sin(np.pi * np.linspace(0.08, 0.94, len(points) - 1)) ** 0.5
        flat = points.ravel().tolist()
        for k, fade in enumerate(fades.tolist()):
            draw.line(flat[2 * k : 2 * k + 4], fill=round(shown * fade), width=width)
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(blur_mm / grid.step_mm)), np.float32) / 255.0
