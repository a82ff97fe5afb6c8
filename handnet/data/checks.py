"""Checks of photo files: what a decoder would reject or silently distort, found before any training."""

import hashlib
import importlib.util
import os
import re
import stat
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import simplejpeg
from PIL import Image, ImageChops, UnidentifiedImageError

from handnet.console import Count, Progress, hide_progress
from handnet.data.blank_rule import BLANK, LEAST_CONTRAST, measure_contrast
from handnet.data.photo_headers import SIZE_READERS, count_gif_pixels, sniff_format

# Below the 89.5 million from which Pillow warns. 8 bytes a pixel at most, so below 0.7 GB for each decoded photo.
MAX_PIXELS = 89_000_000
MAX_FILE_BYTES = 1_000_000_000
# Sizes of the headers of BMP files that there are, of those with 24 bits a pixel at byte 28.
BMP_HEADERS = (40, 52, 56, 64, 108, 124)
# Some cameras pad the end of the picture: this number of extra bytes is no damage.
_HARMLESS_BYTES = 64
_START_OF_SCAN, _END_OF_PICTURE = 0xDA, b"\xff\xd9"
FORMATS = "JPEG, PNG, GIF, BMP, WebP, TIFF, AVIF, PGM or PPM, or HEIC with the extra `heic`"
# For the contrast of their parts, photos are decoded and reduced to two or three times this, on the shorter side.
_LOOK_PX = 256
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class PhotoProblem:
    """What is wrong with one photo file.

    Attributes:
        path: the file, as it was given; pass it through `printable` before printing it.
        reason: one line, safe to print.
        usable: it decodes all the same, though perhaps not to what its owner sees.
    """

    path: str
    reason: str
    usable: bool = False


def check_photos(paths: Sequence[str], progress: Progress = hide_progress) -> list[PhotoProblem]:
    """Decode every photo in parallel and report those that are unusable or need a remark.

    Args:
        paths: the files.
        progress: told of (files done, files in all), in the calling thread.

    Returns:
        Problems in the order of `paths`; a good photo has none.
    """
    results = _map_in_threads(check_photo, paths, progress("check photos"))
    return [problem for problem in results if problem is not None]


def check_photo(path: str) -> PhotoProblem | None:
    """Decode one photo completely, from its bytes alone.

    Returns:
        None for a good photo.
    """
    contents, reason = read_photo(path)
    reason = reason or find_problem(contents)
    if reason:
        return PhotoProblem(path, reason)
    remark = _find_remark(contents)
    return PhotoProblem(path, remark, usable=True) if remark else None


def read_photo(path: str) -> tuple[bytes, str]:
    """Read a photo's file, unless it is not a regular file or larger than any photo; its size is checked first.

    Returns:
        The contents and ""; or b"" and the reason why there are none.
    """
    try:
        status = os.stat(path)
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(status.st_mode):
            return b"", "not a regular file"
        if status.st_size > MAX_FILE_BYTES:
            return b"", f"{status.st_size:,} bytes: larger than any photo"
        return Path(path).read_bytes(), ""
    except (OSError, ValueError) as error:
        return b"", getattr(error, "strerror", None) or "not a valid file name"


def find_problem(contents: bytes) -> str:
    """Decode a photo completely and return "" or why it cannot be used: damaged, blank, …"""
    return find_header_problem(contents) or _find_decoding_problem(contents)


def explain_refusal(contents: bytes) -> str:
    """Return why an exported model did not take a photo, since it answers with a flag alone."""
    return find_problem(contents) or (
        "the exported model does not read this format (send a JPEG or PNG), or finds no hand where it crops to the hand"
    )


def find_header_problem(contents: bytes) -> str:
    """Check a file by its header alone, nothing decoded: run this before any decoder sees the bytes.

    Args:
        contents: the whole file.

    Returns:
        "" or the reason why it cannot be used, as "empty file".
    """
    if not contents:
        return "empty file"
    format_name = sniff_format(contents)
    if not format_name:
        return f"not an image that can be read: expected {FORMATS}"
    if needs_pillow(contents):
        return _find_pillow_problem(contents, format_name)
    try:
        width, height = SIZE_READERS[format_name](contents)
        num_frames, frame_pixels = count_gif_pixels(contents) if format_name == "GIF" else (1, 0)
    except (struct.error, IndexError):
        return f"truncated: the {format_name} ends within its header"
    if width == 0 or height == 0:
        return f"damaged: the {format_name} has no pixels"
    if max(width * height, frame_pixels) > MAX_PIXELS:
        size = (
            f"{width:,} × {height:,} pixels" if num_frames == 1 else f"{frame_pixels:,} pixels in {num_frames} frames"
        )
        return _TOO_LARGE.format(size)
    return _find_bmp_problem(contents, width, height) if format_name == "BMP" else ""


def needs_pillow(contents: bytes) -> bool:
    """Return whether a file is of a format that Pillow decodes and TensorFlow does not.

    These are decoded outside of the graph, once, for training, evaluation and `handnet embed`; an exported model flags them.
    """
    name = sniff_format(contents)
    return name in _PILLOW_FORMATS or (name == "BMP" and contents[28:30] != b"\x18\x00" and len(contents) > 30)


