"""What `handnet.images.hand.pixel_measures` measures, for many pictures at once and in PyTorch, to train on a GPU.

The numbers are those of the package, to 1e-4; the layout here is (B, C, S, S).
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from handnet.images.hand.mask_rule import (
    BONES,
    COLOR_CELLS,
    COLOR_LIMIT,
    CORE,
    EDGE_RADIUS_PX,
    EDGE_SOFTNESS,
    INSIDE,
    NEVER,
    OUTSIDE,
    PLACE_WEIGHT,
    STRANGE,
    STRANGE_LIMIT,
    STRANGE_WEIGHT,
)


def measure_palm_width(landmarks: torch.Tensor) -> torch.Tensor:
    """Return the palm's width (B,) for landmarks (B, 21, 2), in their unit."""
    width = (landmarks[:, 5] - landmarks[:, 17]).norm(dim=-1)
    return torch.maximum(width, (landmarks[:, 9] - landmarks[:, 0]).norm(dim=-1) / 1.45).clamp(min=1e-3)


def measure_distance(landmarks: torch.Tensor, size_px: int) -> torch.Tensor:
    """Return each pixel's distance to the nearest bone in that bone's radii, (B, 1, S, S), for fractions (B, 21, 2)."""
    steps = torch.arange(size_px, dtype=torch.float32, device=landmarks.device) / size_px
    y, x = steps[:, None], steps[None, :]
    width, nearest = measure_palm_width(landmarks)[:, None, None], None
    for first, last, radius in BONES:
        start, along = landmarks[:, first], landmarks[:, last] - landmarks[:, first]
        dy, dx = (side - start[:, axis, None, None] for axis, side in enumerate((y, x)))
        ay, ax = along[:, 0, None, None], along[:, 1, None, None]
        part = ((dy * ay + dx * ax) / along.square().sum(-1).clamp(min=1e-9)[:, None, None]).clamp(0, 1)
        away = ((dy - part * ay).square() + (dx - part * ax).square() + 1e-12).sqrt() / (width * radius)
        nearest = away if nearest is None else torch.minimum(nearest, away)
    assert nearest is not None
    return nearest[:, None]


def invert_symmetric(entries: torch.Tensor) -> torch.Tensor:
    """Return the inverses (B, 3, 3, …) of symmetric matrices, by their upper triangles (B, 6, …)."""
    a, b, c, d, e, f = entries.unbind(1)
    first = torch.stack([d * f - e * e, c * e - b * f, b * e - c * d], 1)
    second = torch.stack([first[:, 1], a * f - c * c, b * c - a * e], 1)
    third = torch.stack([first[:, 2], second[:, 2], a * d - b * b], 1)
    determinant = first[:, 0] * a + first[:, 1] * b + first[:, 2] * c
    return torch.stack([first, second, third], 1) / determinant[:, None, None]


