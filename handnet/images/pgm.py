"""PGM, the grey pictures of older face data sets, decoded by core TensorFlow operations: TensorFlow has no decoder for them."""

from typing import NamedTuple

import tensorflow as tf

from handnet.data.checks import PGM_HEADER_BYTES

_HASH, _ZERO, _NINE = ord("#"), ord("0"), ord("9")
_MAX_DIGITS = 6


class PgmHeader(NamedTuple):
    """What the header says, int64 scalars.

    Attributes:
        width: pixels; 0 where the header is no valid one.
        height: pixels; 0 where the header is no valid one.
        highest: the value of white.
        offset: bytes before the first pixel.
    """

    width: tf.Tensor
    height: tf.Tensor
    highest: tf.Tensor
    offset: tf.Tensor


def read_pgm_header(contents: tf.Tensor) -> PgmHeader:
    """Read the header of a binary PGM: `handnet.data.checks` does the same outside of a graph.

    Args:
        contents: string scalar, the bytes of a file that begins with P5.

    Reference:
        Netpbm, pgm(5): P5, width, height and highest value between white space, then one white space and the pixels; "#"
        begins a comment up to the end of the line.
    """
    head = tf.strings.substr(contents, 0, PGM_HEADER_BYTES)
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
    at = tf.range(tf.size(data, tf.int64))
    is_newline = (data == 10) | (data == 13)
    is_space = is_newline | (data == 32) | (data == 9) | (data == 11) | (data == 12)

    def latest(mask: tf.Tensor) -> tf.Tensor:
        """Return for each byte the position of the last masked one up to it, or -1."""
        before = (at[None, :] <= at[:, None]) & mask[None, :]
        return tf.reduce_max(tf.where(before, at[None, :], -1), axis=1)

    in_comment = latest(data == _HASH) > latest(is_newline)
    is_digit = (data >= _ZERO) & (data <= _NINE) & ~in_comment & (at >= 2)
    begins = is_digit & ~tf.concat([[False], is_digit[:-1]], 0)
    number = tf.cumsum(tf.cast(begins, tf.int64))
    # The header ends with the first byte after the third number, which must be white space.
    after = (number >= 3) & ~is_digit
    length = tf.reduce_min(tf.where(after, at, PGM_HEADER_BYTES))
    in_header = at < length
    allowed = is_digit | is_space | in_comment | (at < 2)
    follows = tf.gather(tf.concat([is_space & ~in_comment, [False]], 0), tf.minimum(length, tf.size(data, tf.int64)))
    # Right after "P5" and before each comment there must be white space.
    space_before = tf.concat([[False], is_space[:-1]], 0)
    begins_comment = in_comment & ~tf.concat([[False], in_comment[:-1]], 0)
    apart = tf.reduce_any((at == 2) & is_space) & tf.reduce_all(space_before | ~begins_comment | ~in_header)
    valid = follows & apart & tf.reduce_all(allowed | ~in_header)
    values = []
    for k in (1, 2, 3):
        own = is_digit & (number == k) & in_header
        num_digits = tf.reduce_sum(tf.cast(own, tf.int64))
        place = num_digits - tf.cumsum(tf.cast(own, tf.int64))
        tens = tf.cast(tf.round(10.0 ** tf.cast(tf.clip_by_value(place, 0, _MAX_DIGITS), tf.float64)), tf.int64)
        value = tf.reduce_sum(tf.where(own, (data - _ZERO) * tens, 0))
        values.append(value)
        valid &= num_digits <= _MAX_DIGITS
    valid &= (values[2] >= 1) & (values[2] <= 255)
    width, height = (tf.where(valid, value, 0) for value in values[:2])
    return PgmHeader(width, height, values[2], length + 1)


def has_usable_pgm(contents: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Return whether a file that begins with P5 has a valid header and all its pixels, and not more than can be decoded."""
    header = read_pgm_header(contents)
    num_pixels = header.width * header.height
    whole = tf.cast(tf.strings.length(contents), tf.int64) >= header.offset + num_pixels
    return (num_pixels > 0) & (num_pixels <= max_pixels) & whole


def decode_pgm(contents: tf.Tensor) -> tf.Tensor:
    """Decode a binary PGM of 8 bits to uint8 (H, W, 3), grey.

    Args:
        contents: string scalar, the bytes of a file that begins with P5.

    Raises:
        tf.errors.InvalidArgumentError: no valid header, or pixels that are missing.
    """
    header = read_pgm_header(contents)
    valid = tf.debugging.assert_positive(header.width * header.height, "The header of the PGM is no valid one.")
    # In a graph the check is an operation, and must run first.
    with tf.control_dependencies([valid] if valid is not None else []):
        data = tf.io.decode_raw(contents, tf.uint8)
    end = header.offset + header.width * header.height
    grey = tf.reshape(data[header.offset : end], tf.stack([header.height, header.width, 1]))
    scaled = tf.round(tf.cast(grey, tf.float32) * (255.0 / tf.cast(tf.maximum(header.highest, 1), tf.float32)))
    return tf.repeat(tf.cast(tf.minimum(scaled, 255.0), tf.uint8), 3, axis=2)
