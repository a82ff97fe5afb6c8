"""What the first bytes of a photo say: its format and its size, without a decoder."""

import re
import struct
from collections.abc import Callable

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"P5": "PGM",
    b"P6": "PPM",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
# A marker is one or more 0xFF and a code; the frame headers SOF0 to SOF15 leave out DHT, JPG and DAC.
_JPEG_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def sniff_format(contents: bytes) -> str:
    """Return the format that the first bytes of a file name, e.g. "JPEG", or "" for none that is known."""
    for magic, name in _MAGIC.items():
        if contents.startswith(magic):
            return name
    if contents[:4] == b"RIFF" and contents[8:12] == b"WEBP":
        return "WEBP"
    if contents[4:8] == b"ftyp":
        return "AVIF" if contents[8:12] in (b"avif", b"avis") else "HEIF" if contents[8:12] in _HEIF_BRANDS else ""
    return ""


def _read_jpeg_size(contents: bytes) -> tuple[int, int]:
    position = 2
    while marker := _JPEG_MARKER.search(contents, position):
        code, position = marker[1][0], marker.end()
        if code in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", contents, position + 3)
            return width, height
        if code in (0xD9, 0xDA):
            break
        if code not in (0x00, 0x01, *range(0xD0, 0xD9)):
            position += struct.unpack_from(">H", contents, position)[0]
    raise IndexError("no frame header")


def _read_png_size(contents: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", contents, 16)
    return width, height


def _read_gif_size(contents: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", contents, 6)
    return width, height


def _read_bmp_size(contents: bytes) -> tuple[int, int]:
    # Height is negative where the rows go from the top down.
    width, height = struct.unpack_from("<ii", contents, 18)
    return abs(width), abs(height)


def count_gif_pixels(contents: bytes) -> tuple[int, int]:
    """Return the number of frames and of all their pixels: TensorFlow decodes every frame to give the first."""
    position = 13 + _palette_bytes(contents[10])
    num_frames = num_pixels = 0
    while position < len(contents):
        block = contents[position]
        if block == 0x2C:
            width, height, flags = struct.unpack_from("<HHB", contents, position + 5)
            num_frames, num_pixels = num_frames + 1, num_pixels + width * height
            position += 11 + _palette_bytes(flags)
        elif block == 0x21:
            position += 2
        else:
            break
        while position < len(contents) and contents[position]:
            position += 1 + contents[position]
        position += 1
    return num_frames, num_pixels


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


# By format: bytes of a file to (width, height) as its header states them. Bytes that end too early raise IndexError or
# struct.error.
SIZE_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "JPEG": _read_jpeg_size,
    "PNG": _read_png_size,
    "GIF": _read_gif_size,
    "BMP": _read_bmp_size,
}
