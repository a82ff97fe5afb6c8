"""Which way up a photo is, read from the bytes of its file: Exif in JPEG and PNG, or XMP where Exif does not say.

Core TensorFlow operations only, so that the exported graph turns a photo as training does. The segments of a JPEG and the
chunks of a PNG are followed one by one, wherever the metadata lies; nothing is decoded.
"""

import tensorflow as tf

from handnet.images.traced_once import trace_once

_ORIENTATION_TAG = 0x0112
# A hostile file could hold millions of empty segments.
_MAX_STEPS = 20_000
# So much of a JPEG is looked at in one step, and 2 to the power of so many segments at most are passed in it.
_WINDOW_BYTES, _DOUBLINGS = 1024, 4
# What a code after 0xFF begins in a JPEG: a segment to pass by, metadata, the picture itself or nothing that belongs there; or
# how many bytes are passed: 1 of a fill byte, 2 of a marker that stands alone.
_SKIPPED, _METADATA, _END = 0, -1, -2
_JPEG_KINDS = [_SKIPPED] * 256
_JPEG_KINDS[0xE1], _JPEG_KINDS[0xFF], _JPEG_KINDS[0x01] = _METADATA, 1, 2
_JPEG_KINDS[0xD0:0xD9] = [2] * 9
_JPEG_KINDS[0x00] = _JPEG_KINDS[0xD9] = _JPEG_KINDS[0xDA] = _END
_EXIF, _XMP, _XMP_PNG = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00", b"XML:com.adobe.xmp\x00"
# An XMP packet or a directory of tags is larger in no sane file.
_MAX_METADATA_BYTES = 1_000_000
_XMP_ORIENTATION = r"^\C*?tiff:Orientation(?:=\"|>)([0-9])\C*$"


@trace_once
def read_orientation(contents: tf.Tensor) -> tf.Tensor:
    """Read the orientation of a JPEG or PNG from its bytes.

    Args:
        contents: scalar string tensor, the bytes of the file.

    Returns:
        int32 scalar, 1..8; 1 (upright) where there is none or it is damaged.

    Reference:
        CIPA DC-008 (Exif 2.32), 4.5 and 4.6.4; PNG (third edition), 11.3.4.5 eXIf; Adobe XMP part 3, 1.1.3 and 1.1.5. Where Exif
        and XMP both have the tag, Exif counts, as in Pillow's `ImageOps.exif_transpose`.
    """
    nothing = (tf.constant(b""), tf.constant(b""))
    is_jpeg = tf.equal(tf.strings.substr(contents, 0, 2), b"\xff\xd8")
    is_png = tf.equal(tf.strings.substr(contents, 0, 8), b"\x89PNG\r\n\x1a\n")
    exif, xmp = tf.cond(
        is_jpeg,
        lambda: _find_in_jpeg(contents),
        lambda: tf.cond(is_png, lambda: _find_in_png(contents), lambda: nothing),
    )
    of_exif = tf.cond(tf.strings.length(exif) > 8, lambda: _read_directory(exif), lambda: tf.constant(0))
    of_xmp = tf.cond(tf.strings.length(xmp) > 0, lambda: _read_xmp(xmp), lambda: tf.constant(0))
    value = tf.where(of_exif > 0, of_exif, of_xmp)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _take(contents: tf.Tensor, at: tf.Tensor, count: int) -> tf.Tensor:
    """Return `count` bytes from a place as int32, zeros beyond the end of the file."""
    part = tf.strings.substr(contents, tf.minimum(at, tf.strings.length(contents)), count)
    data = tf.io.decode_raw(tf.strings.join([part, tf.constant(bytes(count))]), tf.uint8)
    return tf.ensure_shape(tf.cast(data, tf.int32)[:count], (count,))


