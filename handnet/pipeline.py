"""From photos on disk to batches: decode once into the cache, then tf.data from index plans."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.augment import augment_batch
from handnet.cache import digest_bytes, find_photo_folder, mark_used, trim_cache, use_folder
from handnet.config import AugmentConfig, Config, ImageConfig
from handnet.datasets.checks import find_header_problem
from handnet.errors import DataError, DiskError
from handnet.example import Example, view_index
from handnet.files import write_bytes
from handnet.images import load_photo
from handnet.sampling import FloatArray, Pool, build_pools, plan_pairs, plan_people

Progress = Callable[[int, int], None]
# A photo's bytes -> uint8 (S, S, 3) or None, and "" or the reason.
Decode = Callable[[bytes], tuple[npt.NDArray[np.uint8] | None, str]]
_MAX_NAMED = 5


class PreparedPhotos(NamedTuple):
    """Decoded photos in the cache, in the order of the examples.

    Attributes:
        files: the cached file of each photo: size_px × size_px × 3 bytes.
        digests: the digest of each photo's original bytes.
    """

    files: list[str]
    digests: list[str]

    def select(self, begin: int, end: int) -> "PreparedPhotos":
        """Return the photos from `begin` to before `end`."""
        return PreparedPhotos(self.files[begin:end], self.digests[begin:end])


def prepare_photos(paths: Sequence[str], config: ImageConfig, progress: Progress | None = None) -> PreparedPhotos:
    """Decode and resize every photo into the cache, in parallel; photos already there are not decoded again.

    Args:
        paths: the photos.
        config: how they are decoded; part of the cache's key.
        progress: called with (photos done, photos in all).

    Raises:
        DataError: some photos cannot be decoded; the first few are named with the reason.
    """
    folder = find_photo_folder(config)
    use_folder(folder)
    decode = build_decoder(config)
    lock, done, problems = threading.Lock(), 0, dict[str, str]()

    num_bytes = config.size_px * config.size_px * 3

    def prepare(path: str) -> tuple[str, str]:
        nonlocal done
        file, digest, problem = _prepare_photo(path, folder, num_bytes, decode)
        with lock:
            done += 1
            if problem:
                problems[path] = problem
            if progress is not None:
                progress(done, len(paths))
        return file, digest

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            prepared = list(pool.map(prepare, paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if problems:
        advice = "Repair or remove them (`handnet data check` lists them all)."
        raise DataError(f"{describe_problems(problems, len(paths))} {advice}")
    mark_used(Path(file) for file, _ in prepared)
    trim_cache()
    return PreparedPhotos([file for file, _ in prepared], [digest for _, digest in prepared])


def describe_problems(problems: Mapping[str, str], num_photos: int) -> str:
    """Return one sentence: how many photos cannot be decoded, and the first few with the reason."""
    named = "; ".join(f"{path!r}: {problems[path]}" for path in sorted(problems)[:_MAX_NAMED])
    more = f" and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else ""
    return f"{len(problems)} of {num_photos} photos cannot be decoded: {named}{more}."


def build_decoder(config: ImageConfig) -> Decode:
    """Return a function, for any thread, from a photo's bytes to its pixels, and "" or the reason why there are none."""
    load = tf.function(
        lambda contents: load_photo(contents, config), input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    ).get_concrete_function()

    def decode(contents: bytes) -> tuple[npt.NDArray[np.uint8] | None, str]:
        problem = find_header_problem(contents)
        if problem:
            return None, problem
        try:
            return load(tf.constant(contents)).numpy(), ""
        except tf.errors.InvalidArgumentError:
            return None, "damaged or truncated: it cannot be decoded whole"

    return decode


def _prepare_photo(path: str, folder: Path, num_bytes: int, decode: Decode) -> tuple[str, str, str]:
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        return "", "", error.strerror or str(error)
    digest = digest_bytes(contents)
    file = folder / digest[:2] / digest
    # A power cut can leave a file that was renamed and never filled.
    if file.exists() and file.stat().st_size == num_bytes:
        return str(file), digest, ""
    pixels, problem = decode(contents)
    if pixels is None:
        return "", digest, problem
    try:
        write_bytes(file, pixels.tobytes())
    except DiskError as error:
        raise DiskError(f"{error} HANDNET_CACHE names another folder for the cache of decoded photos.") from None
    return str(file), digest, ""