def open_with_pillow(contents: bytes) -> Image.Image:
    """Open a file of one of Pillow's formats, nothing decoded but its header.

    Raises:
        UnidentifiedImageError: its header makes no sense, or HEIC where pillow-heif is not installed.
        Image.DecompressionBombError: it has more pixels than Pillow allows.
    """
    name = sniff_format(contents)
    if name == "HEIF":
        _register_heif()
    if name == "PNG":
        contents = _drop_png_texts(contents)
    return Image.open(BytesIO(contents), formats=_PILLOW_FORMATS.get(name, (name,)))


def find_damage(contents: bytes) -> str:
    """Return "" or how a JPEG's picture is damaged, where decoders only warn of it and show something else.

    libjpeg replaces what it cannot read by grey or by shifted blocks and goes on: such a photo has a vector, and a wrong one.
    Other formats give "": their decoders fail.
    """
    return clean_jpeg(contents)[1]


def clean_jpeg(contents: bytes) -> tuple[bytes, str]:
    """Return a photo without what some cameras pad a JPEG's picture with, and what `find_damage` says of it.

    TensorFlow's decoder skips the padding too, but writes a line to standard error for each such photo.
    """
    warning = _read_warning(contents)
    padding = re.search(r"(\d+) extraneous bytes before marker 0xd9", warning)
    if padding and int(padding[1]) <= _HARMLESS_BYTES:
        # Within the picture 0xff is never followed by 0xd9 but at its end.
        end = contents.find(_END_OF_PICTURE, _find_scan(contents))
        shorter = contents[: end - int(padding[1])] + contents[end:]
        return (contents if _read_warning(shorter) else shorter), ""
    if "remature end of JPEG" in warning:
        return contents, "truncated: the file ends before the picture does"
    return contents, f"damaged: {warning}" if warning else ""


def _find_scan(contents: bytes) -> int:
    """Return where a JPEG's picture begins, after its header, which may hold a small picture of its own."""
    place = 2
    while place + 4 <= len(contents) and contents[place + 1] != _START_OF_SCAN:
        # A marker may be filled up with 0xff before it.
        filled = contents[place + 1] == 0xFF
        place += 1 if filled else 2 + int.from_bytes(contents[place + 2 : place + 4], "big")
    return place


def _read_warning(contents: bytes) -> str:
    """Return what libjpeg warns of, "" where of nothing or where the file is no JPEG."""
    if sniff_format(contents) != "JPEG":
        return ""
    try:
        # At an eighth of the size and in grey: all of the stream is read, and little of it computed. CMYK has no grey.
        space = simplejpeg.decode_jpeg_header(contents)[2]
        colour = "CMYK" if space in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(contents, colorspace=colour, fastdct=True, min_height=1, min_width=1)
    except ValueError as error:
        return _one_line(error)
    return ""


def find_duplicates(paths: Sequence[str], progress: Progress = hide_progress) -> list[tuple[str, ...]]:
    """Find files of identical content, under any name.

    Args:
        paths: the files; those that cannot be read are passed over, as `check_photos` names them.
        progress: told of (files done, files in all), in the calling thread.

    Returns:
        Groups of two or more, in the order of their first file in `paths`.
    """
    # Different sizes are different contents, so few files have to be read.
    by_size: dict[int, list[str]] = {}
    for path in dict.fromkeys(paths):
        by_size.setdefault(_file_size(path), []).append(path)
    suspects = [path for size, group in by_size.items() if size >= 0 and len(group) > 1 for path in group]
    by_digest: dict[bytes, list[str]] = {}
    digests = _map_in_threads(_digest_file, suspects, progress("look for identical photos"))
    for path, digest in zip(suspects, digests, strict=True):
        if digest:
            by_digest.setdefault(digest, []).append(path)
    order = {path: number for number, path in enumerate(dict.fromkeys(paths))}
    groups = [tuple(sorted(group, key=order.__getitem__)) for group in by_digest.values() if len(group) > 1]
    return sorted(groups, key=lambda group: order[group[0]])


def _map_in_threads(function: Callable[[str], _Result], paths: Sequence[str], count: Count) -> list[_Result]:
    executor = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        return list(_count(executor.map(function, paths), len(paths), count))
    finally:
        # Without this an interrupt would first wait for every file in the queue.
        executor.shutdown(cancel_futures=True)


def _count(results: Iterable[_Result], total: int, count: Count) -> Iterator[_Result]:
    for done, result in enumerate(results, 1):
        count(done, total)
        yield result


def _find_decoding_problem(contents: bytes) -> str:
    try:
        if sniff_format(contents) == "PNG":
            # Loading stops at the last pixel; TensorFlow also wants the chunks after it to be whole.
            with open_with_pillow(contents) as image:
                image.verify()
        with open_with_pillow(contents) as image:
            # A JPEG is read to its end at any scale, and at an eighth most of the arithmetic is saved.
            image.draft("RGB", (_LOOK_PX, _LOOK_PX))
            image.load()
            blank = _is_blank(image)
    except UnidentifiedImageError:
        return _NO_SENSE
    # Decoders raise errors of every kind on damaged input; whichever it is, it is the answer.
    except Exception as error:
        text = _one_line(error)
        return "truncated: the file ends before the picture does" if "truncat" in text.lower() else f"damaged: {text}"
    return find_damage(contents) or BLANK * blank