def _cut(contents: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    length = tf.strings.length(contents)
    begin = tf.minimum(begin, length)
    count = tf.clip_by_value(end - begin, 0, tf.minimum(length - begin, _MAX_METADATA_BYTES))
    return tf.strings.substr(contents, begin, count)


def _begins(part: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(part, 0, len(magic)), magic)


def _follow(step: "tf.types.experimental.GenericFunction", begin: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a step (place, exif, xmp) → the same, until the place is negative."""
    state = (tf.constant(begin), tf.constant(b""), tf.constant(b""))
    _, exif, xmp = tf.while_loop(lambda at, *_: at >= 0, step, state, maximum_iterations=_MAX_STEPS)
    return exif, xmp


def _find_in_jpeg(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    def step(at: tf.Tensor, exif: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # Of every place in the window, as if a segment began there: what follows it, and so by doubling what follows 16.
        data = _take(contents, at, _WINDOW_BYTES + 3)
        marker, code, high, low = (data[k : k + _WINDOW_BYTES] for k in range(4))
        kind = tf.where(tf.equal(marker, 0xFF), tf.gather(_JPEG_KINDS, code), _END)
        length = 2 + tf.maximum(high * 256 + low, 2)
        after = tf.range(_WINDOW_BYTES) + tf.where(tf.equal(kind, _SKIPPED), length, kind)
        places = tf.range(_WINDOW_BYTES)
        following = tf.where((kind < 0) | (after >= _WINDOW_BYTES), places, after)
        for _ in range(_DOUBLINGS):
            following = tf.gather(following, following)
        place = following[0]
        found, begin = kind[place], at + place
        part = tf.cond(
            tf.equal(found, _METADATA),
            lambda: _cut(contents, begin + 4, begin + length[place]),
            lambda: tf.constant(b""),
        )
        is_exif = tf.equal(tf.strings.length(exif), 0) & _begins(part, _EXIF)
        exif = tf.where(is_exif, tf.strings.substr(part, tf.minimum(6, tf.strings.length(part)), 65_536), exif)
        xmp = tf.where(_begins(part, _XMP), part, xmp)
        beyond = tf.where(tf.equal(found, _METADATA), begin + length[place], at + after[place])
        return tf.where(tf.equal(found, _END), -1, beyond), exif, xmp

    return _follow(step, 2)


def _find_in_png(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    length = tf.strings.length(contents)

    def step(at: tf.Tensor, exif: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        head = _take(contents, at, 8)
        kind = tf.strings.substr(contents, tf.minimum(at + 4, length), 4)
        size = head[1] * 65_536 + head[2] * 256 + head[3]
        # A chunk of 16 MB or more holds pixels, or is damaged; beyond the file there is nothing to follow.
        is_end = tf.equal(kind, b"IEND") | (at + 8 >= length) | (head[0] > 0)
        wanted = (tf.equal(kind, b"eXIf") | tf.equal(kind, b"iTXt")) & ~is_end
        part = tf.cond(wanted, lambda: _cut(contents, at + 8, at + 8 + size), lambda: tf.constant(b""))
        exif = tf.where(tf.equal(kind, b"eXIf") & wanted, part, exif)
        xmp = tf.where(tf.equal(kind, b"iTXt") & _begins(part, _XMP_PNG), part, xmp)
        return tf.where(is_end, -1, at + 12 + size), exif, xmp

    return _follow(step, 8)


def _read_xmp(xmp: tf.Tensor) -> tf.Tensor:
    digit = tf.strings.regex_replace(xmp, _XMP_ORIENTATION, r"\1")
    found = tf.equal(tf.strings.length(digit), 1)
    return tf.strings.to_number(tf.where(found, digit, b"0"), tf.int32)


def _read_directory(tiff: tf.Tensor) -> tf.Tensor:
    """Return the value of the orientation tag in the first directory of a TIFF header; 0 where it has none."""
    data = tf.cast(tf.io.decode_raw(tiff, tf.uint8), tf.int32)
    size = tf.size(data)
    data = tf.concat([data, tf.zeros((16,), tf.int32)], 0)
    head = tf.strings.substr(tiff, 0, 4)
    little, big = tf.equal(head, b"II*\x00"), tf.equal(head, b"MM\x00*")

    def number(at: tf.Tensor, num_bytes: int) -> tf.Tensor:
        raw = data[at : at + num_bytes]
        weights = tf.constant([256**k for k in reversed(range(num_bytes))], tf.int32)
        return tf.reduce_sum(tf.where(little, tf.reverse(raw, [0]), raw) * weights)

    # Offsets are 32 bits wide; of one that points beyond 16 MB, and so beyond every segment, the highest byte is enough to know.
    first = tf.where(little, data[7], data[4])
    three = tf.where(little, data[4] + 256 * data[5] + 65_536 * data[6], data[7] + 256 * data[6] + 65_536 * data[5])
    begin = tf.where(first > 0, size, tf.minimum(three, size))
    count = tf.clip_by_value(number(begin, 2), 0, (size - tf.minimum(begin + 2, size)) // 12)
    entries = tf.reshape(data[tf.minimum(begin + 2, size) :][: count * 12], (count, 12))
    high, low = tf.where(little, 1, 0), tf.where(little, 0, 1)
    pick = lambda column: tf.gather(entries, column, axis=1)  # noqa: E731
    tags, kinds = pick(high) * 256 + pick(low), pick(2 + high) * 256 + pick(2 + low)
    short = pick(8 + high) * 256 + pick(8 + low)
    # Of a LONG the low half comes last in the big-endian order; its high half must be zero.
    long_low = tf.where(little, short, pick(10) * 256 + pick(11))
    long_high = tf.where(little, pick(10) + pick(11), pick(8) + pick(9))
    long = tf.where(tf.equal(long_high, 0), long_low, 0)
    # SHORT and LONG, signed or not; of other types the tag says nothing.
    is_short, is_long = tf.equal(kinds, 3) | tf.equal(kinds, 8), tf.equal(kinds, 4) | tf.equal(kinds, 9)
    # One value: the count has four bytes.
    one = tf.where(little, pick(4), pick(7)), tf.where(little, pick(5) + pick(6) + pick(7), pick(4) + pick(5) + pick(6))
    is_one = tf.equal(one[0], 1) & tf.equal(one[1], 0)
    values = tf.where(is_one, tf.where(is_short, short, tf.where(is_long, long, 0)), 0)
    found = tf.boolean_mask(values, tf.equal(tags, _ORIENTATION_TAG))
    # A tag without sense still is a tag: XMP is not asked then. 9 stands for that.
    value = tf.where((found < 1) | (found > 8), 9, found)
    return tf.where(little | big, tf.concat([value, [0]], 0)[0], 0)
