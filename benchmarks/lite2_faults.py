"""What crops of hands on other grounds suffer from, laid on crops of drawn people, in PyTorch on the device of the crops.

Ragged masks, ground between the fingers and below the wrist, missing bits, light, colour, size, noise, JPEG, place. Every picture
of a batch gets faults of its own; `torch`'s generator decides. Used by benchmarks/lite2_finetuning.py.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

# The nearest colour to skin that a ground gets, RGB.
SKIN = (205.0, 160.0, 135.0)
# Turn in degrees, shift as a fraction of the side, logarithm of the zoom.
Place = tuple[float, float, float]
MISPLACED: Place = (10.0, 0.04, 0.09)
_TO_YIQ = torch.tensor([(0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
_TO_YCC = torch.tensor([(0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)])
# The luminance table of the JPEG standard, annex K.
_QUANTA = torch.tensor(
    [
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    ]
).float()
_COSINES = torch.tensor(
    [
        [math.sqrt(0.125 if k == 0 else 0.25) * math.cos((2 * n + 1) * k * math.pi / 16) for n in range(8)]
        for k in range(8)
    ]
)


def draw(like: torch.Tensor, low: float, high: float, dims: int = 1) -> torch.Tensor:
    """Return a uniform number for each picture of a batch, (B, 1, …) with `dims` axes."""
    values = torch.rand(len(like), device=like.device) * (high - low) + low
    return values.reshape(-1, *[1] * (dims - 1))


def draw_smooth(like: torch.Tensor, cells: int) -> torch.Tensor:
    """Return smooth noise (B, 1, S, S) with about `cells` hills along each side."""
    coarse = torch.randn(len(like), 1, cells, cells, device=like.device)
    return F.interpolate(coarse, like.shape[-2:], mode="bicubic", align_corners=False)


def smooth(x: torch.Tensor, width: int) -> torch.Tensor:
    """Blur by two box filters."""
    for _ in range(2):
        x = F.avg_pool2d(x, width, 1, width // 2, count_include_pad=False)
    return x


def grow(x: torch.Tensor, width: int) -> torch.Tensor:
    """Return the largest value within a square."""
    return F.max_pool2d(x, width, 1, width // 2)


def sample(
    x: torch.Tensor, angle: torch.Tensor, scale: torch.Tensor, shift: Sequence[torch.Tensor], outside: str
) -> torch.Tensor:
    """Sample pictures turned, scaled and shifted (in half sides)."""
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([cosine, sine, shift[0]], 1), torch.stack([-sine, cosine, shift[1]], 1)
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, "bilinear", outside, align_corners=False)


def misplace(x: torch.Tensor, most: Place) -> torch.Tensor:
    """Turn, shift and scale each picture by at most so much."""
    degrees, shift, zoom = most
    angle, scale = draw(x, -1, 1) * math.radians(degrees), torch.exp(-draw(x, -1, 1) * zoom)
    return sample(x, angle, scale, [2 * draw(x, -1, 1) * shift for _ in range(2)], "zeros")


def relight(x: torch.Tensor, stops: tuple[float, float], warmth: float, side: float) -> torch.Tensor:
    """Return pictures (B, 3, S, S), 0..255, in other light: brighter or darker, warm or cold, from one side."""
    linear = (x / 255).clamp(1e-4, 1) ** 2.2
    warm, gain, turn = draw(x, -warmth, warmth), 2 ** draw(x, *stops), draw(x, 0, 2 * math.pi, 3)
    line = torch.linspace(-0.5, 0.5, x.shape[-1], device=x.device)
    fall = 1 + draw(x, 0, side, 3) * (torch.cos(turn) * line[None, None] + torch.sin(turn) * line[None, :, None])
    colors = gain[:, None] * torch.stack([1 + warm, torch.ones_like(warm), 1 - warm], 1)
    return 255 * (linear * colors[..., None, None] * fall[:, None]).clamp(0, 1) ** (1 / 2.2)


def recolor(x: torch.Tensor, hue_degrees: float, saturation: float, gray: float) -> torch.Tensor:
    """Return pictures in other hues and saturations, a share of them grey."""
    matrix = _TO_YIQ.to(x.device)
    none = torch.rand(len(x), device=x.device) < gray
    factor = torch.where(none, torch.zeros_like(none, dtype=x.dtype), 1 + draw(x, -saturation, saturation))[
        :, None, None
    ]
    hue = draw(x, -hue_degrees, hue_degrees, 3) * math.pi / 180
    y, i, q = torch.einsum("ij,bjhw->bihw", matrix, x).unbind(1)
    cosine, sine = torch.cos(hue) * factor, torch.sin(hue) * factor
    turned = torch.stack([y, i * cosine - q * sine, i * sine + q * cosine], 1)
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), turned).clamp(0, 255)


def coarsen(x: torch.Tensor, sizes_px: Sequence[int]) -> torch.Tensor:
    """Send equal parts of a batch through fewer pixels."""
    result, size_px = x.clone(), x.shape[-1]
    for part, px in zip(torch.randperm(len(x), device=x.device).chunk(len(sizes_px)), sizes_px, strict=False):
        if px < size_px:
            small = F.interpolate(x[part], (px, px), mode="bilinear", antialias=True, align_corners=False)
            result[part] = F.interpolate(small, (size_px, size_px), mode="bilinear", align_corners=False)
    return result


def compress(x: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Return pictures as JPEG would leave them at a quality (B,), the colours at full size."""
    batch, _, size_px, _ = x.shape
    cosines, cells = _COSINES.to(x.device), size_px // 8
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    quanta = (_QUANTA.to(x.device) * factor[:, None, None]).clamp_min(1)[:, None, None, None]
    quanta = torch.cat([quanta, 1.6 * quanta, 1.6 * quanta], 1)
    y = torch.einsum("ij,bjhw->bihw", _TO_YCC.to(x.device), x)
    y = y.reshape(batch, 3, cells, 8, cells, 8).permute(0, 1, 2, 4, 3, 5)
    y = cosines.T @ (torch.round((cosines @ y @ cosines.T) / quanta) * quanta) @ cosines
    y = y.permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(_TO_YCC).to(x.device), y).clamp(0, 255)


