"""Photos in formats that TensorFlow does not decode, by Pillow: WebP, TIFF, AVIF, HEIC, PGM, PPM, BMP with a palette."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from handnet.data.checks import clean_jpeg, find_header_problem, needs_pillow, open_with_pillow, to_rgb
from handnet.images.unusable_photos import DAMAGED


def decode_with_pillow(contents: bytes) -> npt.NDArray[np.uint8]:
    """Decode a photo whole and turn it upright: uint8 (H, W, 3), RGB.

    As `handnet.images.decode.decode` does: 16 bits become 8, transparency is dropped, the first picture of several is taken.

    Args:
        contents: the bytes of a file that `find_header_problem` has passed.

    Raises:
        ValueError: the file is damaged or truncated.
    """
    try:
        with open_with_pillow(contents) as image:
            return np.asarray(to_rgb(ImageOps.exif_transpose(image)))
    # Decoders raise errors of every kind on damaged input.
    except Exception as error:
        raise ValueError(str(error)) from error


def read_for_graph(path: str) -> bytes:
    """Return the bytes of a photo as TensorFlow's decoder takes them: its own, or a PNG of what Pillow decodes.

    Raises:
        OSError: the file cannot be read.
        ValueError: Pillow cannot decode it.
    """
    contents = Path(path).read_bytes()
    return to_graph_format(contents) if needs_pillow(contents) else clean_jpeg(contents)[0]


def prepare_for_graph(contents: bytes) -> tuple[bytes, str]:
    """Return a photo as TensorFlow's decoder takes it, and "" or why it cannot be used; then the bytes are as they were.

    Only its header and, of a JPEG, its stream are looked at; `find_problem` of `handnet.data.checks` looks at all.

    Args:
        contents: the bytes of any file.
    """
    if problem := find_header_problem(contents):
        return contents, problem
    if not needs_pillow(contents):
        return clean_jpeg(contents)
    try:
        return to_graph_format(contents), ""
    except ValueError:
        return contents, DAMAGED


def to_graph_format(contents: bytes) -> bytes:
    """Return a photo that needs Pillow as a PNG of what Pillow decodes.

    Raises:
        ValueError: Pillow cannot decode it.
    """
    buffer = BytesIO()
    Image.fromarray(decode_with_pillow(contents)).save(buffer, "PNG")
    return buffer.getvalue()
