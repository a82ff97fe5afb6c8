"""Examples to learn masks from: synthetic hands laid on drawn grounds, in the square around their landmarks.

Everything about a picture that says nothing of where the hand is, is random, and wider than photos are: colour and texture of
skin, light, shadows, sleeves, where the arm ends, ground (two fifths of them of the hand's own colour, a third of several
kinds), other hands beside it, how exact the landmarks are, where the photo ends, resolution, noise and JPEG. Some hands are as if
cut out of a photo on paper by a rough mask, with paper left at their border. Random numbers alone decide; no photo is read.

`python benchmarks/mask_examples.py HANDS.npz SHEET.png` writes a sheet of them, to look at.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from handnet.data.synthetic.grounds import GROUNDS, draw_fractal, draw_smooth
from handnet.images.hand.mask_rule import ENLARGEMENT, SIZE_PX

GROUND_PX = 224
Floats = npt.NDArray[np.float32]
Random = np.random.Generator


class Example(NamedTuple):
    """One example.

    Attributes:
        picture: uint8 (S, S, 3).
        landmarks: (21, 2) as (y, x), fractions of the square.
        inside: uint8 (S, S), 1 where the photo is.
        cover: uint8 (S, S), 0..255, how much of each pixel is hand, or was cut out with it.
        rest: uint8 (S, S), 0..255, how much of each pixel is paper that was cut out with the hand.
        weight: uint8 (S, S), 0..255, how much each pixel counts.
    """

    picture: npt.NDArray[np.uint8]
    landmarks: Floats
    inside: npt.NDArray[np.uint8]
    cover: npt.NDArray[np.uint8]
    rest: npt.NDArray[np.uint8]
    weight: npt.NDArray[np.uint8]


class Pool(NamedTuple):
    """What examples are made of: hands as benchmarks/mask_hands.py wrote them, grounds and noises."""

    light: npt.NDArray[np.uint8]
    cover: npt.NDArray[np.uint8]
    sleeve: npt.NDArray[np.uint8]
    landmarks: Floats
    grounds: npt.NDArray[np.uint8]
    noises: Floats


def draw_tiles(random: Random, shape: tuple[int, int]) -> Floats:
    """Return stones or tiles of a few colours, with joints between them."""
    count = int(random.integers(8, 150))
    places = random.uniform(0, 1, (count, 2)) * shape
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(y[..., np.newaxis] - places[:, 0], x[..., np.newaxis] - places[:, 1]).astype(np.float32)
    nearest = np.argmin(away, -1)
    two = np.partition(away, 1, -1)
    joint = np.clip((two[..., 1] - two[..., 0]) / random.uniform(1, 5), random.uniform(0.3, 1), 1)
    colors = random.uniform(20, 235, 3) + random.normal(0, random.uniform(4, 60), (count, 3))
    return colors[nearest] * (joint * (1 + 0.05 * draw_fractal(random, shape)))[..., np.newaxis]


def draw_blots(random: Random, shape: tuple[int, int]) -> Floats:
    """Return a few colours in blots with sharp edges, as leaves, marble or a camouflage have them."""
    ground = np.ones((*shape, 3)) * random.uniform(10, 245, 3)
    for _ in range(int(random.integers(1, 6))):
        where = draw_smooth(random, random.uniform(6, 60), shape) > random.uniform(-0.2, 1.2)
        ground[where] = random.uniform(10, 245, 3)
    return ground * (1 + random.uniform(0, 0.12) * draw_fractal(random, shape))[..., np.newaxis]


def draw_strokes(random: Random, shape: tuple[int, int]) -> Floats:
    """Return lines, letters' strokes, fingers of other things: bars with round ends, of any width and colour."""
    image = Image.new("RGB", shape[::-1], tuple(int(v) for v in random.uniform(0, 256, 3)))
    pen, palette = ImageDraw.Draw(image), random.uniform(0, 256, (int(random.integers(1, 6)), 3))
    width = random.uniform(2, 26)
    for _ in range(int(random.integers(10, 90))):
        y, x = random.uniform(0, 1, 2) * shape
        turn, length = random.uniform(0, np.pi), random.uniform(4, 140)
        end = x + length * np.cos(turn), y + length * np.sin(turn)
        color = tuple(int(v) for v in palette[random.integers(len(palette))])
        stroke = max(1, int(width * random.uniform(0.6, 1.4)))
        pen.line((x, y, *end), color, stroke)
        for ex, ey in ((x, y), end):
            pen.ellipse((ex - stroke / 2, ey - stroke / 2, ex + stroke / 2, ey + stroke / 2), color)
    return np.asarray(image, np.float64) * (1 + 0.05 * draw_fractal(random, shape))[..., np.newaxis]


