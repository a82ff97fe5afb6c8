"""The map of templates."""

import numpy as np

from handnet.evaluation.report.embedding_map import draw_map
from tests.metrics.test_protocols import draw_hands


def test_the_map_joins_the_views_of_each_person():
    part = draw_hands(num_people=30, noise=0.05)
    drawn = draw_map(part, max_people=20)
    assert len(drawn.people) == len(drawn.found) == 20
    assert drawn.found.all()
    near = np.linalg.norm(drawn.dorsal - drawn.palmar, axis=1)
    far = np.linalg.norm(drawn.dorsal - np.roll(drawn.palmar, 1, axis=0), axis=1)
    assert np.median(near) < np.median(far) / 3
    two = draw_map(draw_hands(num_people=2))
    assert two.dorsal.shape == (2, 2)
