"""Morphology of small masks by core TensorFlow operations: grown, shrunk, filled, and where they are deepest.

The time of a mask is the number of operations, 1 to 10 µs each on one core, not the arithmetic. So whole runs of pixels are
joined instead of single pixels, and a mask is worn off by many pixels at once.
"""

from typing import NamedTuple

import tensorflow as tf

from handnet.images.traced_once import trace_once

WORKING_SIZE_PX = 160
# Layers that are taken off a mask at once, as often as something is left; then half as many, and so on.
_MOST_LAYERS = 16
# So many at once where a mask is known to have them, an even number; a palm has 20 to 35.
_MOST_KNOWN_LAYERS = 32
# A mask without any outside has no depth; it counts as this deep.
_NO_OUTSIDE_DEPTH = 2 * WORKING_SIZE_PX + 1


def dilate(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    """Grow masks (B, H, W, 1), 0 or more, by `steps` pixels in each of eight directions."""
    if not steps:
        return mask
    # Columns lie in the place of channels, over which pooling is fast, no matter how large its window.
    rows = tf.transpose(mask, (0, 1, 3, 2))
    for _ in range(2):
        rows = tf.nn.max_pool2d(rows, (2 * steps + 1, 1), 1, "SAME")
        rows = tf.transpose(rows, (0, 3, 2, 1))
    return tf.transpose(rows, (0, 1, 3, 2))


def erode(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    """Shrink masks (B, H, W, 1) by `steps` pixels in each of eight directions; the picture's border is no outside."""
    inside = _read(mask)
    # What is worn off over the sides of a row comes to lie in these columns.
    padded = tf.pad(inside, [[0, 0], [0, 0], [0, steps]], constant_values=True)
    width = tf.shape(padded)[2]
    reach = steps * (1 + width)
    left = tf.pad(tf.reshape(padded, (tf.shape(padded)[0], -1)), [[0, 0], [reach, reach]], constant_values=True)
    for step in (1, width):
        left = _hold_line(left, tf.stack([0, step]), 2 * steps + 1)
    return _write(tf.reshape(left, tf.shape(padded))[:, :, : tf.shape(inside)[2]], mask)


def close(mask: tf.Tensor, steps: int = 1) -> tf.Tensor:
    """Fill narrow gaps of bool masks (B, H, W, 1): grown by `steps` pixels in each of eight directions and shrunk again."""
    return erode(~erode(~mask, steps), steps)


def _read(mask: tf.Tensor) -> tf.Tensor:
    """Return masks (B, H, W, 1), bool or of 0 and 1, as bool (B, H, W)."""
    return mask[..., 0] if mask.dtype == tf.bool else mask[..., 0] > 0.5


def _write(found: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Return bool (B, H, W) in the shape and type of masks (B, H, W, 1)."""
    return tf.cast(found[..., tf.newaxis], like.dtype)


def _hold_line(left: tf.Tensor, step: tf.Tensor, length: int) -> tf.Tensor:
    """Return where masks hold a line of pixels, found by doubling its length.

    Args:
        left: bool (B, N).
        step: int32 (2,), zero and from one pixel of the line to the next.
        length: pixels in the line.

    Returns:
        bool (B, N - (length - 1) * step), by the line's first pixel.
    """
    known, offset = 1, step
    origin, each = tf.constant([0, 0]), tf.constant([1, 1])
    while known < length:
        if known > 1:
            offset = offset + offset if known <= length - known else (length - known) * step
        left = tf.strided_slice(left, origin, -offset, each, end_mask=1) & tf.strided_slice(
            left, offset, origin, each, end_mask=3
        )
        known += min(known, length - known)
    return left


def smooth(mask: tf.Tensor) -> tf.Tensor:
    """Blur masks (B, H, W, 1) with the binomial kernel of 3 × 3."""
    kernel = tf.reshape(tf.constant([1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]) / 16.0, (3, 3, 1, 1))
    return tf.nn.conv2d(mask, kernel, 1, "SAME")


def soften(mask: tf.Tensor) -> tf.Tensor:
    """Blur masks (B, H, W, 1) of 0 and 1 as `smooth` does, to the bit, and quicker: by sums of neighbours, which are exact."""
    for axis in (1, 2):
        spaces = [[0, 0]] * 4
        spaces[axis] = [1, 1]
        padded = tf.pad(mask, spaces)
        before, after = (padded[:, :-2], padded[:, 2:]) if axis == 1 else (padded[:, :, :-2], padded[:, :, 2:])
        mask = before + after + 2.0 * mask
    return mask / 16.0


def grow(seed: tf.Tensor, within: tf.Tensor) -> tf.Tensor:
    """Spread the seed to everything that it is connected with inside the mask; both (B, H, W, 1), bool or of 0 and 1."""
    # An empty column and row keep the rows and the pictures apart; the row comes first, since runs meet behind an empty place.
    spaces = [[0, 0], [1, 0], [0, 1]]
    inside = tf.pad(_read(within), spaces)
    seeds = tf.pad(_read(seed), spaces) & inside
    runs = _find_runs(inside)
    starts = tf.where(_begins(tf.reshape(seeds, (-1,))))[:, 0]
    num_runs = tf.size(runs.begin)
    touched = tf.math.unsorted_segment_max(tf.ones_like(starts), tf.gather(runs.label, runs.find(starts)), num_runs) > 0
    kept = _paint(inside, runs, ~tf.gather(touched, runs.label), value=False)
    return _write(kept[:, 1:, :-1], within)


def fill_holes(mask: tf.Tensor) -> tf.Tensor:
    """Fill what the border cannot reach from outside, in masks (B, H, W, 1), bool or of 0 and 1."""
    # A frame around each picture; the column to the right of a row is that to the left of the next one.
    outside = tf.pad(~_read(mask), [[0, 0], [1, 1], [0, 1]], constant_values=True)
    runs = _find_runs(outside)
    left = _paint(outside, runs, tf.not_equal(runs.label, runs.label[0]), value=False)
    return _write(~left[:, 1:-1, :-1], mask)


class _Runs(NamedTuple):
    """Runs of pixels along the rows of masks that were laid one behind the other, and what is connected.

    Attributes:
        begin: (R,) int64, place of the first pixel, in ascending order.
        end: (R,) int64, place behind the last pixel.
        label: (R,) int32, the number of the first run that this one is connected with.
    """

    begin: tf.Tensor
    end: tf.Tensor
    label: tf.Tensor

    def find(self, places: tf.Tensor) -> tf.Tensor:
        """Return the numbers of the runs that hold places (N,)."""
        return _find_runs_at(self.begin, places)


def _begins(flat: tf.Tensor) -> tf.Tensor:
    return flat & ~tf.pad(flat, [[1, 0]])[:-1]


def _find_runs_at(begin: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.UpperBound(sorted_inputs=begin[tf.newaxis], values=places[tf.newaxis])[0] - 1


def _find_runs(masks: tf.Tensor) -> _Runs:
    """Return the runs of bool masks (B, H, W), connected in eight directions; behind each row one goes on with the next.

    The first pixels of the first two rows are not to be a part of the mask, unless they are of one run.
    """
    width = tf.shape(masks, tf.int64)[2]
    flat = tf.pad(tf.reshape(masks, (-1,)), [[1, 1]])
    masked, after = flat[1:-1], flat[2:]
    # Runs begin and end in turns.
    begin, end = tf.unstack(tf.reshape(tf.where(tf.not_equal(flat[1:], flat[:-1])), (-1, 2)), axis=1)
    # Of each 2 × 2 pixels: a run above meets one below for the first time.
    pair = masked | after
    place = tf.where(pair[:-width] & pair[width:] & ~(masked[:-width] & masked[width:]))[:, 0]
    above = place + tf.cast(tf.gather(after, place), tf.int64)
    below = place + width
    below += tf.cast(tf.gather(after, below), tf.int64)
    runs = _find_runs_at(begin, tf.concat([above, below], 0))
    return _Runs(begin, end, _join(tf.size(begin), *tf.split(runs, 2)))


def _join(count: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the smallest number that each of `count` numbers is connected with by pairs (E,) and (E,): (count,) int32.

    Reference: Zhang, Azad, Hu 2020, "FastSV: a distributed-memory connected component algorithm with fast convergence"; each
        number points to a smaller one, pointers are followed by doubling.
    """

    def differs(_: tf.Tensor, of_first: tf.Tensor, of_second: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(tf.not_equal(of_first, of_second))

    def join(label: tf.Tensor, of_first: tf.Tensor, of_second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        lower = tf.minimum(of_first, of_second)
        hooked = tf.math.unsorted_segment_min(tf.concat([lower, lower], 0), tf.concat([of_first, of_second], 0), count)
        label = tf.minimum(label, hooked)
        for _ in range(2):
            label = tf.gather(label, label)
        return label, tf.gather(label, first), tf.gather(label, second)

    # Two numbers of one pair that have the same label have it in the whole of what is connected.
    return tf.while_loop(differs, join, (tf.range(count), first, second))[0]


def _paint(masks: tf.Tensor, runs: _Runs, chosen: tf.Tensor, *, value: bool) -> tf.Tensor:
    """Give the pixels of the chosen runs (R,) another value in bool masks (B, H, W)."""
    which = tf.where(chosen)[:, 0]
    begin, end = tf.gather(runs.begin, which), tf.gather(runs.end, which)
    places = tf.raw_ops.RaggedRange(starts=begin, limits=end, deltas=tf.constant(1, tf.int64)).rt_dense_values
    flat = tf.tensor_scatter_nd_update(
        tf.reshape(masks, (-1,)), places[:, tf.newaxis], tf.fill(tf.shape(places), value)
    )
    return tf.reshape(flat, tf.shape(masks))


def find_deepest(mask: tf.Tensor, at_least: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where masks are deepest: the distance to the outside is octagonal, and the picture's border is no outside.

    Args:
        mask: (B, H, W, 1), bool or of 0 and 1.
        at_least: (B,) float32, a depth that each mask is known to have or exceed by little: it is quicker then.

    Returns:
        The largest depth of each in pixels, (B,) float32, that of the outermost pixels being 1 and that of an empty mask 0;
        and the pixels that are so deep, (B, H, W) bool.
    """
    return _find_deepest(_read(mask), at_least)


@trace_once
def _find_deepest(masked: tf.Tensor, at_least: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    # Whatever is worn off over the sides of a row comes to lie in these columns.
    space = _MOST_LAYERS if at_least is None else _MOST_KNOWN_LAYERS
    shape = tf.shape(masked)
    inside = tf.pad(masked, [[0, 0], [0, 0], [0, space]], constant_values=True)
    width = shape[2] + space
    beside = tf.reshape(tf.pad(tf.zeros(shape[1:3], tf.bool), [[0, 0], [0, space]], constant_values=True), (1, -1))
    flat = tf.reshape(inside, (shape[0], -1))
    is_empty = ~tf.reduce_any(masked, [1, 2])
    lines = _lay_lines(width)

    def try_layers(left: tf.Tensor, layers: int) -> tuple[tf.Tensor, tf.Tensor]:
        fewer = _wear_off(left, layers, width, lines) | beside
        is_left = tf.reduce_any(fewer & ~beside, 1)
        return fewer | (left & ~is_left[:, tf.newaxis]), is_left

    def wear_off_often(left: tf.Tensor, depth: tf.Tensor, layers: int) -> tuple[tf.Tensor, tf.Tensor]:
        def wear_off(left: tf.Tensor, depth: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            left, is_left = try_layers(left, layers)
            depth += tf.cast(is_left, tf.int32) * layers
            left.set_shape(flat.shape)
            depth.set_shape(flat.shape[:1])
            return left, depth, tf.reduce_any(is_left & (depth < _NO_OUTSIDE_DEPTH))

        return tf.while_loop(lambda *now: now[2], wear_off, (left, depth, tf.constant(True)))[:2]

    depth = tf.ones(shape[:1], tf.int32)
    if at_least is None:
        left, depth = wear_off_often(flat, depth, _MOST_LAYERS)
        layers = _MOST_LAYERS // 2
    else:
        half = tf.clip_by_value((tf.cast(tf.reduce_min(at_least), tf.int32) - 1) // 2, 0, _MOST_KNOWN_LAYERS // 2)
        left = _wear_off_known(flat, half, width, lines) | beside
        left, depth = wear_off_often(left, depth + 2 * half, 2)
        layers = 1
    while layers:
        left, is_left = try_layers(left, layers)
        depth += tf.cast(is_left, tf.int32) * layers
        layers //= 2
    depth = tf.where(is_empty, 0, tf.minimum(depth, _NO_OUTSIDE_DEPTH))
    deepest = tf.reshape(left, tf.shape(inside))[:, :, : shape[2]]
    return tf.cast(depth, tf.float32), deepest | is_empty[:, tf.newaxis, tf.newaxis]


class _Line(NamedTuple):
    """A line of pixels, in rows that lie one behind the other.

    Attributes:
        step: (2,) int32, zero and from pixel to pixel.
        share: pixels of the layers' half that the line takes.
    """

    step: tf.Tensor
    share: int


def _lay_lines(width: tf.Tensor) -> list[_Line]:
    """Return the lines that make an octagon: along the rows, the columns and both diagonals."""
    return [_Line(tf.stack([0, step]), share) for step, share in ((1, 2), (width, 2), (width + 1, 1), (width - 1, 1))]


def _wear_off(flat: tf.Tensor, layers: int, width: tf.Tensor, lines: list[_Line]) -> tf.Tensor:
    """Take layers of pixels off masks, by a cross and a square in turns.

    As many crosses and squares make an octagon: a square and two diagonals, each of half as many pixels to either side. What
    is left of a mask of which a line of pixels is taken off is what holds such a line, found by doubling its length.

    Args:
        flat: (B, N) bool, rows one behind the other; beyond the first and last one there is no outside.
        layers: 1 or an even number.
        width: of a row.
        lines: for this width.
    """
    if layers == 1:
        padded = tf.pad(flat, [[0, 0], [width, width]], constant_values=True)
        middle = padded[:, width:-width]
        across = padded[:, width - 1 : -width - 1] & padded[:, width + 1 : 1 - width]
        return middle & across & padded[:, : -2 * width] & padded[:, 2 * width :]
    half = layers // 2
    reach = half * (1 + 2 * width)
    left = tf.pad(flat, [[0, 0], [reach, reach]], constant_values=True)
    for line in lines:
        left = _hold_line(left, line.step, half * line.share + 1)
    return left


def _wear_off_known(flat: tf.Tensor, half: tf.Tensor, width: tf.Tensor, lines: list[_Line]) -> tf.Tensor:
    """Take 2 × `half` layers of pixels off masks, as `_wear_off` does; how many is not known when the graph is made.

    Args:
        flat: (B, N) bool.
        half: int32 scalar, 0 to 16.
        width: of a row.
        lines: for this width.
    """
    reach = half * (1 + 2 * width)
    left = tf.pad(flat, [[0, 0], [reach, reach]], constant_values=True)
    size = tf.shape(flat)[1] + 2 * reach
    origin, each = tf.constant([0, 0]), tf.constant([1, 1])
    for line in lines:
        # The length of a line as it is doubled until it is long enough; then it stays so.
        longest = _MOST_KNOWN_LAYERS // 2 * line.share + 1
        known = tf.minimum([1 << k for k in range((longest - 1).bit_length() + 1)], half * line.share + 1)
        begins = tf.unstack((known[1:] - known[:-1])[:, tf.newaxis] * line.step)
        sizes = tf.unstack(size + (1 - known[1:, tf.newaxis]) * line.step)
        for begin, end in zip(begins, sizes, strict=True):
            left = tf.strided_slice(left, origin, end, each, begin_mask=1, end_mask=1) & tf.strided_slice(
                left, begin, origin, each, end_mask=3
            )
        size = sizes[-1][1]
    return left
