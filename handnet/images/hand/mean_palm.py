"""Where a palm's landmarks lie on average: what crops and landmarks are laid by. Without TensorFlow."""

# The wrist and the knuckles of the four fingers.
PALM = (0, 5, 9, 13, 17)
# Where they lie on average, as (y, x) in fractions of the square, the thumb on the left: of 11k Hands' photos, each moved by the
# similarity that brings its palm closest to the others'.
MEAN_PALM = ((0.967, 0.471), (0.610, 0.374), (0.607, 0.472), (0.634, 0.555), (0.682, 0.627))
