"""Pictures of hands that are drawn for these tests."""

import numpy as np
from PIL import Image


def draw_hand(angle_deg: float = 0.0, scale: float = 1.0, shift_px: tuple[int, int] = (0, 0), size: int = 128):
    """Draw a palm with four fingers and a thumb on white, and turn, scale and shift it; float32 (S, S, 3)."""
    big = 4 * size
    canvas = np.full((big, big, 3), 255, np.uint8)
    y, x = np.mgrid[:big, :big] / big
    hand = ((y - 0.62) / 0.15) ** 2 + ((x - 0.5) / 0.13) ** 2 < 1
    for middle, top in ((0.40, 0.30), (0.47, 0.22), (0.54, 0.26), (0.61, 0.36)):
        hand |= (np.abs(x - middle) < 0.028) & (y > top) & (y < 0.6)
    hand |= (np.abs((x - 0.30) + 0.6 * (y - 0.55)) < 0.035) & (y > 0.45) & (y < 0.66)
    canvas[hand] = (205, 150, 120)
    picture = Image.fromarray(canvas)
    turned = picture.rotate(angle_deg, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    side = round(big / scale)
    before = (big - side) // 2
    box = (before - 4 * shift_px[1], before - 4 * shift_px[0])
    cropped = Image.new("RGB", (side, side), (255, 255, 255))
    cropped.paste(turned, (-box[0], -box[1]))
    return np.asarray(cropped.resize((size, size), Image.Resampling.LANCZOS), np.float32)
