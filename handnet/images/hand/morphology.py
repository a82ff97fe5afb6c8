"""Morphology of small masks by core TensorFlow operations: grown, shrunk, filled, and how deep each pixel lies.

The time of a mask is the number of operations, about 8 µs each on one core, not the arithmetic. So each function works on
the part of the picture that holds the mask, and what can be decided for whole blocks of pixels is decided for blocks first.
"""

from typing import NamedTuple

import tensorflow as tf

WORKING_SIZE_PX = 160
# Connected blocks of this side are found before single pixels.
_BLOCK_PX = 4
# A mask is peeled this often, two pixels at a time, before what is left of it is cut out: no finger is left then.
_FIRST_PEELS = 4


class _Part(NamedTuple):
    """A rectangle of a picture that holds all of a mask.

    Attributes:
        picture: (B, h, w, 1), the part of the mask.
        begin: (2,) where it begins, (y, x).
        after: (2,) rows and columns of the picture beyond its end.
    """

    picture: tf.Tensor
    begin: tf.Tensor
    after: tf.Tensor

    def cut(self, picture: tf.Tensor) -> tf.Tensor:
        """Return the same rectangle of another picture."""
        end = tf.shape(picture)[1:3] - self.after
        return picture[:, self.begin[0] : end[0], self.begin[1] : end[1]]

    def put_back(self, picture: tf.Tensor) -> tf.Tensor:
        """Return a picture of the whole's size, zero outside of the rectangle."""
        return tf.pad(picture, [[0, 0], *tf.unstack(tf.stack([self.begin, self.after], -1)), [0, 0]])


