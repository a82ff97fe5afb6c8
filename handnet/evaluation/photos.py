"""Photos from which something was taken away, for the audit."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config import ImageConfig
from handnet.images import crop_to_hand, decode, fit_photo, orient, read_orientation, resize
from handnet.segmentation import (
    cut_wrist,
    keep_background,
    keep_grey,
    keep_silhouette,
)

Images = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]


class Alteration(NamedTuple):
    """What is taken away from a photo before the model sees it.

    Attributes:
        title: its name for people.
        definition: in one sentence.
        apply: the upright photo (H, W, 3) and how the run makes squares → the square (S, S, 3), 0..255.
    """

    title: str
    definition: str
    apply: Callable[[tf.Tensor, ImageConfig], tf.Tensor]


def read_altered(
    paths: Sequence[str], config: ImageConfig, alteration: str, batch_size: int = 32, progress: Progress | None = None
) -> Iterator[Images]:
    """Decode, alter and resize photos.

    Args:
        paths: the photos.
        config: how the run makes squares of them.
        alteration: a key of ALTERATIONS.
        batch_size: photos at a time.
        progress: called with (photos done, photos in all).

    Yields:
        uint8 (<= batch_size, S, S, 3), in order.
    """
    apply = ALTERATIONS[alteration].apply

    def load(path: tf.Tensor) -> tf.Tensor:
        contents = tf.io.read_file(path)
        photo = orient(decode(contents, config.size_px), read_orientation(contents))
        return tf.cast(tf.round(tf.clip_by_value(apply(photo, config), 0.0, 255.0)), tf.uint8)

    dataset = tf.data.Dataset.from_tensor_slices(list(paths)).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    done = 0
    for batch in dataset.batch(batch_size).prefetch(1).as_numpy_iterator():
        done += len(batch)
        yield batch
        if progress is not None:
            progress(done, len(paths))


def _fit(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return tf.cast(fit_photo(photo, config), tf.float32)


def _keep_background(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    # Without a hand there is nothing to crop: a run that crops sees what is left of the whole photo.
    return resize(keep_background(photo[tf.newaxis], background=float(config.background))[0], config)


def _keep_hand(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return crop_to_hand(photo, config)


def _keep_silhouette(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    if config.crop == "none":
        return resize(keep_silhouette(photo[tf.newaxis])[0], config)
    return keep_silhouette(_fit(photo, config)[tf.newaxis])[0]


def _keep_grey(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return keep_grey(_fit(photo, config)[tf.newaxis])[0]


def _cut_wrist(photo: tf.Tensor, config: ImageConfig) -> tf.Tensor:
    return _fit(cut_wrist(photo[tf.newaxis], background=float(config.background))[0], config)


ALTERATIONS: dict[str, Alteration] = {
    "whole": Alteration("Whole photo", "As the run sees it.", _fit),
    "background": Alteration(
        "Background only", "Hand, arm and sleeve painted out by their mask, dilated.", _keep_background
    ),
    "hand": Alteration("Hand only", "The hand above the wrist, centred and scaled on a plain background.", _keep_hand),
    "silhouette": Alteration("Silhouette only", "The hand black on white: no colour, no texture.", _keep_silhouette),
    "grey": Alteration("Grey", "Luminance alone.", _keep_grey),
    "wrist_cut": Alteration(
        "Wrist and sleeve cut", "All below the wrist painted over, watch and sleeve too.", _cut_wrist
    ),
}