def draw_paper(random: Random, shape: tuple[int, int]) -> Floats:
    """Return plain paper, a wall or a table top."""
    level = 1 + random.uniform(0, 0.08) * draw_smooth(random, random.uniform(60, 200), shape)
    return (random.uniform(150, 255) + random.normal(0, 6, 3)) * level[..., np.newaxis]


KINDS: dict[str, Callable[[Random, tuple[int, int]], Any]] = {
    **GROUNDS,
    "tiles": draw_tiles,
    "blots": draw_blots,
    "strokes": draw_strokes,
    "paper": draw_paper,
}


def draw_grounds(seed: int, count: int, kinds: tuple[str, ...] = tuple(KINDS)) -> npt.NDArray[np.uint8]:
    """Return grounds of all kinds in turn, uint8 (N, 224, 224, 3)."""
    drawn = []
    for number in range(count):
        random = np.random.default_rng([seed, number, 2])
        ground = KINDS[kinds[number % len(kinds)]](random, (GROUND_PX, GROUND_PX))
        drawn.append(np.clip(np.round(ground), 0, 255).astype(np.uint8))
    return np.stack(drawn)


def draw_noises(seed: int, count: int = 48) -> Floats:
    """Return smooth noise of all sizes, deviation 1, (N, 224, 224)."""
    random = np.random.default_rng([seed, 3])
    sizes = np.geomspace(1.5, 70, count)
    return np.stack([draw_smooth(random, float(cell), (GROUND_PX, GROUND_PX)) for cell in sizes]).astype(np.float32)


def read_pool(file: Path, seed: int, num_grounds: int = 270, kinds: tuple[str, ...] = tuple(KINDS)) -> Pool:
    """Read the hands and draw the rest."""
    with np.load(file) as arrays:
        hands = [arrays[name] for name in ("light", "cover", "sleeve", "landmarks")]
    return Pool(*hands, draw_grounds(seed, num_grounds, kinds), draw_noises(seed))


def make_example(pool: Pool, seed: int, number: int) -> Example:
    """Make the example of a number: the same for a seed and a pool, whatever else is made."""
    random = np.random.default_rng([seed, number, 4])
    which = int(random.integers(len(pool.cover)))
    landmarks, place_back = _bend_hand(random, pool.landmarks[which].astype(np.float64), pool.cover.shape[1])
    seen, grid = _lay_square(_shake(random, landmarks))
    layers = np.dstack([pool.light[which], pool.cover[which], pool.sleeve[which]])
    sampled = _sample(layers, place_back(grid))
    cover, sleeve = sampled[..., 3] / 255, sampled[..., 4] / 255
    width = max(np.linalg.norm(seen[5] - seen[17]), np.linalg.norm(seen[9] - seen[0]) / 1.45) * SIZE_PX
    arm = _cut_arm(random, pool, seen, width)
    light = sampled[..., :3] / np.maximum(cover + sleeve, 1e-3)[..., np.newaxis]
    cover, sleeve = cover * arm, sleeve * arm
    rest = np.zeros_like(cover)
    if random.uniform() < 0.6:
        # Hands that were cut out and pasted have lost the outermost part of their border, or kept paper there.
        cover, rest = _cut_out(random, pool, cover, sleeve)
    skin, mean = _paint_skin(random, pool, light, cover, seen)
    cloth = _take_ground(random, pool, None) if random.uniform() < 0.5 else random.uniform(5, 250, 3)
    shade = np.clip(light.mean(-1, keepdims=True) / 128, 0.3, 1.3) if random.uniform() < 0.5 else 1.0
    ground = _take_ground(random, pool, mean)
    if random.uniform() < 0.2:
        ground = _lay_other_hand(random, pool, ground, mean)
    paper = _choose_paper(random, pool, cover, mean)
    opaque = np.clip(cover + rest + sleeve, 0, 1)
    shadow = ndimage.shift(opaque, random.normal(0, 5, 2), order=1, mode="nearest")
    shadow = 1 - random.uniform(0, 0.65) * ndimage.gaussian_filter(shadow, random.uniform(1, 10))
    parts = ((skin, cover), (paper, rest), (cloth * shade, sleeve), (ground * shadow[..., np.newaxis], 1 - opaque))
    photo = sum(values * share[..., np.newaxis] for values, share in parts)
    photo = _take_photo(random, _light(random, pool, photo))
    inside, places = _end_photo(random)
    picture, weight = photo[places[0], places[1]], np.ones((SIZE_PX, SIZE_PX))
    # Further down the mask is cut anyway, by where the palm lies.
    weight[int(seen[0, 0] * SIZE_PX + 0.3 * width) :] = 0.25
    layers = np.clip(cover + rest, 0, 1), np.clip(rest, 0, 1), weight
    as_bytes = [np.round(255 * values * inside).astype(np.uint8) for values in layers]
    return Example(picture, seen.astype(np.float32), inside.astype(np.uint8), *as_bytes)


