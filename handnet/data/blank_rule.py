"""What a photo without content is: all of one colour, e.g. a covered lens or white paper; noise changes nothing.

Two photos of nothing have similar vectors, and would be taken for one person. The graph's form of this rule, in TensorFlow
operations, is `handnet.images.blank_check`; a test holds the two together.
"""

import numpy as np
import numpy.typing as npt

# A photo is cut into this many cells down and across, whose mean colours are compared: the noise of pixels averages out.
CELLS = 16
# Standard deviation of the cells' means, 0..255, of the channel that differs most.
# Of 4,196 photos of hands, faces and things the least was 10.2, of hands 27.7: a hand with a fourteenth of that light passes.
LEAST_CONTRAST = 2.0
BLANK = "blank: all of the photo has one colour, so it shows nothing"


def measure_contrast(photo: npt.NDArray[np.uint8]) -> float:
    """Return how much the parts of a photo differ, 0..255: the standard deviation of the mean colours of its cells.

    Args:
        photo: uint8 (H, W, 3); smaller than 16 × 16 pixels: cells repeat pixels.
    """
    rows, columns = (_weigh_cells(side) for side in photo.shape[:2])
    cells = np.einsum("iy,yxc,jx->ijc", rows, photo.astype(np.float32), columns, optimize=True)
    return float(cells.std(axis=(0, 1)).max())


def _weigh_cells(side_px: int) -> npt.NDArray[np.float32]:
    """Return the share of each pixel in each cell along one side, float32 (16, side_px), rows of sum 1."""
    edges = np.arange(CELLS + 1)[:, np.newaxis] * side_px / CELLS
    pixels = np.arange(side_px)
    overlap = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return (np.clip(overlap, 0.0, None) * CELLS / side_px).astype(np.float32)
