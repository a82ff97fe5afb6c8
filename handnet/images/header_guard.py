"""Decoding a batch of photos inside the graph so that one bad photo never fails its neighbours.

A photo is first checked by its header alone, as `handnet.data.checks` does before training, then decoded within a
tf.data pipeline: the only core operations of TensorFlow that go on after an error.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.checks import BMP_HEADERS, MAX_PIXELS
from handnet.images.decode import fit_photo, is_usable, read_photo

# The blocks of a GIF are followed in memory, about 40 bytes and a microsecond for each byte of the file.
MAX_GIF_BYTES = 5_000_000
_HEADER_BYTES = 64


def _place(at: int, num_bytes: int, *, big_endian: bool = False) -> list[int]:
    """Return what each byte of a header counts in a number that begins at a place."""
    powers = [256**k for k in range(num_bytes)]
    return [0] * at + (powers[::-1] if big_endian else powers) + [0] * (_HEADER_BYTES - at - num_bytes)


# The numbers of headers that are looked at.
_NUMBERS = {
    "gif width": _place(6, 2),
    "gif height": _place(8, 2),
    "png width": _place(16, 4, big_endian=True),
    "png height": _place(20, 4, big_endian=True),
    "bmp pixels": _place(10, 4),
    "bmp header": _place(14, 4),
    "bmp width": _place(18, 4),
    "bmp height": _place(22, 4),
    "bmp bits": _place(28, 2),
    "bmp compression": _place(30, 4),
}
_NUMBER_WEIGHTS = np.array(list(_NUMBERS.values()), np.int64)

# A whole upright photo, uint8 (H, W, 3), to its square, uint8 (S, S, 3), whether it can be used, and what more is known of it.
Fit = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]


def load_photos(
    photos: tf.Tensor, image: ImageConfig, fit: Fit | None = None, more: Sequence[tf.TensorSpec] = ()
) -> tuple[tf.Tensor, ...]:
    """Decode a batch of photos; one that cannot be used gives black pixels and a flag.

    Args:
        photos: string (B,), the bytes of each file.
        image: how photos were decoded in training.
        fit: `fit_and_check` of this image configuration, where a graph function holds it once for several callers.
        more: what `fit` returns after square and flag.

    Returns:
        uint8 (B, S, S, 3) and bool (B,), true where the photo could be decoded and it can be used, `is_usable`;
        then (B, …) of each of `more`, zeros where the photo cannot be decoded.
    """
    size = image.size_px
    fit_whole = fit or (lambda photo: fit_and_check(photo, image))
    spec = (tf.TensorSpec((size, size, 3), tf.uint8), tf.TensorSpec((), tf.bool), *more)

    def load(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The filter runs before the decoder: a bomb is refused while it is still small.
        dataset = tf.data.Dataset.from_tensors(contents).filter(has_usable_header)
        dataset = dataset.map(lambda photo: (read_photo(photo, image), True)).ignore_errors()
        nothing = tf.data.Dataset.from_tensors((tf.zeros((1, 1, 3), tf.uint8), False))
        photo, ok = dataset.concatenate(nothing).take(1).get_single_element()
        # Not within the pipeline, whose functions are optimised otherwise: pixels would differ by a grey level here and there.
        return tf.cond(ok, lambda: fit_whole(photo), lambda: tuple(tf.zeros(part.shape, part.dtype) for part in spec))

    return tf.map_fn(load, photos, fn_output_signature=spec)


def fit_and_check(photo: tf.Tensor, image: ImageConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the square of a whole upright photo, uint8 (S, S, 3), and whether it can be used: `is_usable`."""
    square = fit_photo(photo, image)
    return square, is_usable(photo, square, image)