def _bend_hand(random: Random, landmarks: Any, canvas_px: int) -> tuple[Any, Callable[[Any], Any]]:
    """Deform a hand: return its landmarks, and where points of the deformed canvas lie on the one that was drawn."""
    middle = np.full(2, canvas_px / 2)
    flip = -1.0 if random.uniform() < 0.5 else 1.0
    turn = np.eye(2) + random.normal(0, 0.05, (2, 2))
    turn[:, 1] *= flip
    bends = random.uniform(0, 3.5) * random.normal(size=(2, 6, 6))
    field = np.stack([_enlarge(bend, canvas_px) for bend in bends], -1)

    def find_bend(points: Any) -> Any:
        at = np.clip(points, 0, canvas_px - 1).astype(int)
        return field[at[..., 0], at[..., 1]]

    def place_back(points: Any) -> Any:
        return middle + (points - middle) @ turn.T + find_bend(points)

    inverse, moved = np.linalg.inv(turn).T, landmarks
    for _ in range(5):
        moved = middle + (landmarks - middle - find_bend(moved)) @ inverse
    return moved, place_back


def _shake(random: Random, landmarks: Any) -> Any:
    """Return landmarks that are as wrong as found ones, and at times more so."""
    width = np.linalg.norm(landmarks[5] - landmarks[17])
    strength = width * random.choice([0.3, 0.7, 1.5])
    shaken = landmarks + strength * (random.normal(0, 0.02, (21, 2)) + random.normal(0, 0.02, 2))
    middle = shaken.mean(0)
    shaken = middle + (shaken - middle) * (1 + random.normal(0, 0.015))
    if random.uniform() < 0.15:
        first = 1 + 4 * int(random.integers(5))
        shaken[first : first + 4] += width * np.linspace(0.1, 1, 4)[:, np.newaxis] * random.normal(0, 0.12, 2)
    if random.uniform() < 0.2:
        # Where the arm is cut off, the wrist is a guess.
        shaken[0] += width * random.normal(0, 0.12, 2)
    return shaken


def _lay_square(landmarks: Any) -> tuple[Any, Any]:
    """Return landmarks as fractions of their square, and where its pixels lie, as `enclose_landmarks` lays it."""
    direction = landmarks[9] - landmarks[0]
    direction = direction / np.linalg.norm(direction)
    down, right = -direction, np.array([direction[1], -direction[0]])
    axes = np.stack([down, right])
    places = landmarks @ axes.T
    low, high = places.min(0), places.max(0)
    centre, side = (low + high) / 2 @ axes, ENLARGEMENT * (high - low).max()
    seen = (landmarks - centre) / side @ axes.T + 0.5
    steps = np.arange(SIZE_PX) / SIZE_PX - 0.5
    return seen, centre + side * (steps[:, np.newaxis, np.newaxis] * down + steps[np.newaxis, :, np.newaxis] * right)


def _sample(layers: npt.NDArray[np.uint8], points: Any) -> Any:
    """Return layers (H, W, C) at points (S, S, 2), bilinearly, the border going on outside."""
    last = np.array(layers.shape[:2]) - 1
    points = np.clip(points, 0, last - 1e-3)
    corner = points.astype(int)
    down, across = np.moveaxis((points - corner).astype(np.float32), -1, 0)[..., np.newaxis]
    y, x = corner[..., 0], corner[..., 1]
    upper = layers[y, x] * (1 - across) + layers[y, x + 1] * across
    return upper * (1 - down) + (layers[y + 1, x] * (1 - across) + layers[y + 1, x + 1] * across) * down


