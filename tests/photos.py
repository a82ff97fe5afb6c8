"""Photo files of every awkward kind, for the tests of all modules: whole ones and ones that must be refused.

USABLE and UNUSABLE map a name to a function that writes such a file to a path. Every usable file shows `picture()`,
upright, in grey where its name says so.
"""

import io
import os
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

WIDTH_PX, HEIGHT_PX = 64, 48
EXIF_ORIENTATIONS = tuple(range(1, 9))
# What was done to an upright picture before it was stored with each EXIF orientation.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
HOSTILE_NAME = "new\nline \x1b[31mred\x1b[0m ‮gpj.jpg"

Pixels = npt.NDArray[np.uint8]


def find_real_data(name: str) -> Path:
    """Return a folder of real data by its name, as "hands11k-mini", or skip the test where it is absent."""
    root = Path(os.environ.get("HANDNET_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not (root / name).is_dir():
        pytest.skip(f"no real data: {root / name} is absent; HANDNET_TEST_DATA names the folder that holds it")
    return root / name


def picture() -> Pixels:
    """Return smooth uint8 (48, 64, 3) with corners red, green, blue and grey, so that no turn looks like another."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    right, down = x / (WIDTH_PX - 1), y / (HEIGHT_PX - 1)
    corners = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [120, 120, 120]]], float)
    top = corners[0, 0] * (1 - right[..., None]) + corners[0, 1] * right[..., None]
    bottom = corners[1, 0] * (1 - right[..., None]) + corners[1, 1] * right[..., None]
    return np.round(top * (1 - down[..., None]) + bottom * down[..., None]).astype(np.uint8)


def grey_picture() -> Pixels:
    """Return `picture()` as uint8 (48, 64) luminance."""
    return np.asarray(Image.fromarray(picture()).convert("L"))


def write_jpeg(path: Path, pixels: Pixels | None = None, **options: object) -> Path:
    """Write a JPEG of nearly lossless quality."""
    pixels = picture() if pixels is None else pixels
    Image.fromarray(pixels).save(path, "JPEG", **{"quality": 98, "subsampling": 0, **options})
    return path


def write_exif_jpeg(path: Path, orientation: int) -> Path:
    """Write a JPEG that is stored turned, and upright once its EXIF orientation (1..8) is obeyed."""
    image = Image.fromarray(picture())
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(_STORED[orientation]) if orientation in _STORED else image
    stored.save(path, "JPEG", quality=98, subsampling=0, exif=exif)
    return path


def write_cmyk_jpeg(path: Path, adobe: bool) -> Path:
    """Write a CMYK JPEG: with Adobe's marker its values are stored inverted, without it they are as they are."""
    cmyk = np.asarray(Image.fromarray(picture()).convert("CMYK"))
    buffer = io.BytesIO()
    # Pillow inverts and writes the marker.
    Image.fromarray(cmyk if adobe else 255 - cmyk, "CMYK").save(buffer, "JPEG", quality=98, subsampling=0)
    contents = buffer.getvalue()
    start = contents.index(b"\xff\xee")
    size = 2 + struct.unpack(">H", contents[start + 2 : start + 4])[0]
    path.write_bytes(contents if adobe else contents[:start] + contents[start + size :])
    return path


def write_png(path: Path, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], color_type: int) -> Path:
    """Write a PNG of 8 or 16 bits: color_type 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(len(pixels), -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    path.write_bytes(_png(pixels.shape[1], pixels.shape[0], pixels.itemsize * 8, color_type, zlib.compress(data)))
    return path


def write_image(path: Path, format_name: str, mode: str) -> Path:
    """Write `picture()` in a Pillow mode and format."""
    Image.fromarray(picture()).convert(mode).save(path, format_name)
    return path


def write_pgm(path: Path, gap: bytes = b"\n", highest: int = 255, kept_fraction: float = 1.0) -> Path:
    """Write `grey_picture()` as a binary PGM by hand: with comments, another white, or cut off."""
    pixels = np.round(grey_picture() * (highest / 255.0))
    data = pixels.astype(np.uint8 if highest < 256 else ">u2").tobytes()
    header = gap.join([b"P5", b"%d" % WIDTH_PX, b"%d" % HEIGHT_PX, b"%d" % highest]) + b"\n"
    path.write_bytes(header + data[: int(kept_fraction * len(data))])
    return path


def write_animation(path: Path, format_name: str) -> Path:
    """Write an animation whose first frame is `picture()` and whose second is its negative."""
    first, second = Image.fromarray(picture()), Image.fromarray(255 - picture())
    if format_name == "GIF":
        first, second = first.quantize(256), second.quantize(256)
    first.save(path, format_name, save_all=True, append_images=[second], duration=100)
    return path


def write_truncated(path: Path, format_name: str, kept_fraction: float = 0.6) -> Path:
    """Write the beginning of a file of noise, which no decoder can complete."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format_name)
    contents = buffer.getvalue()
    path.write_bytes(contents[: int(kept_fraction * len(contents))])
    return path


def write_png_bomb(path: Path, side_px: int = 30_000) -> Path:
    """Write a valid black PNG of side_px × side_px one-bit pixels: about 110 kB that decode to 2.7 GB as RGB."""
    compressor, row = zlib.compressobj(6), bytes(1 + -(-side_px // 8))
    block = row * 1_000
    data = b"".join(compressor.compress(block) for _ in range(side_px // 1_000)) + compressor.flush()
    path.write_bytes(_png(side_px, side_px, 1, 0, data))
    return path


def write_jpeg_bomb(path: Path) -> Path:
    """Write a small JPEG whose header claims 65,000 × 65,000 pixels."""
    contents = bytearray(write_jpeg(path).read_bytes())
    frame = contents.index(b"\xff\xc0")
    contents[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    path.write_bytes(contents)
    return path


def write_gif_bomb(path: Path) -> Path:
    """Write a GIF of a few kB whose hundred frames claim 60,000 × 60,000 pixels each."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x44\x01\x00"
    path.write_bytes(screen + frame * 100 + b";")
    return path


def write_turned(path: Path, format_name: str) -> Path:
    """Write a photo in a Pillow format that is stored turned by a quarter, with the Exif orientation 6."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).transpose(_STORED[6]).save(path, format_name, exif=exif)
    return path


def write_heic(path: Path) -> Path:
    """Write a HEIC file, as phones do."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(picture())).save(path, quality=95)
    return path


def write_zeroed_jpeg(path: Path) -> Path:
    """Write a JPEG of noise whose middle a disk has lost: zeros in place of a fifth of the file."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    contents = bytearray(write_jpeg(path, noise).read_bytes())
    begin, count = len(contents) // 2, len(contents) // 5
    contents[begin : begin + count] = bytes(count)
    path.write_bytes(contents)
    return path


def write_jpeg_without_end(path: Path) -> Path:
    """Write a JPEG whose end marker is missing, with zeros behind it."""
    path.write_bytes(write_jpeg(path).read_bytes()[:-2] + bytes(100))
    return path


def write_bytes(path: Path, contents: bytes) -> Path:
    """Write any bytes."""
    path.write_bytes(contents)
    return path


def _png(width: int, height: int, bit_depth: int, color_type: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _with_alpha(pixels: Pixels) -> Pixels:
    return np.dstack([pixels, np.full(pixels.shape[:2], 128, np.uint8)])


def _wide(pixels: Pixels) -> npt.NDArray[np.uint16]:
    return pixels.astype(np.uint16) * 257


USABLE: dict[str, Callable[[Path], Path]] = {
    "jpeg": write_jpeg,
    "progressive-jpeg": partial(write_jpeg, progressive=True),
    "grey-jpeg": lambda path: write_jpeg(path, grey_picture()),
    "cmyk-jpeg": partial(write_cmyk_jpeg, adobe=False),
    "cmyk-adobe-jpeg": partial(write_cmyk_jpeg, adobe=True),
    **{
        f"exif-{orientation}-jpeg": partial(write_exif_jpeg, orientation=orientation)
        for orientation in EXIF_ORIENTATIONS
    },
    "png": lambda path: write_png(path, picture(), 2),
    "grey-png": lambda path: write_png(path, grey_picture(), 0),
    "16-bit-png": lambda path: write_png(path, _wide(picture()), 2),
    "16-bit-grey-png": lambda path: write_png(path, _wide(grey_picture()), 0),
    "alpha-png": lambda path: write_png(path, _with_alpha(picture()), 6),
    "grey-alpha-png": lambda path: write_png(path, _with_alpha(grey_picture()), 4),
    "palette-png": partial(write_image, format_name="PNG", mode="P"),
    "animated-png": partial(write_animation, format_name="PNG"),
    "animated-gif": partial(write_animation, format_name="GIF"),
    "bmp": partial(write_image, format_name="BMP", mode="RGB"),
}

# Usable in training, evaluation and `handnet embed`; an exported model, which has TensorFlow's decoders alone, flags them.
BY_PILLOW: dict[str, Callable[[Path], Path]] = {
    "grey-pgm": partial(write_image, format_name="PPM", mode="L"),
    "grey-commented-pgm": lambda path: write_pgm(path, gap=b" # 7 # comments\n#\n"),
    "grey-dim-pgm": lambda path: write_pgm(path, highest=200),
    "grey-16-bit-pgm": lambda path: write_pgm(path, highest=65535),
    "ppm": partial(write_image, format_name="PPM", mode="RGB"),
    "webp": partial(write_image, format_name="WEBP", mode="RGB"),
    "exif-webp": partial(write_turned, format_name="WEBP"),
    "tiff": partial(write_image, format_name="TIFF", mode="RGB"),
    "exif-tiff": partial(write_turned, format_name="TIFF"),
    "avif": partial(write_image, format_name="AVIF", mode="RGB"),
    "heic": partial(write_heic),
    "palette-bmp": partial(write_image, format_name="BMP", mode="P"),
}

# libjpeg only warns of these, and so an exported model takes them; training, evaluation and `handnet embed` refuse them.
DAMAGED_INSIDE: dict[str, Callable[[Path], Path]] = {"zeroed-jpeg": write_zeroed_jpeg}

UNUSABLE: dict[str, Callable[[Path], Path]] = {
    "zero-byte": partial(write_bytes, contents=b""),
    "one-byte": partial(write_bytes, contents=b"\xff"),
    "text": partial(write_bytes, contents=b"This is no photo.\n" * 50),
    "web-page": partial(write_bytes, contents=b"<!DOCTYPE html><html><body>404 Not Found</body></html>"),
    "jpeg-magic-alone": partial(write_bytes, contents=b"\xff\xd8\xff\xe0"),
    "png-magic-alone": partial(write_bytes, contents=b"\x89PNG\r\n\x1a\n"),
    "gif-magic-alone": partial(write_bytes, contents=b"GIF89a"),
    "bmp-magic-alone": partial(write_bytes, contents=b"BM"),
    "truncated-jpeg": partial(write_truncated, format_name="JPEG"),
    "truncated-png": partial(write_truncated, format_name="PNG"),
    "truncated-gif": partial(write_truncated, format_name="GIF"),
    "truncated-bmp": partial(write_truncated, format_name="BMP"),
    "jpeg-without-end": write_jpeg_without_end,
    "truncated-webp": partial(write_truncated, format_name="WEBP"),
    "truncated-tiff": partial(write_truncated, format_name="TIFF"),
    "truncated-pgm": lambda path: write_pgm(path, kept_fraction=0.6),
    "pgm-magic-alone": partial(write_bytes, contents=b"P5"),
    "pgm-bomb": partial(write_bytes, contents=b"P5 60000 60000 255 " + bytes(1000)),
    "png-bomb": write_png_bomb,
    "jpeg-bomb": write_jpeg_bomb,
    "gif-bomb": write_gif_bomb,
}