def _cut_out(mask: tf.Tensor, margin_px: int = 0) -> _Part:
    """Return the part of masks (B, H, W, 1) that holds every pixel above 0, with a margin where the picture has one."""
    filled, size = mask > 0.0, tf.shape(mask)[1:3]

    def find_ends(lines: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Of no line at all both are 0: the whole picture is taken.
        return tf.argmax(lines, output_type=tf.int32), tf.argmax(tf.reverse(lines, [0]), output_type=tf.int32)

    (top, bottom), (left, right) = (
        find_ends(tf.cast(tf.reduce_any(filled, [0, axis, 3]), tf.int32)) for axis in (2, 1)
    )
    begin = tf.maximum(tf.stack([top, left]) - margin_px, 0)
    after = tf.maximum(tf.stack([bottom, right]) - margin_px, 0)
    end = size - after
    return _Part(mask[:, begin[0] : end[0], begin[1] : end[1]], begin, after)


def _dilate_along(mask: tf.Tensor, axis: int) -> tf.Tensor:
    """Return the maximum of each pixel and its two neighbours: slices are many times faster here than pooling."""
    if axis == 1:
        padded = tf.pad(mask, [[0, 0], [1, 1], [0, 0], [0, 0]])
        return tf.maximum(mask, tf.maximum(padded[:, :-2], padded[:, 2:]))
    padded = tf.pad(mask, [[0, 0], [0, 0], [1, 1], [0, 0]])
    return tf.maximum(mask, tf.maximum(padded[:, :, :-2], padded[:, :, 2:]))


def _dilate_once(mask: tf.Tensor) -> tf.Tensor:
    return _dilate_along(_dilate_along(mask, 1), 2)


def dilate(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    """Grow masks (B, H, W, 1), 0 or more, by `steps` pixels in each of eight directions."""
    if steps < 2:
        return _dilate_once(mask) if steps else mask
    # Columns lie in the place of channels, over which pooling is fast, no matter how large its window.
    rows = tf.transpose(mask, (0, 1, 3, 2))
    for _ in range(2):
        rows = tf.nn.max_pool2d(rows, (2 * steps + 1, 1), 1, "SAME")
        rows = tf.transpose(rows, (0, 3, 2, 1))
    return tf.transpose(rows, (0, 1, 3, 2))


def erode(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    """Shrink masks (B, H, W, 1), 0..1, by `steps` pixels in each of eight directions."""
    return 1.0 - dilate(1.0 - mask, steps)


def smooth(mask: tf.Tensor) -> tf.Tensor:
    """Blur masks (B, H, W, 1) with the binomial kernel of 3 × 3."""
    kernel = tf.reshape(tf.constant([1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]) / 16.0, (3, 3, 1, 1))
    return tf.nn.conv2d(mask, kernel, 1, "SAME")


def grow(seed: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
    """Spread the seed to everything that it is connected with inside the mask; both (B, H, W, 1) of 0 and 1."""
    part = _cut_out(within)
    seed = part.cut(seed) * part.picture
    seed = tf.maximum(seed, _grow_blocks(seed, part.picture))
    return part.put_back(_spread(seed, part.picture))


def _grow_blocks(seed: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
    """Return what the seed reaches over blocks that the mask fills: a part of what it reaches over single pixels."""
    shape = tf.shape(within)
    height, width = -(-shape[1] // _BLOCK_PX), -(-shape[2] // _BLOCK_PX)
    missing = [[0, 0], [0, height * _BLOCK_PX - shape[1]], [0, width * _BLOCK_PX - shape[2]], [0, 0]]
    both = 1.0 - tf.pad(tf.concat([within, 1.0 - seed], 0), missing)
    rows = tf.transpose(both, (0, 1, 3, 2))
    for _ in range(2):
        rows = tf.nn.max_pool2d(rows, (_BLOCK_PX, 1), (_BLOCK_PX, 1), "VALID")
        rows = tf.transpose(rows, (0, 3, 2, 1))
    empty, touched = tf.split(tf.transpose(rows, (0, 1, 3, 2)), 2)
    solid = 1.0 - empty
    reached = _spread(touched * solid, solid)
    blocks = tf.broadcast_to(
        tf.reshape(reached, (-1, height, 1, width, 1)), [shape[0], height, _BLOCK_PX, width, _BLOCK_PX]
    )
    whole = tf.reshape(blocks, [shape[0], height * _BLOCK_PX, width * _BLOCK_PX, 1])
    return whole[:, : shape[1], : shape[2]]


def _spread(seed: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
    """Spread the seed pixel by pixel until nothing changes."""

    def changed(_: tf.Tensor, before: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(now > before)

    def spread(step: tf.Tensor, _: tf.Tensor, now: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        grown = now
        for _ in range(2):
            grown = _dilate_once(grown) * within
        return step + 1, now, grown

    # The longest path is a maze's.
    state = (tf.constant(0), tf.zeros_like(seed) - 1.0, seed)
    return tf.while_loop(changed, spread, state, maximum_iterations=WORKING_SIZE_PX**2)[2]


def fill_holes(mask: tf.Tensor) -> tf.Tensor:
    """Fill what the border cannot reach from outside, in masks (B, H, W, 1) of 0 and 1."""
    part = _cut_out(mask)
    outside = tf.pad(1.0 - part.picture, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    frame = tf.pad(tf.zeros_like(part.picture), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    seed = tf.maximum(frame, _grow_blocks(frame, outside))
    return part.put_back(1.0 - _spread(seed, outside)[:, 1:-1, 1:-1])


def measure_depth(mask: tf.Tensor) -> tf.Tensor:
    """Return each pixel's distance to the outside in pixels (octagonal); the picture's border is no outside.

    Args:
        mask: (B, H, W, 1) of 0 and 1.
    """
    part = _cut_out(mask, margin_px=1)
    left, depth = _peel_off(part.picture, part.picture, _FIRST_PEELS)
    core = _cut_out(left, margin_px=1)
    _, deeper = _peel_off(core.picture, tf.zeros_like(core.picture), WORKING_SIZE_PX - _FIRST_PEELS)
    return part.put_back(depth + core.put_back(deeper))


def _peel_off(mask: tf.Tensor, depth: tf.Tensor, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Peel until nothing is left, or so often at most; return what is left and the depth so far."""

    def is_left(now: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(now > 0.0)

    return tf.while_loop(is_left, _peel, (mask, depth), maximum_iterations=most)


def _peel(now: tf.Tensor, depth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Take two layers of pixels off, by a cross and by a square, and count them."""
    outside = 1.0 - now
    cross = tf.maximum(_dilate_along(outside, 1), _dilate_along(outside, 2))
    square = 1.0 - _dilate_once(cross)
    return square, depth + (1.0 - cross) + square
