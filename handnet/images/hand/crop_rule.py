"""How a crop of a hand is laid by its pose. Without TensorFlow: benchmarks that draw crops with NumPy take it from here."""

# The square root of the hand's area, as a fraction of the crop: a spread hand of 11k Hands then still fits.
HAND_SIZE_FRACTION = 0.56
# The wrist is cut this many palm radii below the palm's centre: below the heel of every hand seen, above a watch.
WRIST_CUT_RADII = 1.35