def has_usable_header(contents: tf.Tensor) -> tf.Tensor:
    """Check a file by its header: JPEG, PNG, GIF or 24-bit BMP, with pixels, and not too many of them.

    The same files pass as pass `handnet.data.checks.find_header_problem`, except GIF files above 5 MB and the formats that need
    Pillow.

    Args:
        contents: string scalar, the bytes of the file.

    Returns:
        bool scalar.

    Raises:
        tf.errors.InvalidArgumentError: a JPEG whose header is damaged.
    """
    head = _read_bytes(tf.strings.substr(contents, 0, _HEADER_BYTES))[:_HEADER_BYTES]
    # All at once: a number by itself would be twenty operations, which every exported model would hold.
    number = dict(zip(_NUMBERS, tf.unstack(tf.reduce_sum(head * _NUMBER_WEIGHTS, axis=1)), strict=True))

    def fits(width: tf.Tensor, height: tf.Tensor) -> tf.Tensor:
        return (width > 0) & (height > 0) & (width <= MAX_PIXELS // tf.maximum(height, 1))

    def jpeg_fits() -> tf.Tensor:
        shape = tf.cast(tf.io.extract_jpeg_shape(contents), tf.int64)
        return fits(shape[1], shape[0])

    def gif_fits() -> tf.Tensor:
        small = tf.strings.length(contents) <= MAX_GIF_BYTES
        # TensorFlow decodes every frame to give the first.
        frames = tf.cond(small, lambda: count_gif_pixels(contents), lambda: tf.constant(MAX_PIXELS + 1, tf.int64))
        return fits(number["gif width"], number["gif height"]) & (frames <= MAX_PIXELS)

    def is_signed(*magics: bytes) -> tf.Tensor:
        return tf.reduce_any([tf.equal(tf.strings.substr(contents, 0, len(magic)), magic) for magic in magics])

    no = tf.zeros((), tf.bool)
    jpeg = tf.cond(is_signed(b"\xff\xd8\xff"), jpeg_fits, lambda: no)
    gif = tf.cond(is_signed(b"GIF87a", b"GIF89a"), gif_fits, lambda: no)
    png = is_signed(b"\x89PNG\r\n\x1a\n") & fits(number["png width"], number["png height"])
    # A negative height, rows from the top down, reads as a huge number here: its size is the two's complement.
    width, height = number["bmp width"], tf.minimum(number["bmp height"], 2**32 - number["bmp height"])
    known = tf.reduce_any([tf.equal(number["bmp header"], size) for size in BMP_HEADERS]) & tf.equal(
        number["bmp compression"], 0
    )
    num_bytes = (3 * width + 3) // 4 * 4 * height
    whole = tf.equal(tf.cast(tf.strings.length(contents), tf.int64) - number["bmp pixels"], num_bytes)
    bmp = is_signed(b"BM") & known & whole & tf.equal(number["bmp bits"], 24) & fits(width, height)
    return jpeg | gif | png | bmp


def count_gif_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Count the pixels of all frames of a GIF by following its blocks, nothing decoded.

    Each position of the file points to where the block that would begin there ends. Following all pointers at once and
    doubling their reach takes log2(bytes) steps, no matter what the file says: a hostile one cannot make it slow.

    Args:
        contents: string scalar, the bytes of a GIF file.

    Returns:
        int64 scalar.

    Reference:
        CompuServe, GIF89a specification, 1990, sections 15 (data sub-blocks) and 20 (image descriptor); pointer jumping as
        in Wyllie, The Complexity of Parallel Computations, 1979.
    """
    size = tf.strings.length(contents)
    data = tf.cast(_read_bytes(contents), tf.int32)
    at = tf.range(size + 1)
    steps = tf.cast(tf.math.ceil(tf.math.log(tf.cast(size, tf.float32) + 2.0) / math.log(2.0)), tf.int32) + 1

    def look(offset: int) -> tf.Tensor:
        return data[offset : offset + size + 1]

    def palette(flags: tf.Tensor) -> tf.Tensor:
        entries = tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
        return tf.where(flags >= 128, 3 * entries, 0)

    # Sub-blocks: a length and that many bytes; length 0 ends the chain.
    ends = tf.where(look(0) == 0, at, tf.minimum(at + 1 + look(0), size))
    (_, ends) = tf.while_loop(lambda k, _: k < steps, lambda k, jump: (k + 1, tf.gather(jump, jump)), (0, ends))

    def end_of_chain(start: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.gather(ends, tf.minimum(start, size)) + 1, size)

    is_frame, is_extension = look(0) == 0x2C, look(0) == 0x21
    after = tf.where(is_frame, end_of_chain(at + 11 + palette(look(9))), end_of_chain(at + 2))
    after = tf.where(is_frame | is_extension, after, at)
    width, height = look(5) + 256 * look(6), look(7) + 256 * look(8)
    pixels = tf.where(is_frame, tf.cast(width, tf.int64) * tf.cast(height, tf.int64), 0)

    def double(k: tf.Tensor, jump: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return k + 1, tf.gather(jump, jump), sums + tf.gather(sums, jump)

    # A block that is none points to itself and has no pixels, so it adds nothing however often it is added.
    (_, _, sums) = tf.while_loop(lambda k, *_: k < steps, double, (0, after, pixels))
    return tf.gather(sums, tf.minimum(13 + palette(data[10]), size))


def _read_bytes(contents: tf.Tensor) -> tf.Tensor:
    """Return the bytes as int64 (n + 64,), zeros after the end, so that a short file reads as one without pixels."""
    data = tf.cast(tf.io.decode_raw(contents, tf.uint8), tf.int64)
    return tf.concat([data, tf.zeros((_HEADER_BYTES,), tf.int64)], 0)