def fray(mask: torch.Tensor, edge: float, leak: float = 0.0, web: float = 0.0, lost: float = 0.0) -> torch.Tensor:
    """Return masks (B, 1, S, S), 0..1, with the faults of masks by landmarks.

    Args:
        mask: the masks, 0..1.
        edge: how far the border wanders; 1 is about 4 % of the side.
        leak: how much ground beside the hand is taken for hand.
        web: share of the masks in which gaps between fingers are filled.
        lost: how much hand along the border is missing.
    """
    soft = smooth(mask, 7)
    if web:
        width = (9, 13, 19, 25)[int(torch.randint(4, (1,)))]
        chosen = (draw_smooth(mask, 6) > 0.2) & (torch.rand(len(mask), 1, 1, 1, device=mask.device) < web)
        soft = torch.maximum(soft, smooth(-grow(-grow(mask, width), width) * chosen, 3))
    amount, wider = draw(mask, 0, 0.32 * edge, 4), draw(mask, -0.06 * edge, 0.16 * edge, 4)
    wander = (0.8 * draw_smooth(mask, 10) + 0.6 * draw_smooth(mask, 28)) * ((soft > 0.02) & (soft < 0.98))
    moved = soft + amount * wander + wider * (soft > 0.03)
    frayed = ((moved - 0.5) * 6 + 0.5).clamp(0, 1)

    def draw_patches(threshold: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid((draw_smooth(mask, 9) + 0.3 * draw_smooth(mask, 24) - threshold) * 12)

    if leak:
        width = (9, 13, 17, 25)[int(torch.randint(4, (1,)))]
        frayed = torch.maximum(frayed, draw_patches(1.2 + draw(mask, 0, 2, 4) / leak) * grow(mask, width))
    if lost:
        frayed = frayed * (1 - draw_patches(1.4 + draw(mask, 0, 2, 4) / lost) * (1 + grow(-mask, 13)))
    return frayed


def end_arm(like: torch.Tensor, share: float) -> torch.Tensor:
    """Return where the arm is, (B, 1, S, S), 0 or 1: in a share of the pictures it ends in a slanting line near the wrist."""
    line = (torch.arange(like.shape[-1], device=like.device) + 0.5) / like.shape[-1]
    slope = torch.tan(draw(like, -28, 28, 3) * math.pi / 180)
    below = line[None, :, None] - draw(like, 0.80, 0.98, 3) - slope * (line[None, None] - 0.5) > 0
    return 1 - (below & (torch.rand(len(like), 1, 1, device=like.device) < share)).float()[:, None]


def take_grounds(pool: torch.Tensor, count: int, size_px: int) -> torch.Tensor:
    """Return grounds (count, 3, S, S) from a pool (G, 3, P, P): turned parts, three in ten nearly of the colour of skin."""
    whole = pool[torch.randint(len(pool), (count,), device=pool.device)].float()
    turns = torch.randint(4, (count,), device=pool.device) * (math.pi / 2)
    part = draw(whole, 0.33, 1.0)
    blank = whole[:, :, :size_px, :size_px]
    cosine, sine = torch.cos(turns) * part, torch.sin(turns) * part
    shift = [draw(whole, -1, 1) * (1 - part) for _ in range(2)]
    rows = torch.stack([cosine, -sine, shift[0]], 1), torch.stack([sine, cosine, shift[1]], 1)
    grid = F.affine_grid(torch.stack(rows, 1), list(blank.shape), align_corners=False)
    grounds = F.grid_sample(whole, grid, "bilinear", "reflection", align_corners=False)
    skin = torch.tensor(SKIN, device=pool.device)[None, :, None, None] * draw(whole, 0.5, 1.15, 4)
    share = 0.65 * (torch.rand(count, 1, 1, 1, device=pool.device) < 0.3)
    return (grounds * (1 - share) + share * skin).clamp(0, 255)


def shoot_on_paper(people: torch.Tensor, place: Place = MISPLACED) -> torch.Tensor:
    """Return crops (B, 3, S, S), 0..255, of drawn people (B, 5, S, S) on plain paper: mild light, borders hardly moved."""
    layers = misplace(people.float(), place)
    light, opaque, kept = layers[:, :3], layers[:, 3:4] / 255, layers[:, 4:] / 255
    photo = relight(light + (235 + draw(light, -25, 20, 4)) * (1 - opaque), (-0.6, 0.5), 0.06, 0.2)
    mask = fray(kept, 0.35)
    size_px = people.shape[-1]
    return _cut(recolor(coarsen(photo, (size_px, size_px, 160, 144)), 8, 0.3, 0.25), mask)


def shoot_on_ground(people: torch.Tensor, grounds: torch.Tensor, place: Place = MISPLACED) -> torch.Tensor:
    """Return crops of drawn people on other grounds with all faults."""
    layers = misplace(people.float(), place)
    light, opaque, kept = layers[:, :3], layers[:, 3:4] / 255, layers[:, 4:] / 255
    opaque = opaque * end_arm(light, 0.5)
    shade = 1 - draw(light, 0, 0.45, 4) * smooth(opaque, 13)
    hand = relight(light / opaque.clamp_min(0.02), (-0.5, 0.3), 0.10, 0.4)
    photo = hand * opaque + grounds * shade * (1 - opaque)
    mask = fray(kept, 1.0, leak=0.8, web=0.6, lost=0.5)
    size_px = people.shape[-1]
    return _shoot(photo, mask, ((-1.1, 0.5), 0.13, 0.5), (size_px, 176, 160, 128, 96, 64))


def shoot_found(people: torch.Tensor, place: Place = MISPLACED) -> torch.Tensor:
    """Return crops of people that the front end has found and cut (B, 5, S, S), with its own mask's faults."""
    layers = misplace(people.float(), place)
    photo, mask, known = layers[:, :3], layers[:, 3:4] / 255, layers[:, 4:] / 255
    share = 0.5 * (torch.rand(len(mask), 1, 1, 1, device=mask.device) < 0.25)
    mask = fray(mask * (1 - share) + share * known, 0.25)
    size_px = people.shape[-1]
    return _shoot(photo, mask, ((-0.4, 0.4), 0.06, 0.2), (size_px, size_px, size_px, 128))


def _shoot(
    photo: torch.Tensor, mask: torch.Tensor, light: tuple[tuple[float, float], float, float], sizes_px: Sequence[int]
) -> torch.Tensor:
    photo = coarsen(relight(photo, *light), sizes_px)
    photo = photo + torch.randn_like(photo) * draw(photo, 0, 4, 4)
    if torch.rand(1) < 0.5:
        photo = compress(photo.clamp(0, 255), draw(photo, 45, 95))
    return _cut(recolor(photo, 8, 0.25, 0.25), mask)


def _cut(photo: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (photo * mask + 255 * (1 - mask)).clamp(0, 255)
