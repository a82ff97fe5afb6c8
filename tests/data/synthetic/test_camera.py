"""Light, paper, sleeve and camera."""

from dataclasses import replace

import numpy as np

from handnet.data.synthetic.camera import lay_paper, light_surface, sample_scene, take_photo
from tests.data.synthetic.plain_photo import PLAIN


def test_a_flat_surface_has_the_brightness_1_and_a_slope_towards_the_light_has_more():
    flat = light_surface(np.zeros((20, 20), np.float32), PLAIN, 1.0)
    np.testing.assert_allclose(flat, 1.0, atol=1e-6)
    # Height falls to the right, so the surface faces right.
    slope = np.tile(np.linspace(10.0, 0.0, 20, dtype=np.float32), (20, 1))
    right, left = (replace(PLAIN, light=(u, 0.0, 0.8)) for u in (0.6, -0.6))
    towards, away = (light_surface(slope, scene, 1.0)[5:15, 5:15].mean() for scene in (right, left))
    assert towards > 1.0 > away


def test_the_shadow_falls_where_it_is_put_and_the_arm_casts_it_beyond_the_edge():
    opaque = np.zeros((40, 60), np.float32)
    opaque[:20, 20:30] = 1.0
    scene = replace(PLAIN, shadow=0.5, shadow_mm=(10.0, 0.0, 0.1))
    paper = lay_paper(scene, opaque, scale=1.0)[0] / 250.0
    assert paper[5, 35] < 0.6
    assert paper[5, 22] > 0.9
    assert paper[0, 35] < 0.6, "the arm comes from beyond the upper edge"
    assert paper[35, 35] > 0.9


def test_a_photo_is_exposed_balanced_and_cut_at_white():
    light = np.full((3, 8, 8), 100.0, np.float32)
    scene = replace(PLAIN, exposure=2.0, white_balance=(1.0, 0.5, 9.0))
    photo = take_photo(light, scene, np.random.default_rng(0))
    assert photo.dtype == np.uint8
    assert photo[4, 4].tolist() == [200, 100, 255]


def test_light_comes_from_above_and_scenes_repeat_by_seed():
    scenes = [sample_scene(np.random.default_rng(seed)) for seed in range(50)]
    assert all(scene.light[2] > 0.7 for scene in scenes)
    np.testing.assert_allclose([np.linalg.norm(scene.light) for scene in scenes], 1.0, atol=1e-6)
    assert scenes[7] == sample_scene(np.random.default_rng(7))
    assert len({scene.light for scene in scenes}) == 50
