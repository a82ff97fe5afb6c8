"""Altered photos for the audit: without the hand, without the background, without colour, and more."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.console import Progress, hide_progress
from handnet.images.decode import crop_to_hand, find_hand, fit_photo, lay_tiles, read_photo, resize
from handnet.images.hand.capsules import measure_palm_width
from handnet.images.hand.crop_rule import WRIST_CUT_RADII
from handnet.images.hand.landmark_crop import COLOR_AGREEMENT, measure_agreement
from handnet.images.hand.landmark_mask import PlacedMask, lay_on_photo, segment_by_landmarks
from handnet.images.hand.mask import resize_for_work, score_foreground, segment_hand, segment_small
from handnet.images.hand.morphology import WORKING_SIZE_PX, dilate, fill_holes
from handnet.images.hand.pose import find_pose, per_image, rotate
from handnet.images.hand.regions import UP, from_regions
from handnet.images.pillow_decode import read_for_graph

Images = npt.NDArray[np.uint8]
Apply = Callable[[tf.Tensor, ImageConfig], tf.Tensor]


class Alteration(NamedTuple):
    """What is changed in a photo before the model sees it.

    Attributes:
        title: its name for people.
        definition: in one sentence.
        apply: the upright photo (H, W, 3) and how the run makes squares → the square (S, S, 3), 0..255.
    """

    title: str
    definition: str
    apply: Apply


def read_altered(
    paths: Sequence[str], config: ImageConfig, alteration: str, batch_size: int = 32, progress: Progress = hide_progress
) -> Iterator[Images]:
    """Decode photos as the run does, alter and resize them.

    Args:
        paths: the photos.
        config: how the run makes squares of them.
        alteration: a key of ALTERATIONS.
        batch_size: photos at a time.
        progress: told of (photos done, photos in all).

    Yields:
        uint8 (<= batch_size, S, S, 3), in order.
    """
    count = progress(ALTERATIONS[alteration].title)
    dataset = tf.data.Dataset.from_generator(
        lambda: (read_for_graph(path) for path in paths), output_signature=tf.TensorSpec((), tf.string)
    )
    dataset = dataset.map(_build_loader(ALTERATIONS[alteration].apply, config), num_parallel_calls=tf.data.AUTOTUNE)
    done = 0
    for batch in dataset.batch(batch_size).prefetch(1).as_numpy_iterator():
        done += len(batch)
        yield batch
        count(done, len(paths))


# As many as an audit has, with room.
@lru_cache(32)
def _build_loader(apply: Apply, config: ImageConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the graph from a photo's bytes to the altered square; it is traced once, which costs seconds."""

    def load(contents: tf.Tensor) -> tf.Tensor:
        altered = apply(read_photo(contents, config), config)
        return tf.cast(tf.round(tf.clip_by_value(altered, 0.0, 255.0)), tf.uint8)

    return tf.function(load, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


def _by_tile(apply: Apply) -> Apply:
    """Return the alteration of each crop where there are several in the picture."""

    def alter(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
        if config.crop != "several":
            return apply(photo, config)
        return lay_tiles([apply(photo, tile) for tile in config.tiles], config)

    return alter


def _fit(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return tf.cast(fit_photo(photo, config), tf.float32)


def _keep_background(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    ground = float(config.background)
    by_color = lambda: keep_background(photo[tf.newaxis], background=ground)[0]  # noqa: E731
    hand = find_hand(photo, config)
    if hand is None:
        kept = by_color()
    else:
        placed = segment_by_landmarks(photo, hand.landmarks[0])
        is_plain = ~hand.found[0] | _is_plain(photo, placed, hand.landmarks[0])
        by_landmarks = lambda: keep_ground(photo, placed, hand.landmarks[0], background=ground)  # noqa: E731
        kept = tf.cond(is_plain, by_color, by_landmarks)
    # Without a hand there is nothing to crop: a run that crops to the hand sees what is left of the whole photo.
    return _fit(kept, config) if config.crop == "middle" else resize(kept, config)


def _keep_hand(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return crop_to_hand(photo, config)


def _keep_silhouette(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    if config.crop == "none":
        return resize(keep_silhouette(photo[tf.newaxis])[0], config)
    return keep_silhouette(_fit(photo, config)[tf.newaxis])[0]


def _keep_grey(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return keep_grey(_fit(photo, config)[tf.newaxis])[0]


def _cut_wrist(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    ground = float(config.background)
    by_color = lambda: cut_wrist(photo[tf.newaxis], background=ground)[0]  # noqa: E731
    hand = find_hand(photo, config)
    if hand is None:
        return _fit(by_color(), config)
    placed = segment_by_landmarks(photo, hand.landmarks[0])
    is_plain = ~hand.found[0] | _is_plain(photo, placed, hand.landmarks[0])
    return _fit(tf.cond(is_plain, by_color, lambda: cut_placed_wrist(photo, placed, background=ground)), config)


def _is_plain(photo: tf.Tensor, placed: PlacedMask, landmarks: tf.Tensor) -> tf.Tensor:
    """Return whether the mask by colour holds as well, as crops by landmarks see it: bool scalar."""
    small = resize_for_work(tf.cast(photo, tf.float32)[tf.newaxis])
    scale = tf.cast(tf.shape(small)[1], tf.float32) / tf.cast(tf.shape(photo)[0], tf.float32)
    return measure_agreement(segment_small(small), scale, placed, landmarks) >= COLOR_AGREEMENT


ALTERATIONS: dict[str, Alteration] = {
    "whole": Alteration("Whole photo", "As the run sees it.", _fit),
    "background": Alteration(
        "Background only", "Hand, arm and sleeve painted out by their mask, dilated.", _by_tile(_keep_background)
    ),
    "hand": Alteration(
        "Hand only", "The hand above the wrist, centred and scaled on a plain background.", _by_tile(_keep_hand)
    ),
    "silhouette": Alteration(
        "Silhouette only", "The hand black on white: no colour, no texture.", _by_tile(_keep_silhouette)
    ),
    "grey": Alteration("Grey", "Luminance alone.", _keep_grey),
    "wrist_cut": Alteration(
        "Wrist and sleeve cut", "All below the wrist painted over, watch and sleeve too.", _cut_wrist
    ),
}


def keep_background(images: tf.Tensor, *, background: float = 255.0, margin_fraction: float = 0.04) -> tf.Tensor:
    """Paint the hand, the arm and the sleeve out, by a dilated mask of everything that stands out from the background.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.
        background: the value painted, 0..255.
        margin_fraction: how far the mask is grown, as a fraction of the longer side.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    images = tf.cast(images, tf.float32)
    small = resize_for_work(images)
    mask = fill_holes(tf.cast(score_foreground(small)[0] > 0.0, tf.float32))
    steps = max(1, round(margin_fraction * WORKING_SIZE_PX))
    mask = dilate(mask, steps)
    mask = tf.cast(tf.image.resize(mask, tf.shape(images)[1:3]) > 0.0, tf.float32)
    return images * (1.0 - mask) + background * mask


def keep_ground(
    photo: tf.Tensor,
    placed: PlacedMask,
    landmarks: tf.Tensor,
    *,
    background: float = 255.0,
    margin_fraction: float = 0.04,
) -> tf.Tensor:
    """Paint a hand on any ground out, and its arm: a strip from the wrist to the border, as wide as a sleeve.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        placed: the mask of the hand, in its square.
        landmarks: (21, 2) as (y, x) in pixels of the photo.
        background: the value painted, 0..255.
        margin_fraction: how far the mask is grown, as a fraction of the longer side.

    Returns:
        (H, W, 3) float32, 0..255.
    """
    photo = tf.cast(photo, tf.float32)
    shape = tf.shape(photo)[:2]
    along, across = _lay_axes(shape, landmarks[0], placed.region.direction[0])
    # An arm is about as wide as the palm, a sleeve twice; it may bend at the wrist.
    arm = (along < 0.0) & (tf.abs(across) < measure_palm_width(landmarks) - 0.4 * along)
    mask = tf.cast(lay_on_photo(placed, shape) | arm, tf.float32)[tf.newaxis, ..., tf.newaxis]
    grown = dilate(resize_for_work(mask), max(1, round(margin_fraction * WORKING_SIZE_PX)))
    mask = tf.cast(tf.image.resize(grown, shape)[0] > 0.0, tf.float32)
    return photo * (1.0 - mask) + background * mask


def cut_placed_wrist(photo: tf.Tensor, placed: PlacedMask, *, background: float = 255.0) -> tf.Tensor:
    """Paint a photo on any ground from the wrist down, at the place where crops by landmarks cut it.

    Args:
        photo: (H, W, 3), 0..255, any dtype.
        placed: the mask of the hand, in its square.
        background: the value painted, 0..255.

    Returns:
        (H, W, 3) float32, 0..255.
    """
    photo = tf.cast(photo, tf.float32)
    size_px = float(placed.mask.shape[1])
    pose = find_pose(placed.mask, tf.constant([UP]))
    cut = pose.centre - WRIST_CUT_RADII * pose.radius[:, tf.newaxis] * pose.direction
    ends = from_regions(tf.stack([cut, cut + pose.direction], 1) / size_px, placed.region)[0]
    along, _ = _lay_axes(tf.shape(photo)[:2], ends[0], ends[1] - ends[0])
    keep = tf.cast(along > 0.0, tf.float32)[..., tf.newaxis]
    return photo * keep + background * (1.0 - keep)


def _lay_axes(shape: tf.Tensor, origin: tf.Tensor, direction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return each pixel's place along a direction and across it, (H, W) each, from an origin (y, x)."""
    dy = tf.range(shape[0], dtype=tf.float32)[:, tf.newaxis] - origin[0]
    dx = tf.range(shape[1], dtype=tf.float32)[tf.newaxis, :] - origin[1]
    along, across = rotate(dy[tf.newaxis], dx[tf.newaxis], direction[tf.newaxis])
    return along[0], across[0]


def keep_silhouette(images: tf.Tensor) -> tf.Tensor:
    """Return black hands on white: the outline and the position, without colour and texture.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.

    Returns:
        (B, H, W, 3) float32, 0 or 255.
    """
    return tf.repeat((1.0 - segment_hand(images)) * 255.0, 3, axis=-1)


def keep_grey(images: tf.Tensor) -> tf.Tensor:
    """Return the luminance in three equal channels.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    weights = tf.constant([0.2989, 0.5870, 0.1140])
    return tf.repeat(tf.reduce_sum(tf.cast(images, tf.float32) * weights, -1, keepdims=True), 3, axis=-1)


def cut_wrist(images: tf.Tensor, *, background: float = 255.0) -> tf.Tensor:
    """Paint the photo from the wrist down: arm, sleeve and watch go, hand and background stay.

    Args:
        images: (B, H, W, 3), 0..255, any dtype.
        background: the value painted, 0..255.

    Returns:
        (B, H, W, 3) float32, 0..255.
    """
    images = tf.cast(images, tf.float32)
    small = resize_for_work(images)
    pose = find_pose(segment_small(small))
    shape, small_shape = tf.cast(tf.shape(images), tf.float32), tf.cast(tf.shape(small), tf.float32)
    ys = (tf.range(shape[1]) + 0.5) * small_shape[1] / shape[1] - 0.5
    xs = (tf.range(shape[2]) + 0.5) * small_shape[2] / shape[2] - 0.5
    dy = ys[tf.newaxis, :, tf.newaxis] - per_image(pose.centre[:, 0])
    dx = xs[tf.newaxis, tf.newaxis, :] - per_image(pose.centre[:, 1])
    along, _ = rotate(dy, dx, pose.direction)
    keep = tf.cast(along > -WRIST_CUT_RADII * per_image(pose.radius), tf.float32)[..., tf.newaxis]
    return images * keep + background * (1.0 - keep)
