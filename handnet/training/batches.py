"""From decoded photos or their features to training batches: tf.data from index plans."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.settings import Config
from handnet.data.batch_plan import FloatArray, Pool, build_pools, plan_pairs, plan_people
from handnet.data.example import Example, view_index
from handnet.embedding.features import FeatureViews
from handnet.images.augment import augment
from handnet.images.photo_store import read_cached
from handnet.training.nodes import ALONE, Nodes
from handnet.training.objective import choose_sampler

# (positions (B,), seed (2,)) -> what the network takes (B, …), and which photos are mirrored, bool (B,).
Load = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Plan(NamedTuple):
    """How the training photos are put into batches, known before any of them is decoded.

    Attributes:
        pools: the photos of each identity by view.
        labels: int32 (N, 3): identity, view, identity of the mirror image.
        batch_shape: shape of the photo positions of one batch.
        steps_per_epoch: batches in one epoch.
        num_identities: identities in the labels.
    """

    pools: list[Pool]
    labels: npt.NDArray[np.int32]
    batch_shape: tuple[int, ...]
    steps_per_epoch: int
    num_identities: int


def label_identities(examples: Sequence[Example], level: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return dense identity labels, and the labels that the mirrored photos have.

    Args:
        examples: the photos.
        level: "person", where a mirror image is still the same person, or "hand", where it is that person's other hand.

    Returns:
        (N,) label of each photo and (N,) label of its mirror image.
    """
    if level == "person":
        names = mirrored = [example.identity for example in examples]
    else:
        swapped = {"left": "right", "right": "left"}
        names = [f"{example.identity}/{example.side}" for example in examples]
        mirrored = [f"{example.identity}/{swapped.get(example.side, example.side)}" for example in examples]
    index = {name: k for k, name in enumerate(dict.fromkeys([*names, *mirrored]))}
    return np.asarray([index[name] for name in names]), np.asarray([index[name] for name in mirrored])


def plan_training(examples: Sequence[Example], config: Config) -> Plan:
    """Plan the batches.

    Raises:
        ConfigError: a sampler that does not fit the loss.
        DataError: there are too few people or photos for a batch.
    """
    identities, mirrored = label_identities(examples, config.data.identity)
    views = [example.view for example in examples]
    pools = build_pools(identities, views)
    labels = np.stack([identities, [view_index(view) for view in views], mirrored], axis=1).astype(np.int32)
    steps_per_epoch, *batch_shape = _plan_epoch(pools, config, 0)[0].shape
    return Plan(pools, labels, tuple(batch_shape), steps_per_epoch, int(max(identities.max(), mirrored.max())) + 1)


