"""What TensorBoard shows in addition to the losses: rate, distances, augmented photos and what is found for a photo."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from handnet.config.augmentation import AugmentConfig
from handnet.images.augment import augment
from handnet.images.photo_store import load_cached

_TILE_PX = 96
_FRAME_PX = 3
_RIGHT, _WRONG, _QUERY = (46, 139, 87), (190, 40, 40), (60, 60, 60)
# Histograms are drawn from this many pairs at most, so that TensorBoard's files stay small.
_MAX_PAIRS = 200_000


class TrainingPictures(keras.callbacks.Callback):
    """Writes to TensorBoard: the learning rate, histograms of distances, retrieval examples and, once, augmented photos.

    Put it behind `Validation` in the list of callbacks.

    Args:
        folder: the run's folder for TensorBoard.
        read_embeddings: returns the vectors of the validation photos of the epoch that has just ended, float32 (N, D).
        files: cached files of the validation photos, in the same order; without any only rate and augmentation are shown.
        identities: their people.
        views: their views.
        size_px: side of a cached photo.
        augment_files: cached files of a few training photos.
        augment_config: how training photos are changed.
        background: grey level 0..255 around a photo.
        seed: of the augmentation samples.
        every: epochs between pictures; histograms and rate come each epoch.
        num_queries: validation photos whose neighbours are shown.
    """

    def __init__(
        self,
        folder: Path,
        read_embeddings: Callable[[], npt.NDArray[np.float32]],
        files: Sequence[str],
        identities: Sequence[str],
        views: Sequence[str],
        size_px: int,
        augment_files: Sequence[str],
        augment_config: AugmentConfig,
        background: int,
        seed: int = 0,
        every: int = 5,
        num_queries: int = 6,
    ) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder / "pictures"))
        self._read_embeddings, self._files, self._size_px = read_embeddings, list(files), size_px
        self._people, self._views = np.asarray(identities), np.asarray(views)
        self._augment_files, self._augment_config = list(augment_files), augment_config
        self._background, self._seed, self._every, self._num_queries = background, seed, every, num_queries

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Show a few training photos as they are and as the network sees them."""
        if not self._augment_files:
            return
        images = load_cached(self._augment_files, self._size_px)
        sheet = draw_augmented(images, self._augment_config, self._background, self._seed)
        with self._writer.as_default():
            tf.summary.image("augmentation", sheet[None], step=0, description="Left: as decoded. Right: four draws.")
        self._writer.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the rate, the distances and, every few epochs, what is found for a few photos."""
        with self._writer.as_default():
            tf.summary.scalar("learning_rate", float(self.model.optimizer.learning_rate), step=epoch)
            if self._files:
                embeddings = self._read_embeddings()
                genuine, impostor = split_distances(embeddings, self._people, self._views)
                tf.summary.histogram("distance/genuine", genuine, step=epoch)
                tf.summary.histogram("distance/impostor", impostor, step=epoch)
                if epoch % self._every == 0:
                    tf.summary.image("retrieval", self._draw_retrieval(embeddings)[None], step=epoch)
        self._writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the file."""
        self._writer.close()

    def _draw_retrieval(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        queries, found = find_examples(embeddings, self._people, self._views, self._num_queries)
        rows = np.concatenate([queries[:, None], found], axis=1)
        images = load_cached([self._files[row] for row in rows.ravel()], self._size_px)
        same = self._people[rows] == self._people[queries][:, None]
        colors = np.where(same[..., None], _RIGHT, _WRONG).astype(np.uint8)
        colors[:, 0] = _QUERY
        return draw_sheet(images.reshape(*rows.shape, *images.shape[1:]), colors)


def split_distances(
    embeddings: npt.NDArray[np.float32], people: npt.NDArray[np.str_], views: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return Euclidean distances of back to palm photos of the same person and of different people.

    Args:
        embeddings: float32 (N, D), unit length.
        people: (N,).
        views: (N,) "dorsal" or "palmar".

    Returns:
        Genuine and impostor distances, 0..2; of very many impostors an even choice.
    """
    dorsal, palmar = np.flatnonzero(views == "dorsal"), np.flatnonzero(views == "palmar")
    similarity = embeddings[dorsal] @ embeddings[palmar].T
    distance = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * similarity))
    same = people[dorsal][:, None] == people[palmar][None]
    impostor = distance[~same]
    return distance[same], impostor[:: max(1, len(impostor) // _MAX_PAIRS)]


def find_examples(
    embeddings: npt.NDArray[np.float32],
    people: npt.NDArray[np.str_],
    views: npt.NDArray[np.str_],
    num_queries: int,
    num_found: int = 5,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the same few back photos each time, of different people, and the palm photos nearest to each.

    Args:
        embeddings: float32 (N, D), unit length.
        people: (N,).
        views: (N,) "dorsal" or "palmar".
        num_queries: how many people.
        num_found: palm photos for each.

    Returns:
        int64 (Q,) rows of the queries and (Q, K) rows of what was found, the nearest first.
    """
    dorsal, palmar = np.flatnonzero(views == "dorsal"), np.flatnonzero(views == "palmar")
    _, first = np.unique(people[dorsal], return_index=True)
    chosen = dorsal[first[:: max(1, len(first) // num_queries)][:num_queries]]
    order = np.argsort(-(embeddings[chosen] @ embeddings[palmar].T), axis=1, kind="stable")
    return chosen, palmar[order[:, :num_found]]


def draw_augmented(
    images: npt.NDArray[np.uint8], config: AugmentConfig, background: int, seed: int, num_draws: int = 4
) -> npt.NDArray[np.uint8]:
    """Return a sheet: each photo as it is, then as augmentation changes it in a few draws.

    Args:
        images: uint8 (N, S, S, 3).
        config: how they are changed.
        background: grey level 0..255 around a photo.
        seed: of the draws.
        num_draws: how many.

    Returns:
        uint8 (N · tile, (1 + num_draws) · tile, 3).
    """
    draws = [
        augment(tf.constant(images), tf.constant([seed, k], tf.int32), config, float(background))[0].numpy()
        for k in range(num_draws)
    ]
    grid = np.stack([images, *draws], axis=1)
    colors = np.full((*grid.shape[:2], 3), 255, np.uint8)
    colors[:, 0] = _QUERY
    return draw_sheet(grid, colors)


def draw_sheet(grid: npt.NDArray[np.uint8], colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Put photos in rows and columns, each in a frame of its colour.

    Args:
        grid: uint8 (R, C, S, S, 3).
        colors: uint8 (R, C, 3).

    Returns:
        uint8 (R · 96, C · 96, 3).
    """
    num_rows, num_columns = grid.shape[:2]
    sheet = Image.new("RGB", (num_columns * _TILE_PX, num_rows * _TILE_PX))
    inner_px = _TILE_PX - 2 * _FRAME_PX
    for row in range(num_rows):
        for column in range(num_columns):
            left, top = column * _TILE_PX, row * _TILE_PX
            frame = tuple(int(value) for value in colors[row, column])
            sheet.paste(frame, (left, top, left + _TILE_PX, top + _TILE_PX))
            tile = Image.fromarray(grid[row, column]).resize((inner_px, inner_px), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left + _FRAME_PX, top + _FRAME_PX))
    return np.asarray(sheet)
