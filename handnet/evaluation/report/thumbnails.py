"""Small copies of photos for the pages of a report."""

import base64
import io
from pathlib import Path

from PIL import Image, ImageOps

from handnet.data.checks import needs_pillow, open_with_pillow

# Twice the size at which it stands on the page: sharp on fine screens, and something to enlarge.
THUMBNAIL_PX = 264
_MAX_PIXELS = 60_000_000
_MAX_BYTES = 200_000_000


def read_thumbnail(path: str, size_px: int = THUMBNAIL_PX) -> str:
    """Return a photo shrunk to some pixels as a data address, "" where there is none or it cannot be decoded.

    Args:
        path: of the photo, "" where unknown.
        size_px: of its longer side.
    """
    # A name in a file of embeddings may be that of a pipe, which would never end.
    if not Path(path).is_file() or Path(path).stat().st_size > _MAX_BYTES:
        return ""
    try:
        contents = Path(path).read_bytes()
        with open_with_pillow(contents) if needs_pillow(contents) else Image.open(io.BytesIO(contents)) as photo:
            if photo.width * photo.height > _MAX_PIXELS:
                return ""
            photo.draft("RGB", (2 * size_px, 2 * size_px))
            small = ImageOps.exif_transpose(photo).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    small.thumbnail((size_px, size_px))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
