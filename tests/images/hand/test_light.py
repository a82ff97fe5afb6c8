"""The light taken out of a hand: what a lamp does to it is undone, what is on it stays."""

import numpy as np

from handnet.images.hand.light import DARK, MEAN_LOG, even_light

SIZE_PX = 48


def draw_skin():
    """Return skin with a crease and a spot, (S, S, 3), and where the hand is, (S, S, 1)."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    skin = np.full((SIZE_PX, SIZE_PX, 3), (170.0, 120.0, 100.0), np.float32)
    skin[20:22, 10:30] *= 0.7
    skin[(y - 30) ** 2 + (x - 20) ** 2 < 12] *= 0.8
    return skin, ((y - 24) ** 2 / 300 + (x - 22) ** 2 / 180 < 1).astype(np.float32)[..., np.newaxis]


def test_a_lamp_of_any_strength_colour_and_side_gives_the_same_hand():
    skin, kept = draw_skin()
    expected = even_light(skin, kept).numpy()
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX - 0.5
    for stops, warmth, down, right in ((-1.0, 0.1, 0.4, 0.0), (0.3, -0.15, -0.2, 0.3)):
        gain = np.exp(0.3 * stops + warmth * np.array([1, 0, -1]) + (down * y + right * x)[..., np.newaxis])
        seen = even_light(((skin + DARK) * gain - DARK).astype(np.float32), kept).numpy()
        np.testing.assert_allclose(seen[kept[..., 0] > 0], expected[kept[..., 0] > 0], atol=1.0)
    inside = expected[kept[..., 0] > 0]
    np.testing.assert_allclose(np.log(inside + DARK).mean(axis=0), MEAN_LOG, atol=1e-3)
    # The crease is still darker than the skin next to it by what it was.
    np.testing.assert_allclose(
        (expected[20, 20] + DARK) / (expected[24, 20] + DARK), (0.7 * 170 + DARK) / 174, atol=0.05
    )


def test_without_a_hand_nothing_changes():
    skin, kept = draw_skin()
    np.testing.assert_array_equal(even_light(skin, 0.0 * kept), skin)