def _enlarge(values: Any, side_px: int) -> Any:
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((side_px, side_px), Image.Resampling.BICUBIC))


def _cut_arm(random: Random, pool: Pool, seen: Any, width: float) -> Any:
    """Return 1 where the arm is, 0 beyond a cut about the wrist: a pasted hand ends there, or what a photo shows of it."""
    if random.uniform() < 0.35:
        return np.ones((SIZE_PX, SIZE_PX))
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    across = columns - SIZE_PX / 2
    end = seen[0, 0] * SIZE_PX + width * random.uniform(-0.6, 0.5) + across * random.normal(0, 0.25)
    if random.uniform() < 0.3:
        end = end + random.normal(0, 0.15) * across**2 / width + random.uniform(0, 3) * _take_noise(random, pool, 0, 30)
    return np.clip(end - rows + 0.5, 0, 1)


def _cut_out(random: Random, pool: Pool, cover: Any, sleeve: Any) -> tuple[Any, Any]:
    """Cut a hand out by a mask that is a little wrong: return what is left of its cover, and how much of a pixel is paper."""
    if random.uniform() < 0.6:
        edge = ndimage.gaussian_filter(cover, random.uniform(0.6, 1.2))
        cut = np.clip((edge - random.uniform(0.5, 0.9)) / random.uniform(0.2, 0.8) + 0.5, 0, 1)
        return np.minimum(cover, cut), np.zeros_like(cover)
    # Narrow gaps are filled with it, and the border is ragged.
    rough = ndimage.gaussian_filter(cover, random.uniform(0.8, 2.6))
    ragged = sum(random.uniform(0, 0.12) * _take_noise(random, pool, 0, 24) for _ in range(2))
    near = (rough + ragged > random.uniform(0.25, 0.7)) & (rough > 0.12) | (rough > 0.9)
    cut = ndimage.gaussian_filter(near.astype(np.float32), random.uniform(0.3, 0.8))
    return np.minimum(cover, cut), np.clip(cut - cover - sleeve, 0, 1)


def _choose_paper(random: Random, pool: Pool, cover: Any, mean: Any) -> Any:
    """Return the colours of the paper that a hand was cut out on: light, darker near the hand."""
    light = random.uniform(130, 250) + random.normal(0, 5, 3)
    if random.uniform() < 0.4:
        light = light + random.uniform(0, 0.6) * (mean - light)
    shade = 1 - random.uniform(0, 0.55) * ndimage.gaussian_filter(cover, random.uniform(1, 4))
    return light * (shade * (1 + 0.03 * _take_noise(random, pool, 0, 24)))[..., np.newaxis]


def _take_noise(random: Random, pool: Pool, first: int = 0, last: int | None = None) -> Any:
    """Return smooth noise (S, S), of the sizes from a number to a number."""
    noise = pool.noises[random.integers(first, last or len(pool.noises))]
    top, left = random.integers(0, GROUND_PX - SIZE_PX + 1, 2)
    return np.rot90(noise[top : top + SIZE_PX, left : left + SIZE_PX], random.integers(4))


def _choose_color(random: Random) -> Any:
    """Return a mean colour: that of some skin in some light, or any."""
    if random.uniform() < 0.8:
        red = random.uniform(60, 250)
        green = red * random.uniform(0.55, 0.92)
        return np.array([red, green, green * random.uniform(0.55, 1.05)])
    return random.uniform(30, 240, 3)