def _is_blank(image: Image.Image) -> bool:
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow inverts all of them; those without Adobe's marker are not inverted.
        image = ImageChops.invert(image)
    rgb = to_rgb(image)
    factor = max(1, min(rgb.size) // _LOOK_PX)
    return measure_contrast(np.asarray(rgb.reduce(factor) if factor > 1 else rgb)) < LEAST_CONTRAST


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture with 8 bits of red, green and blue, as TensorFlow decodes it: of 16 bits the upper 8, no transparency."""
    if image.mode.startswith("I"):
        narrow = np.asarray(image, np.int64) // 257
        image = Image.fromarray(narrow.clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def _find_bmp_problem(contents: bytes, width: int, height: int) -> str:
    """Return "" or what is wrong with a 24-bit BMP; TensorFlow ignores its kind, and takes no byte more or less."""
    try:
        offset, header = struct.unpack_from("<II", contents, 10)
        (compression,) = struct.unpack_from("<I", contents, 30)
    except struct.error:
        return "truncated: the BMP ends within its header"
    if header not in BMP_HEADERS or compression:
        return _NO_SENSE
    excess = len(contents) - offset - (3 * width + 3) // 4 * 4 * height
    if excess < 0:
        return "truncated: the file ends before the picture does"
    return f"damaged: {excess:,} bytes after the end of the picture" if excess else ""


def _find_pillow_problem(contents: bytes, format_name: str) -> str:
    try:
        with warnings.catch_warnings():
            # The size is looked at below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = open_with_pillow(contents)
    except Image.DecompressionBombError:
        return _TOO_LARGE.format("more pixels than Pillow decodes")
    except UnidentifiedImageError:
        if format_name == "HEIF" and importlib.util.find_spec("pillow_heif") is None:
            return "HEIC, and the package that reads it is not installed: pip install 'handnet[heic]', or convert it to JPEG"
        return _NO_SENSE
    # Parsers of headers raise errors of every kind on damaged input.
    except Exception as error:
        return f"damaged: {_one_line(error)}"
    with image:
        width, height = image.size
        if width * height == 0:
            return f"damaged: the {format_name} has no pixels"
        if width * height > MAX_PIXELS:
            return _TOO_LARGE.format(f"{width:,} × {height:,} pixels")
        if image.mode not in _PILLOW_MODES:
            return f"{format_name} of the mode {image.mode!r}: expected whole numbers of 8 or 16 bits"
    return ""


def _register_heif() -> None:
    # The parser of HEIC is a large library of its own; it is loaded for the first such file.
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()


def _drop_png_texts(contents: bytes) -> bytes:
    """Return a PNG without its texts and its colour profile: no pixel depends on them, and Pillow refuses large ones."""
    kept, position = [contents[:8]], 8
    while position + 12 <= len(contents):
        end = position + 12 + struct.unpack_from(">I", contents, position)[0]
        if contents[position + 4 : position + 8] not in _PNG_TEXTS or end > len(contents):
            kept.append(contents[position:end])
        position = end
    return b"".join([*kept, contents[position:]])


def _one_line(error: Exception) -> str:
    return " ".join(ascii(str(error))[1:-1].split())


def _find_remark(contents: bytes) -> str:
    if sniff_format(contents) == "GIF":
        num_frames = count_gif_pixels(contents)[0]
        return f"animated: the first of {num_frames} frames is used" if num_frames > 1 else ""
    with open_with_pillow(contents) as image:
        if getattr(image, "is_animated", False):
            return "several pictures in one file: only the first is used"
        if image.mode == "CMYK":
            return "CMYK: colours are converted without its colour profile"
        if image.mode.startswith("I") or (image.format == "PNG" and contents[24] == 16):
            return "16 bits per channel: read as 8"
        if "A" in image.getbands() or "transparency" in image.info:
            return "transparent: transparency is dropped, what lies under it shows"
    return ""


def _file_size(path: str) -> int:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _digest_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).digest()
    except OSError:
        return b""


_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# By the format's name here: what Pillow calls it.
_PILLOW_FORMATS = {
    "PGM": ("PPM",),
    "PPM": ("PPM",),
    "WEBP": ("WEBP",),
    "TIFF": ("TIFF",),
    "AVIF": ("AVIF",),
    "HEIF": ("HEIF",),
}
_PILLOW_MODES = (
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "LA",
    "PA",
    "YCbCr",
    "LAB",
    "I",
    "I;16",
    "I;16B",
    "I;16L",
)
_NO_SENSE = "damaged: its header makes no sense"
_TOO_LARGE = f"too large: {{}}, above the limit of {MAX_PIXELS // 1_000_000} million"