def read_photos(files: Sequence[str], size_px: int, batch_size: int) -> tf.data.Dataset:
    """Return batches of cached photos in order, uint8 (<= batch_size, S, S, 3), the last one smaller."""
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(list(files), tf.string))
    dataset = dataset.map(lambda file: _read_cached(file, size_px), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(2)


def load_cached(files: Sequence[str], size_px: int) -> npt.NDArray[np.uint8]:
    """Return cached photos as one array, uint8 (N, S, S, 3): for the few that are drawn."""
    return np.stack([np.fromfile(file, dtype=np.uint8).reshape(size_px, size_px, 3) for file in files])


def _read_cached(file: tf.Tensor, size_px: int) -> tf.Tensor:
    pixels = tf.io.decode_raw(tf.io.read_file(file), tf.uint8)
    return tf.reshape(pixels, (size_px, size_px, 3))


class FeatureViews(NamedTuple):
    """Features of the training photos, from which batches are drawn instead of pixels.

    Attributes:
        values: float32 (N, V, F), the features of V pictures of each photo.
        mirrored: bool (N, V), which of these pictures are mirror images.
    """

    values: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.bool_]


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
) -> tf.data.Dataset:
    """Build the batches of all epochs from `first_epoch` on; a batch depends on the seed, its epoch and its number alone.

    A batch of the sampler "people" is (uint8 image (B, S, S, 3), int32 labels (B, 2) = [identity, view]); of "pairs" it is
    ({"first", "second"}: images, float32 (B, 1), 1 = same person). Of features it holds float32 (B, F) instead of images.

    Args:
        plan: from `plan_training`.
        photos: the cached file of each photo, or the photos' features.
        config: the settings.
        first_epoch: the epoch of the first batch.
        templates: of each epoch, where batches are made of people who are alike.
    """

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
    load = _load_features(photos) if isinstance(photos, FeatureViews) else _load_images(photos, config)
    label_table = tf.constant(plan.labels)

    def build_people(indices: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        del targets
        inputs, mirrored = load(indices, seed)
        rows = tf.gather(label_table, indices)
        return inputs, tf.stack([tf.where(mirrored, rows[:, 2], rows[:, 0]), rows[:, 1]], axis=1)

    def build_pairs(indices: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        inputs, _ = load(tf.reshape(indices, (-1,)), seed)
        inputs = tf.reshape(inputs, (plan.batch_shape[0], 2, *inputs.shape[1:]))
        return {"first": inputs[:, 0], "second": inputs[:, 1]}, tf.cast(targets, tf.float32)[:, None]

    build = build_pairs if config.sampler.name == "pairs" else build_people
    dataset = dataset.map(build, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    if templates:
        # A plan that waits for its templates must not hold a thread that the model needs to make them.
        options = tf.data.Options()
        options.threading.private_threadpool_size = 2 + (os.cpu_count() or 1)
        dataset = dataset.with_options(options)
    return dataset


def _load_images(files: Sequence[str], config: Config) -> Load:
    size_px, background, file_table = config.image.size_px, float(config.image.background), tf.constant(list(files))

    def load(indices: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        read_row = lambda file: _read_cached(file, size_px)  # noqa: E731
        images = tf.map_fn(read_row, tf.gather(file_table, indices), fn_output_signature=tf.uint8)
        images, mirrored = augment(images, seed, config.augment, background)
        return tf.ensure_shape(images, (None, size_px, size_px, 3)), mirrored

    return load


def _load_features(views: FeatureViews) -> Load:
    num_views, width = views.values.shape[1:]
    with tf.device("CPU:0"):
        values = tf.constant(views.values.reshape(-1, width))
        mirrored = tf.constant(views.mirrored.ravel())

    def load(indices: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = tf.random.stateless_uniform(tf.shape(indices), seed, 0, num_views, tf.int64, alg="philox")
        rows = indices * num_views + drawn
        return tf.gather(values, rows), tf.gather(mirrored, rows)

    return load


def augment(
    images: tf.Tensor, seed: tf.Tensor, config: AugmentConfig, background: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment a uint8 batch (B, S, S, 3) by a stateless seed; return it as uint8 and which photos were mirrored, bool (B,)."""
    left = tf.zeros((tf.shape(images)[0],), tf.int32)
    changed, sides = augment_batch(tf.cast(images, tf.float32), left, seed, config, background=background)
    return tf.cast(tf.round(tf.clip_by_value(changed, 0.0, 255.0)), tf.uint8), sides == 1


def _plan_epoch(
    pools: Sequence[Pool], config: Config, epoch: int, templates: FloatArray | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    sampler, rng = config.sampler, np.random.default_rng([config.train.seed, epoch, 1])
    if sampler.name == "pairs":
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