def _paint_skin(random: Random, pool: Pool, light: Any, cover: Any, seen: Any) -> tuple[Any, Any]:
    """Return the hand's colours, other than drawn ones in all but their pattern, and their mean."""
    inner = cover > 0.9
    drawn = light[inner].mean(0) if inner.any() else np.full(3, 128.0)
    mean = drawn * random.uniform(0.7, 1.1) if random.uniform() < 0.25 else _choose_color(random)
    contrast = random.uniform(0.5, 1.6)
    logs = contrast * np.log(np.maximum(light, 2.0) / np.maximum(drawn, 2.0))
    for strength, channels, sizes in (
        (0.1, 1, (24, None)),
        (0.06, 1, (0, 24)),
        (0.05, 3, (16, None)),
        (0.03, 3, (0, 16)),
    ):
        amount = random.uniform(0, strength)
        logs = logs + amount * np.stack([_take_noise(random, pool, *sizes) for _ in range(channels)], -1)
    # Round edges turn away from the light, and have soft shade.
    depth = ndimage.gaussian_filter(cover, random.uniform(1.5, 7))
    logs = logs - random.uniform(-0.2, 0.7) * (1 - depth)[..., np.newaxis]
    turn = random.uniform(0, 2 * np.pi)
    lean = ndimage.sobel(depth, 0) * np.sin(turn) + ndimage.sobel(depth, 1) * np.cos(turn)
    logs = logs + random.uniform(0, 1.2) * lean[..., np.newaxis]
    skin = mean * np.exp(logs)
    if random.uniform() < 0.35:
        # Nails, rings, plasters, ink: of any colour, on the hand.
        rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
        color = random.uniform(0, 255, 3)
        for tip in random.choice(21, int(random.integers(1, 7)), replace=False):
            y, x = (seen[tip] * SIZE_PX) + random.normal(0, 2, 2)
            reach = random.uniform(1.5, 5, 2)
            skin[((rows - y) / reach[0]) ** 2 + ((columns - x) / reach[1]) ** 2 < 1] = color
    return np.clip(skin, 0, 255), mean


def _take_ground(random: Random, pool: Pool, mean: Any) -> Any:
    """Return a ground (S, S, 3), of any colours; where the hand's mean colour is given, at times near it, or of several kinds."""
    ground = _take_one_ground(random, pool, mean)
    if mean is None or random.uniform() > 0.35:
        return ground
    for _ in range(int(random.integers(1, 4))):
        # As things in a photo cover each other: blots with sharp or soft edges, plain or with a texture.
        field = _take_noise(random, pool, 20) - random.normal(0.3, 0.7)
        share = np.clip(field / random.uniform(0.02, 0.4), 0, 1)[..., np.newaxis]
        kind = random.uniform()
        if kind < 0.35:
            other = mean * random.uniform(0.5, 1.4) + random.normal(0, 12, 3)
            other = other * (1 + random.uniform(0, 0.1) * _take_noise(random, pool))[..., np.newaxis]
        elif kind < 0.55:
            other = ground * random.uniform(0.3, 1.5)
        else:
            other = _take_one_ground(random, pool, mean)
        ground = ground * (1 - share) + other * share
    return np.clip(ground, 0, 255)


def _take_one_ground(random: Random, pool: Pool, mean: Any) -> Any:
    """Return a ground of one kind, at times near a mean colour."""
    ground = pool.grounds[random.integers(len(pool.grounds))]
    side = int(random.integers(60, GROUND_PX + 1))
    top, left = random.integers(0, GROUND_PX - side + 1, 2)
    image = Image.fromarray(ground[top : top + side, left : left + side])
    ground = np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR), np.float64)
    ground = np.rot90(ground, random.integers(4))
    if random.uniform() < 0.3:
        ground = ground[..., random.permutation(3)]
    if random.uniform() < 0.2:
        ground = ndimage.gaussian_filter(ground, (*[random.uniform(0.5, 4)] * 2, 0))
    if mean is not None and random.uniform() < 0.4:
        away = ground - ground.mean((0, 1))
        if random.uniform() < 0.5:
            away = away.mean(-1, keepdims=True) * (mean / mean.mean())
        near = mean * random.uniform(0.6, 1.3) + random.normal(0, 14, 3)
        ground = near + away * min(1.0, random.uniform(5, 45) / (away.std() + 1e-3))
    return np.clip(ground, 0, 255)


