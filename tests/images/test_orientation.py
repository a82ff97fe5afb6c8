"""The orientation of a photo, against Pillow's reading of the same file."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handnet.images import orientation as photo_orientation
from tests.photos import picture, write_jpeg

# As training and the exported model run it: one graph for files of any length.
read_orientation = tf.function(
    photo_orientation.read_orientation, input_signature=[tf.TensorSpec((), tf.string)], autograph=False
)

XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {} /></rdf:RDF></x:xmpmeta>'


def read(path: Path) -> tf.Tensor:
    return tf.constant(path.read_bytes())


def encode(format_name: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, format_name, **options)
    return buffer.getvalue()


def read_by_pillow(contents: bytes) -> int:
    with Image.open(io.BytesIO(contents)) as image:
        image.load()
        value = image.getexif().get(0x0112, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def build_exif(value: int, kind: int = 3, order: str = ">") -> bytes:
    """Return a TIFF header with one directory of one tag: the orientation as SHORT (3), LONG (4) or BYTE (1)."""
    packed = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind], value).ljust(4, b"\0")
    magic = b"MM\0*" if order == ">" else b"II*\0"
    return magic + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + packed + bytes(4)


def build_jpeg(*segments: bytes) -> bytes:
    plain = encode()
    return plain[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", 2 + len(s)) + s for s in segments) + plain[2:]


def build_png(kind: bytes, body: bytes, at_end: bool = False) -> bytes:
    plain = encode("PNG")
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return plain[:-12] + chunk + plain[-12:] if at_end else plain[:33] + chunk + plain[33:]


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_both_byte_orders_among_other_entries(byte_order: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F] = "maker"
    exif[0x0112] = orientation
    exif[0x0131] = "software"
    contents = read(write_jpeg(tmp_path / "photo", exif=exif))
    assert int(read_orientation(contents)) == orientation


@pytest.mark.parametrize(
    "damage",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00MM\x00*\xff\xff\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x63\x00\x00\x00",
        b"",
    ],
)
def test_damaged_exif_is_upright(damage: bytes) -> None:
    assert int(read_orientation(tf.constant(b"\xff\xd8\xff\xe1\x00\x40" + damage))) == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("value", [0, 1, 3, 6, 8, 9, 200])
def test_every_type_of_the_tag(order: str, kind: int, value: int) -> None:
    contents = build_jpeg(b"Exif\0\0" + build_exif(value, kind, order))
    assert int(read_orientation(tf.constant(contents))) == read_by_pillow(contents)


def test_exif_behind_much_else() -> None:
    contents = build_jpeg(*[b"something else" + bytes(60_000)] * 3, b"Exif\0\0" + build_exif(6))
    assert int(read_orientation(tf.constant(contents))) == read_by_pillow(contents) == 6


@pytest.mark.parametrize("at_end", [False, True])
def test_exif_of_a_png(at_end: bool) -> None:
    contents = build_png(b"eXIf", build_exif(8), at_end)
    assert int(read_orientation(tf.constant(contents))) == read_by_pillow(contents) == 8


@pytest.mark.parametrize("spelling", ['tiff:Orientation="6"', "><tiff:Orientation>6</tiff:Orientation"])
def test_xmp_counts_where_exif_does_not_say(spelling: str) -> None:
    packet = XMP.format(spelling).encode()
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + packet
    png = build_png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    both = build_jpeg(xmp, b"Exif\0\0" + build_exif(3))
    for contents, expected in ((build_jpeg(xmp), 6), (png, 6), (both, 3)):
        assert int(read_orientation(tf.constant(contents))) == read_by_pillow(contents) == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_give_an_orientation(tail: bytes, head: bytes) -> None:
    assert 1 <= int(read_orientation(tf.constant(head + tail))) <= 8


def test_mutations_of_a_directory_agree_with_pillow_or_are_upright() -> None:
    rng, whole = np.random.default_rng(0), build_jpeg(b"Exif\0\0" + build_exif(6))
    begin = whole.index(b"Exif") + 6
    for _ in range(100):
        contents = bytearray(whole)
        contents[begin + rng.integers(0, 22)] = rng.integers(256)
        assert int(read_orientation(tf.constant(bytes(contents)))) in (1, read_by_pillow(bytes(contents)))


def test_it_is_quick_on_a_png_of_many_chunks() -> None:
    chunk = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    plain = encode("PNG")
    contents = plain[:33] + chunk * 50_000 + plain[33:]
    assert int(read_orientation(tf.constant(contents))) == 1
