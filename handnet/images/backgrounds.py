"""Other grounds for hands: a pool of drawn ones and of a folder's photos, and hands laid on them in training."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image, ImageOps

from handnet.data.checks import find_header_problem, open_with_pillow, read_photo
from handnet.data.photo_files import find_photos
from handnet.data.synthetic.grounds import draw_ground
from handnet.errors import DataError
from handnet.images.hand.mask import segment_hand
from handnet.images.hand.morphology import smooth

NUM_DRAWN, MOST_PHOTOS = 48, 96
SEED = 5
# Grounds are so much larger than the photo: each use shows another part.
LARGER = 1.5
# A hand on plain paper takes this share of a photo; outside, what was found by colour is no hand, and the photo stays.
LEAST_SHARE, MOST_SHARE = 0.03, 0.7


@cache
def collect_grounds(folder: str, size_px: int) -> npt.NDArray[np.uint8]:
    """Return the grounds for photos of a size, uint8 (N, K, K, 3), K being 1.5 times as large.

    Args:
        folder: of photos to use as well, at any depth, at most 96 of them evenly spread; "" is none.
        size_px: side of the photos that lie on them.

    Raises:
        DataError: a folder without a photo that can be read.
    """
    side_px = round(LARGER * size_px)
    random = np.random.default_rng(SEED)
    drawn = [draw_ground(random, (side_px, side_px)) for _ in range(NUM_DRAWN)]
    return np.stack([*drawn, *(_read_photos(Path(folder), side_px) if folder else [])])


def lay_on_grounds(
    images: tf.Tensor, chosen: tf.Tensor, draws: tuple[tf.Tensor, ...], grounds: npt.NDArray[np.uint8]
) -> tf.Tensor:
    """Lay the hands of some photos on other grounds.

    Args:
        images: float32 (B, H, W, 3), 0..255, hands on a plain, light ground; H and W known.
        chosen: bool (B,), which.
        draws: four numbers 0..1 for each photo, (B,) each: which ground, from where downwards and across, and how turned.
        grounds: from `collect_grounds`.

    Returns:
        Images as given; a photo in which no hand is found by colour is not changed.
    """
    # Without any photo there is no border whose colour could be read.
    return tf.cond(tf.reduce_any(chosen), lambda: _lay(images, chosen, draws, grounds), lambda: images)


def _lay(
    images: tf.Tensor, chosen: tf.Tensor, draws: tuple[tf.Tensor, ...], grounds: npt.NDArray[np.uint8]
) -> tf.Tensor:
    rows = tf.where(chosen)
    photos = tf.gather_nd(images, rows)
    which, down, across, turn = (tf.gather_nd(values, rows) for values in draws)
    # Half a pixel is taken off the outline, where hand and paper mix.
    mask = segment_hand(photos)
    share = tf.reduce_mean(mask, [1, 2, 3], keepdims=True)
    kept = tf.clip_by_value(smooth(mask) * 2.0 - 1.0, 0.0, 1.0)
    index = tf.minimum(tf.cast(which * len(grounds), tf.int32), len(grounds) - 1)
    height, width = images.shape[1:3]
    size = max(height, width)
    pool, room = tf.constant(grounds), float(grounds.shape[1] - size)

    def cut(values: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        number, y, x, quarter = values
        top, left = tf.cast(y * room, tf.int32), tf.cast(x * room, tf.int32)
        square = tf.image.rot90(pool[number, top : top + size, left : left + size], tf.cast(quarter * 4.0, tf.int32))
        return tf.ensure_shape(square[:height, :width], (height, width, 3))

    cuts = tf.map_fn(cut, (index, down, across, turn), fn_output_signature=tf.uint8)
    laid = photos * kept + tf.cast(cuts, tf.float32) * (1.0 - kept)
    laid = tf.where((share >= LEAST_SHARE) & (share <= MOST_SHARE), laid, photos)
    return tf.tensor_scatter_nd_update(images, rows, laid)


def _read_photos(folder: Path, side_px: int) -> list[npt.NDArray[np.uint8]]:
    if not folder.is_dir():
        raise DataError(f"There is no folder {str(folder)!r} of grounds (augment.background_folder).")
    paths = sorted(find_photos(folder.absolute()).photos)
    step = max(1, -(-len(paths) // MOST_PHOTOS))
    photos = [photo for path in paths[::step] if (photo := _read_square(path, side_px)) is not None]
    if not photos:
        raise DataError(f"No photo in {str(folder)!r} can be read as a ground (augment.background_folder).")
    return photos


def _read_square(path: str, side_px: int) -> npt.NDArray[np.uint8] | None:
    """Return the middle of a photo as a square, or None where it cannot be read."""
    contents, problem = read_photo(path)
    if problem or find_header_problem(contents):
        return None
    try:
        with open_with_pillow(contents) as image:
            image.draft("RGB", (side_px, side_px))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(ImageOps.fit(upright, (side_px, side_px), Image.Resampling.LANCZOS))
    # Decoders raise errors of every kind on damaged input.
    except Exception:
        return None