def _lay_other_hand(random: Random, pool: Pool, ground: Any, mean: Any) -> Any:
    """Lay another hand, or a part of it, on the ground, at times of the same colour."""
    which = int(random.integers(len(pool.cover)))
    canvas_px = pool.cover.shape[1]
    turn, scale = random.uniform(0, 2 * np.pi), random.uniform(0.6, 1.8)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rows = np.stack(np.mgrid[:SIZE_PX, :SIZE_PX], -1) - random.uniform(0, SIZE_PX, 2)
    points = rows @ matrix.T + canvas_px / 2
    layers = np.dstack([pool.light[which], pool.cover[which] + pool.sleeve[which]])
    there = np.all((points >= 0) & (points < canvas_px), -1)
    sampled = _sample(layers, points)
    share = np.clip(sampled[..., 3:] / 255, 0, 1) * there[..., np.newaxis]
    light = sampled[..., :3] / np.maximum(share, 1e-3)
    color = mean * random.uniform(0.75, 1.2) if random.uniform() < 0.6 else _choose_color(random)
    painted = np.clip(color * light / np.array([205.0, 160.0, 140.0]), 0, 255)
    return ground * (1 - share) + painted * share


def _light(random: Random, pool: Pool, photo: Any) -> Any:
    """Return the photo in some light: dark or bright, warm or cold, from one side, at times with a shadow's edge across it."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX - 0.5
    turn = random.uniform(0, 2 * np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    level = 1 + random.uniform(0, 0.7) * along
    if random.uniform() < 0.2:
        edge = np.clip((along - random.uniform(-0.4, 0.4)) / random.uniform(0.01, 0.2) + 0.5, 0, 1)
        level = level * (1 - random.uniform(0.1, 0.6) * edge)
    level = level * (1 + random.uniform(0, 0.1) * _take_noise(random, pool, 36))
    gain = 2 ** random.uniform(-1.2, 0.6) * (1 + random.uniform(-0.18, 0.18) * np.array([1, 0, -1]))
    linear = (np.clip(photo, 0, 255) / 255) ** 2.2 * gain * level[..., np.newaxis]
    return 255 * np.clip(linear, 0, 1) ** (random.uniform(0.8, 1.25) / 2.2)


def _take_photo(random: Random, photo: Any) -> npt.NDArray[np.uint8]:
    """Return the photo as a camera and a file keep it: blurred, of its resolution, noisy, compressed."""
    if random.uniform() < 0.35:
        photo = ndimage.gaussian_filter(photo, (*[random.uniform(0.2, 1.0)] * 2, 0))
    side = int(min(SIZE_PX, np.exp(random.uniform(np.log(54), np.log(400)))))
    image = Image.fromarray(np.clip(np.round(photo), 0, 255).astype(np.uint8))
    if side < SIZE_PX:
        image = image.resize((side, side), Image.Resampling.BOX)
    noise = random.uniform(0, 5) * random.normal(size=(side, side, random.choice([1, 3])))
    noisy = np.clip(np.round(np.asarray(image) + noise), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=int(random.integers(45, 97)))
    return np.asarray(Image.open(buffer).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR))


def _end_photo(random: Random) -> tuple[Any, Any]:
    """Return where the photo is, (S, S) of 0 and 1, and which pixels of it are seen: beyond its end its last ones go on."""
    places = np.stack(np.mgrid[:SIZE_PX, :SIZE_PX], -1).astype(np.float64)
    inside = np.ones((SIZE_PX, SIZE_PX))
    if random.uniform() < 0.3:
        turn = random.uniform(0, 2 * np.pi)
        away = np.array([np.sin(turn), np.cos(turn)])
        beyond = (places - SIZE_PX / 2) @ away - SIZE_PX * random.uniform(0.25, 0.6)
        inside = (beyond <= 0).astype(np.float64)
        places -= np.maximum(beyond, 0)[..., np.newaxis] * away
    at = np.clip(np.round(places), 0, SIZE_PX - 1).astype(int)
    return inside, (at[..., 0], at[..., 1])


def main() -> None:
    """Write a sheet."""
    pool = read_pool(Path(sys.argv[1]), 21, 90)
    cells = []
    for number in range(40):
        example = make_example(pool, 1, number)
        edge = np.abs(ndimage.laplace((example.cover > 127).astype(float))) > 0
        drawn = example.picture.copy()
        drawn[edge] = (0, 255, 0)
        drawn[example.inside == 0] //= 3
        for y, x in np.clip(np.round(example.landmarks * SIZE_PX), 0, SIZE_PX - 1).astype(int):
            drawn[y, x] = (255, 0, 0)
        cells.append(np.concatenate([example.picture, drawn], 0))
    rows = [np.concatenate(cells[k : k + 10], 1) for k in range(0, 40, 10)]
    Image.fromarray(np.concatenate(rows, 0)).save(sys.argv[2])


if __name__ == "__main__":
    main()
