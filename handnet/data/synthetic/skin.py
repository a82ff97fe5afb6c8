"""What a hand looks like: colour, relief, nails and rings, before any light falls on it."""

import numpy as np

from handnet.data.synthetic.fields import Fields
from handnet.data.synthetic.grid import Grid, refine
from handnet.data.synthetic.lines import ToPixels, draw_creases, draw_veins
from handnet.data.synthetic.marks import mark_dorsal, mark_palmar
from handnet.data.synthetic.person import Person
from handnet.data.synthetic.skeleton import Floats, Hand

_MELANIN_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_DORSAL_COLORS = ((242, 208, 190), (228, 184, 160), (202, 152, 122), (158, 110, 84), (108, 74, 58))
_PALMAR_COLORS = ((246, 204, 192), (240, 192, 176), (228, 174, 154), (208, 154, 132), (184, 132, 112))
_REDNESS = np.array((5.0, -7.0, -4.0), np.float32)
_BLOOD = np.array((0.0, -26.0, -20.0), np.float32)[:, None, None]
# Folds are reddish: they take less from red than from green and blue.
_DARKENING = np.array((0.80, 1.0, 1.04), np.float32)[:, None, None]
_VEIN = np.array((-22.0, -8.0, -4.0), np.float32)[:, None, None]


def paint_skin(
    person: Person, side: str, view: str, hand: Hand, fields: Fields, grid: Grid, to_pixels: ToPixels
) -> tuple[Floats, Floats]:
    """Paint the skin and all that is on it.

    Args:
        person: whose hand.
        side: "left" or "right".
        view: "dorsal" or "palmar".
        hand: the posed hand.
        fields: its fields on the grid.
        grid: the points.
        to_pixels: from (N, 2) millimetres to columns and rows of the grid.

    Returns:
        Colour (3, H, W), 0 to 255, and the relief (H, W), millimetres to be added to the height.
    """
    rng = person.detail_rng(side, view)
    base = skin_color(person, view)[:, None, None]
    if view == "dorsal":
        dark, blood, relief = mark_dorsal(person, hand, fields, grid, rng)
        color = base + blood * _BLOOD
        lines = draw_veins(hand, rng, grid, to_pixels)
        color += (0.75 - 0.5 * person.melanin) * _VEIN * lines
    else:
        dark, blood, relief = mark_palmar(hand, fields, grid, rng)
        lines = draw_creases(hand, rng, grid, to_pixels)
        dark += 0.26 * lines
        relief -= 0.45 * lines
        color = base + blood * _BLOOD
    color *= _mottle(grid, rng) * (1.0 - np.minimum(dark, 0.75) * _DARKENING)
    _paint_nails(color, person, view, hand, fields)
    if person.ring is not None and person.ring.side == side:
        relief = relief + _paint_ring(color, person, view, hand, fields)
    return color, relief


def skin_color(person: Person, view: str) -> Floats:
    """Return the mean colour of a person's skin.

    Args:
        person: whose skin.
        view: "dorsal" or "palmar"; palms are lighter, the more so the darker the skin.

    Returns:
        (3,) float32 RGB, 0 to 255.
    """
    table = np.array(_PALMAR_COLORS if view == "palmar" else _DORSAL_COLORS, np.float64)
    color = [np.interp(person.melanin, _MELANIN_STOPS, table[:, c]) for c in range(3)]
    return np.array(color, np.float32) + person.redness * _REDNESS


def _mottle(grid: Grid, rng: np.random.Generator) -> Floats:
    """Return brightness about 1 in blots that stay with the hand."""
    # Here, since trainings import this module for other grounds, and few draw hands: a fifth of a second.
    from scipy.ndimage import map_coordinates

    blots = 1.0 + 0.045 * rng.uniform(-1.0, 1.0, (48, 40))
    places = np.stack([(grid.y + 40.0) / 5.5, (grid.x + 110.0) / 5.5])
    return refine(grid, map_coordinates(blots.astype(np.float32), places, order=1, mode="wrap"))


def _paint_nails(color: Floats, person: Person, view: str, hand: Hand, fields: Fields) -> None:
    """Paint nails in place: whole on the back, only what stands out beyond the fingertips on the palm."""
    soft_mm = 0.5
    shown = np.clip(0.5 - fields.nail_mm / soft_mm, 0.0, 1.0)
    if view == "palmar":
        shown = shown * np.clip(0.5 + fields.distance_mm / soft_mm, 0.0, 1.0)
    rows, columns = np.nonzero(shown)
    if rows.size == 0:
        return
    finger = fields.owner[rows, columns]
    along, across = fields.along_mm[rows, columns], fields.across_mm[rows, columns]
    nails = np.array([digit.nail for digit in hand.digits], np.float32)[finger]
    ends = np.array([digit.length_mm for digit in hand.digits], np.float32)[finger]
    u = (along - nails[:, 0]) / nails[:, 2]
    v = (across - nails[:, 1]) / nails[:, 3]
    if person.polish is None:
        bed = skin_color(person, "palmar") * np.array((1.0, 0.93, 0.93), np.float32)
        lunula = np.exp(-(((u + 0.85) / 0.25) ** 2) - (v / 0.6) ** 2)
        paint = bed + 26.0 * lunula[:, None]
        edge = np.clip((along - ends + 1.6) / 0.8, 0.0, 1.0)[:, None]
        paint = paint * (1.0 - edge) + np.array((240.0, 232.0, 222.0), np.float32) * edge
        gloss = 22.0
    else:
        paint = np.broadcast_to(np.array(person.polish, np.float32), (rows.size, 3))
        gloss = 90.0
    paint = paint + gloss * np.exp(-(((v + 0.3) / 0.18) ** 2) - (u / 0.6) ** 2)[:, None]
    rim = np.exp(-((fields.nail_mm[rows, columns] / 0.6) ** 2))
    paint = paint * (1.0 - 0.22 * rim)[:, None]
    weight = shown[rows, columns][:, None]
    color[:, rows, columns] += ((paint - color[:, rows, columns].T) * weight).T


def _paint_ring(color: Floats, person: Person, view: str, hand: Hand, fields: Fields) -> Floats:
    """Paint the ring in place and return how far it stands out, in millimetres."""
    ring = person.ring
    assert ring is not None
    digit = hand.digits[ring.finger]
    centre = ring.place_fraction * digit.length_mm
    v = fields.across_mm / digit.half_widths_mm[0]
    on = (fields.owner == ring.finger) & (np.abs(v) < 1.06)
    gap = fields.along_mm - centre + 0.012 * fields.across_mm**2
    band = np.clip((0.5 * ring.width_mm - np.abs(gap)) / 0.5 + 0.5, 0.0, 1.0)
    tone = 0.62 + 0.55 * np.exp(-(((v + 0.35) / 0.22) ** 2)) + 0.25 * np.exp(-(((v - 0.5) / 0.2) ** 2))
    if view == "dorsal" and ring.stone_mm > 0.0:
        stone = np.clip(0.5 * ring.stone_mm - np.hypot(fields.along_mm - centre, fields.across_mm) + 0.5, 0.0, 1.0)
        tone = np.where(stone > 0.5, 0.75 + 0.5 * (v + 0.1), tone)
        band = np.maximum(band, stone)
    band = np.where(on, band, 0.0)
    metal = np.minimum(np.array(ring.color, np.float32)[:, None, None] * tone, 255.0)
    color += (metal - color) * band
    return band
