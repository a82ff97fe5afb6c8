"""The numbers of the mask by landmarks: bones as capsules, and what place and colour count. Without TensorFlow.

What trains the mask's network (benchmarks/mask_network.py, in PyTorch) takes them from here.
"""

# Side of the square around a hand's landmarks in which it is cut out, pixels.
SIZE_PX = 144
# Side of the square around the landmarks, divided by their reach.
ENLARGEMENT = 1.35
# Pairs of landmarks and the radius of the capsule between them, as a fraction of the palm's width, from the knuckle of the
# index finger to that of the little finger.
BONES = (
    *((0, knuckle, 0.26) for knuckle in (5, 9, 13, 17)),
    (5, 17, 0.20),
    (0, 1, 0.27),
    (1, 2, 0.24),
    (1, 5, 0.26),
    (2, 5, 0.16),
    (2, 3, 0.19),
    (3, 4, 0.165),
    *((first, first + 1, 0.165) for first in (5, 9, 13)),
    *((first, first + 1, 0.155) for first in (6, 10, 14)),
    *((first, first + 1, 0.145) for first in (7, 11, 15)),
    *((first, first + 1, radius) for first, radius in ((17, 0.15), (18, 0.135), (19, 0.125))),
)
# Distances from the bone in radii: surely hand, surely not, no hand at all; and where its colours are taken to be fitted.
INSIDE, OUTSIDE, NEVER, CORE = 0.75, 1.5, 1.9, 0.6
# Colours are counted in so many steps of each channel, and say at most so many nats.
COLOR_CELLS, COLOR_LIMIT = 16, 2.5
# A first mask, from place and colour alone. What the place says against what the colour says, in nats for each radius.
PLACE_WEIGHT = 3.0
# Pixels whose colour is stranger to this hand than this, in squared deviations, lose so many nats for each above, up to a limit.
STRANGE, STRANGE_WEIGHT, STRANGE_LIMIT = 20.0, 0.15, 40.0
# Its border is moved to the picture's edges: within this many pixels, where the colours differ by more than the root of this.
EDGE_RADIUS_PX, EDGE_SOFTNESS = 12, 3e-4
