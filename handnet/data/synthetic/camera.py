"""Light, paper, sleeve and camera: what changes from photo to photo and says nothing of the person."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from handnet.data.synthetic.fields import Fields
from handnet.data.synthetic.skeleton import Floats, Hand

Photo = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scene:
    """Light, background and camera of one photo: nuisance, unrelated to the person.

    Attributes:
        light: direction towards the light in the photo: right, down, towards the camera.
        ambient: share of the light that comes from everywhere, 0 to 1.
        exposure: factor on all values.
        white_balance: factor on each channel.
        contrast: exponent on values between 0 and 1.
        background: RGB of the paper, 0 to 255.
        shading: change of the paper's brightness from edge to edge, to the right and downwards, as a fraction.
        shadow: darkness of the hand's shadow on the paper, 0 to 1.
        shadow_mm: offset of the shadow to the right and downwards, and its softness.
        blur_fraction: radius of the blur divided by the photo's height.
        noise: standard deviation of the noise, in values of 0 to 255.
        sleeve_color: RGB of the cloth, where a sleeve is in sight.
    """

    light: tuple[float, float, float]
    ambient: float
    exposure: float
    white_balance: tuple[float, float, float]
    contrast: float
    background: tuple[float, float, float]
    shading: tuple[float, float]
    shadow: float
    shadow_mm: tuple[float, float, float]
    blur_fraction: float
    noise: float
    sleeve_color: tuple[float, float, float]


def sample_scene(rng: np.random.Generator) -> Scene:
    """Sample light, background and camera.

    Args:
        rng: source of randomness.

    Returns:
        The scene.
    """
    azimuth, zenith = rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(rng.uniform(5.0, 42.0))
    light = (np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith))
    tint = rng.normal(0.0, 2.0, 3)
    cloth = rng.uniform(15.0, 235.0, 3) * rng.choice([0.25, 1.0])
    reach = rng.uniform(2.0, 10.0)
    return Scene(
        light=(float(light[0]), float(light[1]), float(light[2])),
        ambient=float(rng.uniform(0.45, 0.75)),
        exposure=float(np.exp(rng.normal(0.0, 0.08))),
        white_balance=_as_rgb(np.exp(rng.normal(0.0, (0.022, 0.012, 0.03)))),
        contrast=float(np.exp(rng.normal(0.0, 0.09))),
        background=_as_rgb(np.clip(rng.uniform(244.0, 274.0) + tint, 0.0, 274.0)),
        shading=(float(rng.normal(0.0, 0.04)), float(rng.normal(0.0, 0.04))),
        shadow=float(rng.uniform(0.03, 0.28)),
        shadow_mm=(float(-light[0] * reach), float(-light[1] * reach), float(rng.uniform(2.0, 7.0))),
        blur_fraction=float(rng.uniform(0.0, 0.0045)),
        noise=float(rng.uniform(0.5, 4.0)),
        sleeve_color=_as_rgb(cloth),
    )


def _as_rgb(values: Floats) -> tuple[float, float, float]:
    r, g, b = values.tolist()
    return float(r), float(g), float(b)


def light_surface(height_mm: Floats, scene: Scene, step_mm: float) -> Floats:
    """Return the brightness of a surface, 1 where it lies flat; grooves and edges get less light."""
    # Here, since trainings import this module for other grounds, and few draw hands: a fifth of a second.
    from scipy.ndimage import uniform_filter

    down, right = (np.clip(slope, -1.6, 1.6) for slope in np.gradient(height_mm, step_mm))
    facing = 1.0 / np.sqrt(1.0 + down * down + right * right)
    u, v, w = scene.light
    direct = np.maximum((w - u * right - v * down) * facing, 0.0) / w
    lit = scene.ambient * (0.6 + 0.4 * facing) + (1.0 - scene.ambient) * direct
    reach = max(3, round(9.0 / step_mm))
    buried = np.maximum(uniform_filter(height_mm, reach, mode="nearest") - height_mm, 0.0)
    shade: Floats = np.minimum(lit, 1.35) * (1.0 - np.minimum(0.075 * buried, 0.45))
    return shade


def lay_sleeve(color: Floats, cover: Floats, hand: Hand, fields: Fields, scene: Scene, step_mm: float) -> Floats:
    """Draw the sleeve over the forearm in place, taking it out of the hand's cover, and return its own cover."""
    hem = hand.pose.sleeve_mm
    if hem is None:
        return np.zeros(cover.shape, np.float32)
    outside = np.maximum(fields.forearm_distance_mm - 5.0, hem - fields.forearm_mm)
    sleeve: Floats = np.clip(0.5 - outside / step_mm, 0.0, 1.0)
    cover *= 1.0 - sleeve
    depth = np.clip(-(fields.forearm_distance_mm - 5.0) / 30.0, 0.0, 1.0)
    seam = 1.0 - 0.25 * np.exp(-(((fields.forearm_mm - hem - 3.0) / 1.2) ** 2))
    cloth = (0.65 + 0.35 * np.sqrt(depth)) * seam
    color += (cloth * np.array(scene.sleeve_color, np.float32)[:, None, None] - color) * sleeve
    return sleeve


def lay_paper(scene: Scene, opaque: Floats, scale: float, ground: Photo | None = None) -> Floats:
    """Return the background, paper or a ground (H, W, 3), with the shadow of what lies on it."""
    height, width = opaque.shape
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    level = 1.0 + scene.shading[0] * across + scene.shading[1] * down
    right_px, down_px = (round(mm * scale) for mm in scene.shadow_mm[:2])
    reach = max(abs(right_px), abs(down_px))
    # The arm goes on beyond the photo, and so does its shadow.
    wide = np.pad((opaque * 255.0).astype(np.uint8), reach, "edge")
    moved = wide[reach - down_px :, reach - right_px :][:height, :width]
    cast = Image.fromarray(moved).filter(ImageFilter.GaussianBlur(scene.shadow_mm[2] * scale))
    level = level * (1.0 - scene.shadow * np.asarray(cast, np.float32) / 255.0)
    color = np.array(scene.background, np.float32)[:, None, None] if ground is None else np.moveaxis(ground, -1, 0)
    paper: Floats = level * color.astype(np.float32)
    return paper


def take_photo(light: Floats, scene: Scene, rng: np.random.Generator) -> Photo:
    """Expose, blur and digitise."""
    gains = np.array(scene.white_balance, np.float32)[:, None, None] * (scene.exposure / 255.0)
    planes = np.clip(light * gains, 0.0, 1.0) ** scene.contrast * 255.0
    values = np.stack(list(planes), axis=-1)
    if scene.blur_fraction > 0.0:
        sharp = Image.fromarray((values + 0.5).astype(np.uint8))
        values = np.asarray(sharp.filter(ImageFilter.GaussianBlur(scene.blur_fraction * values.shape[0])), np.float32)
    values = values + scene.noise * rng.standard_normal(values.shape, np.float32)
    photo: Photo = np.clip(values + 0.5, 0.0, 255.0).astype(np.uint8)
    return photo