class EpochTemplates:
    """Hands each epoch's templates from the thread that trains to the one that plans batches, which waits for them."""

    def __init__(self) -> None:
        self._changed, self._closed = threading.Condition(), False
        self._templates: dict[int, FloatArray] = {}

    def put(self, epoch: int, templates: FloatArray) -> None:
        """Give the templates (P, V, D) of an epoch."""
        with self._changed:
            self._templates = {epoch: templates}
            self._changed.notify_all()

    def wait(self, epoch: int) -> FloatArray | None:
        """Return the templates of an epoch once they are there, or None after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or epoch in self._templates)
            return None if self._closed else self._templates[epoch]

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def build_training_data(
    plan: Plan,
    photos: Sequence[str] | FeatureViews,
    config: Config,
    first_epoch: int = 0,
    templates: EpochTemplates | None = None,
    nodes: Nodes = ALONE,
) -> tf.data.Dataset:
    """Build the batches of all epochs from `first_epoch` on; a batch depends on the seed, its epoch and its number alone.

    A batch of people is (uint8 image (B, S, S, 3), int32 labels (B, 2) = [identity, view]); of pairs it is
    ({"first", "second"}: images, float32 (B, 1), 1 = same person). Of features it holds float32 (B, F) instead of images.

    Args:
        plan: from `plan_training`.
        photos: the cached file of each photo, or the photos' features.
        config: the settings.
        first_epoch: the epoch of the first batch.
        templates: of each epoch, where batches are made of people who look similar.
        nodes: the processes that train together: each reads its own rows of every batch, and they are the rows, changed the
            same way, that one process alone would read.
    """
    num_rows = int(np.prod(plan.batch_shape))
    rows_per_entry = num_rows // plan.batch_shape[0]
    own = nodes.share(plan.batch_shape[0])
    own_rows = slice(own.start * rows_per_entry, own.stop * rows_per_entry)

    def generate() -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int32]]]:
        for epoch in range(first_epoch, config.train.epochs):
            found = templates.wait(epoch) if templates else None
            if templates and found is None:
                return
            batches, targets = _plan_epoch(plan.pools, config, epoch, found)
            seeds = _draw_seeds(config.train.seed, epoch, len(batches))
            yield from zip(batches, targets, seeds, strict=True)

    dataset = tf.data.Dataset.from_generator(
        generate,
        output_signature=(
            tf.TensorSpec(plan.batch_shape, tf.int64),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((2,), tf.int32),
        ),
    )
    load = (
        _load_features(photos, own_rows, num_rows)
        if isinstance(photos, FeatureViews)
        else _load_images(photos, config, own_rows, num_rows)
    )
    label_table = tf.constant(plan.labels)

    def build_people(indices: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        del targets
        indices = indices[own]
        inputs, mirrored = load(indices, seed)
        rows = tf.gather(label_table, indices)
        return inputs, tf.stack([tf.where(mirrored, rows[:, 2], rows[:, 0]), rows[:, 1]], axis=1)

    def build_pairs(indices: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        inputs, _ = load(tf.reshape(indices[own], (-1,)), seed)
        inputs = tf.reshape(inputs, (own.stop - own.start, 2, *inputs.shape[1:]))
        return {"first": inputs[:, 0], "second": inputs[:, 1]}, tf.cast(targets[own], tf.float32)[:, None]

    build = build_pairs if choose_sampler(config) == "pairs" else build_people
    # Nothing in it needs AutoGraph, which makes tracing slower.
    build = tf.autograph.experimental.do_not_convert(build)
    dataset = dataset.map(build, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    if templates:
        # A plan that waits for its templates must not hold a thread that the model needs to make them.
        options = tf.data.Options()
        options.threading.private_threadpool_size = 2 + (os.cpu_count() or 1)
        dataset = dataset.with_options(options)
    return dataset


def _load_images(files: Sequence[str], config: Config, rows: slice, num_rows: int) -> Load:
    size_px, background, file_table = config.image.size_px, float(config.image.background), tf.constant(list(files))

    def load(indices: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        read_row = lambda file: read_cached(file, size_px)  # noqa: E731
        images = tf.map_fn(read_row, tf.gather(file_table, indices), fn_output_signature=tf.uint8)
        images, mirrored = augment(images, seed, config.augment, background, (rows.start, num_rows))
        return tf.ensure_shape(images, (None, size_px, size_px, 3)), mirrored

    return load


def _load_features(views: FeatureViews, rows: slice, num_rows: int) -> Load:
    num_views, width = views.values.shape[1:]
    with tf.device("CPU:0"):
        values = tf.constant(views.values.reshape(-1, width))
        mirrored = tf.constant(views.mirrored.ravel())

    def load(indices: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = tf.random.stateless_uniform((num_rows,), seed, 0, num_views, tf.int64, alg="philox")
        places = indices * num_views + drawn[rows]
        return tf.gather(values, places), tf.gather(mirrored, places)

    return load


def _plan_epoch(
    pools: Sequence[Pool], config: Config, epoch: int, templates: FloatArray | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    sampler, rng = config.sampler, np.random.default_rng([config.train.seed, epoch, 1])
    if choose_sampler(config) == "pairs":
        return plan_pairs(pools, sampler.pairs_per_batch, sampler.positive_fraction, sampler.passes_per_epoch, rng)
    plan = plan_people(
        pools,
        sampler.people_per_batch,
        sampler.photos_per_view,
        sampler.passes_per_epoch,
        rng,
        templates,
        sampler.alike_fraction,
    )
    return plan, np.zeros((len(plan), 0), dtype=np.int64)


def _draw_seeds(seed: int, epoch: int, count: int) -> npt.NDArray[np.int32]:
    rng = np.random.default_rng([seed, epoch, 2])
    return rng.integers(0, 2**31 - 1, size=(count, 2), dtype=np.int32)
