"""Photos in formats that TensorFlow does not decode, by Pillow: WebP, TIFF, AVIF, HEIC, PGM, PPM, BMP with a palette."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from handnet.data.checks import open_with_pillow


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
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                wide = np.asarray(upright, np.int64)
                # A grey picture of 8 bits may be stored in wide numbers too.
                narrow = wide if wide.max(initial=0) < 256 and upright.mode == "I" else wide // 257
                upright = Image.fromarray(narrow.clip(0, 255).astype(np.uint8), "L")
            return np.asarray(upright.convert("RGB"))
    # Decoders raise errors of every kind on damaged input.
    except Exception as error:
        raise ValueError(str(error)) from error