def guide_by_colors(chance: torch.Tensor, picture: torch.Tensor, radius_px: int, softness: float) -> torch.Tensor:
    """Return a map (B, 1, S, S), snapped to the edges of pictures (B, 3, S, S) in 0..1."""
    small = functional.avg_pool2d(torch.cat([picture, chance], 1), 2)
    small, rough = small[:, :3], small[:, 3:]
    red, green, blue = small.unbind(1)
    products = torch.stack([red * red, red * green, red * blue, green * green, green * blue, blue * blue], 1)
    means = _average(torch.cat([small, rough, products, small * rough], 1), radius_px // 2)
    color, level, square, joint = means.split((3, 1, 6, 3), 1)
    r, g, b = color.unbind(1)
    spread = square - torch.stack([r * r, r * g, r * b, g * g, g * b, b * b], 1)
    least = softness * torch.tensor([1.0, 0, 0, 1, 0, 1], device=picture.device)[:, None, None]
    slope = (invert_symmetric(spread + least) * (joint - color * level)[:, None]).sum(2)
    base = level - (slope * color).sum(1, keepdim=True)
    both = _average(torch.cat([slope, base], 1), radius_px // 2)
    both = functional.interpolate(both, size=picture.shape[2:], mode="bilinear", align_corners=False)
    return (both[:, :3] * picture).sum(1, keepdim=True) + both[:, 3:]


def _average(values: torch.Tensor, radius_px: int) -> torch.Tensor:
    side, most = 2 * radius_px + 1, radius_px
    rows = functional.avg_pool2d(values, (side, 1), 1, (most, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, most), count_include_pad=False)


def _measure_colors(picture: torch.Tensor, core: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logs = (picture + 0.03).log()
    red, green, blue = logs.unbind(1)
    colors = torch.stack([logs.mean(1), red - green, green - blue], 1)
    least = torch.tensor([5e-3, 0, 0, 8e-4, 0, 8e-4], device=picture.device)

    def fit(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        total = weight.sum((2, 3), keepdim=True).clamp(min=1)
        away = colors - (weight * colors).sum((2, 3), keepdim=True) / total
        x, y, z = away.unbind(1)
        products = torch.stack([x * x, x * y, x * z, y * y, y * z, z * z], 1)
        spread = (weight * products).sum((2, 3)) / total[:, :, 0, 0]
        inverse = invert_symmetric(1.3 * spread + least)[..., None, None]
        return away, ((inverse * away[:, None]).sum(2) * away).sum(1, keepdim=True)

    return fit(core * (fit(core)[1] < 9).float())


def _compare_colors(cells: torch.Tensor, hand: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    logs = []
    for members in (hand, other):
        cube = torch.zeros((len(cells), COLOR_CELLS**3), device=cells.device)
        cube = cube.scatter_add_(1, cells, members.flatten(1)).view(-1, 1, *[COLOR_CELLS] * 3)
        for _ in range(2):
            cube = functional.avg_pool3d(cube, 3, 1, 1, count_include_pad=False)
        flat = cube.flatten(1)
        logs.append((flat / flat.sum(1, keepdim=True).clamp(min=1e-6) + 2e-4).log())
    ratio = (logs[0] - logs[1]).gather(1, cells).view(hand.shape)
    return ratio.clamp(-COLOR_LIMIT, COLOR_LIMIT)


def _smooth(values: torch.Tensor) -> torch.Tensor:
    line = torch.tensor([1.0, 2.0, 1.0], device=values.device) / 4
    return functional.conv2d(values, torch.outer(line, line)[None, None], padding=1)


def measure_pixels(picture: torch.Tensor, distance: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the nine measures, (B, 9, S, S), of pictures (B, 3, S, S) in 0..1; distance and inside are (B, 1, S, S)."""
    colors, strangeness = _measure_colors(picture, (distance < CORE).float() * inside)
    place = PLACE_WEIGHT * (1 - distance)
    parts = (picture.sqrt() * COLOR_CELLS).clamp(0, COLOR_CELLS - 1).long()
    cells = ((parts[:, 0] * COLOR_CELLS + parts[:, 1]) * COLOR_CELLS + parts[:, 2]).flatten(1)
    usual = _compare_colors(cells, (distance < INSIDE).float() * inside, (distance > OUTSIDE).float() * inside)
    mask = ((_smooth(_smooth(usual)) + place > 0) & (distance < NEVER)).float()
    hand, other = mask * (distance < 1.2).float() * inside, (1 - mask) * (distance > 1.0).float() * inside
    usual_again = _compare_colors(cells, hand, other)
    score = _smooth(_smooth(usual_again)) + place
    score = score - STRANGE_WEIGHT * (strangeness - STRANGE).clamp(0, STRANGE_LIMIT)
    guided = guide_by_colors(score.sigmoid(), picture, EDGE_RADIUS_PX, EDGE_SOFTNESS)
    gains = torch.tensor([2.0, 4.0, 4.0], device=picture.device)[:, None, None]
    return torch.cat(
        [
            (colors * gains).clamp(-3, 3),
            strangeness.clamp(0, 100).sqrt() / 5,
            usual / 2,
            usual_again / 2,
            (1 - distance).clamp(-1.5, 1),
            2 * guided - 1,
            inside,
        ],
        1,
    )
