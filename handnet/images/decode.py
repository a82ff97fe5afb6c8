"""THE decode, orientation, crop and resize of a photo: one TensorFlow function for training, evaluation and serving.

Only core TensorFlow operations are used, so that the same function is part of the exported graph.
"""

from dataclasses import replace

import tensorflow as tf

from handnet.config.settings import ImageConfig
from handnet.images.hand.crop import crop_hand
from handnet.images.pgm import decode_pgm

# The photo is decoded at 1/2, 1/4 or 1/8 by the JPEG library where that still leaves this many times the wanted size,
# so that the antialiased resize, not the JPEG library's scaling, decides the pixels.
_OVERSAMPLING = 1.5
# Bytes of the file in which EXIF is looked for: an APP1 segment is at most 64 KiB and comes first.
_EXIF_BYTES = 70_000
_ORIENTATION_TAG = 0x0112


def load_photo(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Turn the bytes of a JPEG, PNG, GIF (first frame), BMP or PGM file into a square picture.

    Args:
        contents: scalar string tensor, the bytes of the file.
        config: size, fit, crop and background.

    Returns:
        uint8 (size_px, size_px, 3), RGB, upright as its EXIF orientation says.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a picture in one of these formats.
    """
    return fit_photo(read_photo(contents, config), config)


def read_photo(contents: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Decode a photo whole and turn it upright, uint8 (H, W, 3), large enough for `fit_photo`; raises as `load_photo`."""
    # Of the middle half, so many pixels are needed as of a photo of twice the size.
    size_px = 2 * config.size_px if config.crop == "middle" else config.size_px
    return orient(decode(contents, size_px), read_orientation(contents))


def fit_photo(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Turn an upright photo into the square that the network sees.

    Args:
        photo: uint8 (H, W, 3).
        config: size, fit, crop and background.

    Returns:
        uint8 (size_px, size_px, 3); a photo of that size is not changed unless it is cropped.
    """
    if config.crop == "middle":
        before = tf.shape(photo)[:2] // 4
        after = tf.shape(photo)[:2] - before
        square = resize(photo[before[0] : after[0], before[1] : after[1]], config)
    elif config.crop == "hand-and-photo":
        square = lay_beside(photo, config)
    else:
        square = resize(photo, config) if config.crop == "none" else crop_to_hand(photo, config)
    return tf.cast(tf.round(tf.clip_by_value(square, 0.0, 255.0)), tf.uint8)


def crop_to_hand(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Cut the hand out of an upright photo (H, W, 3) as `image.crop` says, for "none" as for "hand": float32 (S, S, 3)."""
    mirror = config.crop == "hand-canonical"
    turn = mirror or config.crop == "hand-upright"
    return crop_hand(photo, config.size_px, canonical=turn, mirror=mirror, background=float(config.background))


def lay_beside(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Lay the hand alone and the whole photo into one picture, for `image.crop = "hand-and-photo"`.

    Args:
        photo: upright, (H, W, 3), 0..255.
        config: `size_px`, a multiple of 3, and `background`.

    Returns:
        float32 (S, S, 3), 0..255: the upper left two thirds are the canonical crop of the hand, the lower right third is
        the photo, stretched; the rest is background.
    """
    size, third = config.size_px, config.size_px // 3
    hand = crop_to_hand(photo, replace(config, size_px=size - third, crop="hand-canonical"))
    small = tf.image.resize(tf.cast(photo, tf.float32), (third, third), antialias=True)
    ground = float(config.background)
    upper = tf.pad(hand, [[0, third], [0, third], [0, 0]], constant_values=ground)
    lower = tf.pad(small, [[size - third, 0], [size - third, 0], [0, 0]], constant_values=ground)
    return tf.ensure_shape(upper + lower - ground, (size, size, 3))


def decode(contents: tf.Tensor, size_px: int) -> tf.Tensor:
    """Decode to uint8 (H, W, 3) RGB; a JPEG much larger than `size_px` is decoded at 1/2, 1/4 or 1/8 of its size.

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is dropped; of an animation the first frame is taken.
    """
    is_jpeg = tf.equal(tf.strings.substr(contents, 0, 3), b"\xff\xd8\xff")
    is_pgm = tf.equal(tf.strings.substr(contents, 0, 2), b"P5")

    def decode_scaled() -> tf.Tensor:
        long_side_px = tf.reduce_max(tf.io.extract_jpeg_shape(contents)[:2])
        wanted_px = tf.cast(_OVERSAMPLING * size_px, tf.int32)
        index = tf.cast(long_side_px >= 2 * wanted_px, tf.int32)
        index += tf.cast(long_side_px >= 4 * wanted_px, tf.int32) + tf.cast(long_side_px >= 8 * wanted_px, tf.int32)
        branches = [lambda ratio=ratio: _decode_jpeg(contents, ratio) for ratio in (1, 2, 4, 8)]
        return tf.switch_case(index, branches)

    def decode_other() -> tf.Tensor:
        return tf.io.decode_image(contents, channels=3, expand_animations=False)

    photo = tf.cond(is_jpeg, decode_scaled, lambda: tf.cond(is_pgm, lambda: decode_pgm(contents), decode_other))
    photo.set_shape((None, None, 3))
    return photo


def _decode_jpeg(contents: tf.Tensor, ratio: int) -> tf.Tensor:
    return tf.io.decode_jpeg(contents, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")


def read_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Read the EXIF orientation of a JPEG from its bytes.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        int32 scalar, 1..8; 1 (upright) where there is none or it is damaged.

    Reference:
        CIPA DC-008 (Exif 2.32), 4.5 and 4.6.4: "Exif\\0\\0", a TIFF header, then the entries of IFD 0, 12 bytes each.
    """
    data = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, 0, _EXIF_BYTES), tf.uint8), tf.int32)
    data = tf.concat([data, tf.zeros((64,), tf.int32)], 0)
    size = tf.size(data) - 64
    marker = tf.constant(list(b"Exif\x00\x00"), tf.int32)
    matches = tf.ones((size,), tf.bool)
    for k in range(6):
        matches &= tf.equal(data[k : size + k], marker[k])
    starts = tf.where(matches)[:, 0]
    is_jpeg = tf.equal(tf.strings.substr(contents, 0, 2), b"\xff\xd8")

    def parse() -> tf.Tensor:
        tiff = tf.cast(starts[0], tf.int32) + 6
        little = tf.equal(data[tiff], ord("I"))

        def number(at: tf.Tensor, num_bytes: int) -> tf.Tensor:
            raw = data[at : at + num_bytes]
            raw = tf.where(little, tf.reverse(raw, [0]), raw)
            weights = tf.constant([256**k for k in reversed(range(num_bytes))], tf.int32)
            return tf.reduce_sum(raw * weights)

        # A hostile offset must not index outside of the bytes at hand: everything is clipped to them.
        offset = number(tiff + 6, 2) + 65_536 * number(tiff + 4, 2)
        offset = tf.where(little, number(tiff + 4, 2) + 65_536 * number(tiff + 6, 2), offset)
        ifd = tiff + tf.clip_by_value(offset, 0, size - tiff)
        count = tf.minimum(number(tf.minimum(ifd, size), 2), (size - ifd) // 12)
        count = tf.maximum(count, 0)
        begin = tf.minimum(ifd + 2, size)
        entries = tf.reshape(tf.concat([data[begin:], tf.zeros((12,), tf.int32)], 0)[: count * 12], (count, 12))
        high, low = tf.where(little, 1, 0), tf.where(little, 0, 1)
        tags = tf.gather(entries, high, axis=1) * 256 + tf.gather(entries, low, axis=1)
        values = tf.gather(entries, 8 + high, axis=1) * 256 + tf.gather(entries, 8 + low, axis=1)
        found = tf.boolean_mask(values, tf.equal(tags, _ORIENTATION_TAG))
        value = tf.concat([found, [1]], 0)[0]
        return tf.where((value >= 1) & (value <= 8), value, 1)

    return tf.cond(is_jpeg & (tf.size(starts) > 0), parse, lambda: tf.constant(1))


def orient(photo: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn a decoded photo upright.

    Args:
        photo: (H, W, 3).
        orientation: int32 scalar 1..8 as EXIF defines it.
    """
    transpose = lambda picture: tf.transpose(picture, (1, 0, 2))  # noqa: E731
    branches = [
        lambda: photo,
        lambda: photo[:, ::-1],
        lambda: photo[::-1, ::-1],
        lambda: photo[::-1],
        lambda: transpose(photo),
        lambda: transpose(photo)[:, ::-1],
        lambda: transpose(photo)[::-1, ::-1],
        lambda: transpose(photo)[::-1],
    ]
    upright = tf.switch_case(orientation - 1, branches)
    upright.set_shape((None, None, 3))
    return upright


def resize(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    """Resize to a square with antialiasing.

    Args:
        photo: (H, W, 3), 0..255.
        config: `size_px`, `fit` and `background`.

    Returns:
        float32 (size_px, size_px, 3), 0..255.
    """
    size = config.size_px
    photo = tf.cast(photo, tf.float32)
    shape = tf.shape(photo)
    if config.fit == "stretch":
        square = tf.image.resize(photo, (size, size), antialias=True)
    elif config.fit == "center-crop":
        # As the published baselines do: the short side to 256/224 of the size, then the middle.
        short = tf.cast(tf.reduce_min(shape[:2]), tf.float32)
        scale = round(size * 256 / 224) / short
        square = tf.image.resize(photo, _scaled(shape, scale, size), antialias=True)
        square = tf.image.resize_with_crop_or_pad(square, size, size)
    else:
        scale = size / tf.cast(tf.reduce_max(shape[:2]), tf.float32)
        height_width = tf.minimum(_scaled(shape, scale, 1), size)
        fitted = tf.image.resize(photo, height_width, antialias=True)
        before = (size - height_width) // 2
        after = size - height_width - before
        padding = [[before[0], after[0]], [before[1], after[1]], [0, 0]]
        square = tf.pad(fitted, padding, constant_values=float(config.background))
    return tf.ensure_shape(square, (size, size, 3))


def _scaled(shape: tf.Tensor, scale: tf.Tensor, least: int) -> tf.Tensor:
    scaled = tf.cast(tf.round(tf.cast(shape[:2], tf.float32) * scale), tf.int32)
    return tf.maximum(scaled, least)
