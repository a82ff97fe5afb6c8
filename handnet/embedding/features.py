"""Features of a frozen backbone: computed once for each photo and augmented picture of it, and kept in the cache.

Each photo has a small file under the digest of its bytes, in a folder named after all that decides the features: the
digest of the backbone's weights, the architecture, how photos are decoded, the augmentation and its seed, the precision and
the engine that computed them. Sources that are joined have a folder each. So a change of any of them, or of a photo, never
meets the features of before. Files are written whole and renamed: what a killed process has computed is kept, and several
may fill one folder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.augmentation import AugmentConfig
from handnet.config.image import ImageConfig
from handnet.config.settings import Config, ModelConfig
from handnet.console import Count, Progress, hide_progress
from handnet.data.cache import digest_bytes, find_feature_folder, mark_used, trim_cache, use_folder, write_cached
from handnet.embedding.engine_names import BFLOAT16, OPENVINO, OPENVINO_BFLOAT16, PRECISIONS
from handnet.embedding.engines import Engine, build_engine, choose_engine
from handnet.embedding.feature_check import MAX_ASKED_ERROR, MAX_ERROR, NUM_CHECKED, check_features
from handnet.embedding.loop import embed_each
from handnet.errors import DataError
from handnet.images.augment import DRAWS, NUM_FIRST_DRAWS, augment_with_draws
from handnet.images.backgrounds import collect_grounds
from handnet.images.photo_store import PreparedPhotos, load_cached, read_photos
from handnet.images.pixel_rules import describe_rules
from handnet.networks.backbones.parameters import digest_weights
from handnet.networks.backbones.sources import list_used

Floats = npt.NDArray[np.float32]
# Raised whenever a backbone's arithmetic or the augmentation changes what it gives.
FEATURES_VERSION = 1
# Of the settings of the model, those that the backbone's output does not depend on, or its weights already tell.
_HEAD_SETTINGS = (
    "weights",
    "trainable",
    "freeze_norms",
    "head",
    "lda_penalty",
    "lda_view_penalty",
    "hidden_size",
    "embedding_size",
    "dropout",
)
# Of those of a source: its weights count by their digest, not by their name.
_NOT_OF_FEATURES = ("weights", "score_weight", "optional")


class FeatureViews(NamedTuple):
    """Features of the training photos, from which batches are drawn instead of pixels.

    Attributes:
        values: float32 (N, V, F), the features of V pictures of each photo.
        mirrored: bool (N, V), which of these pictures are mirror images.
    """

    values: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.bool_]


def is_augmenting(config: AugmentConfig) -> bool:
    """Return whether the augmentation changes anything."""
    return any(value > 0 for name, value in asdict(config).items() if name.endswith("_probability"))


def count_views(config: Config) -> int:
    """Return how many pictures of each training photo are kept: one where nothing is augmented."""
    return config.features.views if is_augmenting(config.augment) else 1


def compute_features(
    backbone: keras.Model,
    photos: PreparedPhotos,
    image: ImageConfig,
    model: ModelConfig,
    batch_size: int = 32,
    progress: Progress = hide_progress,
    engine: str = "auto",
) -> Floats:
    """Return the features of photos, from the cache where they are known.

    All of one call come from one engine. "auto" prefers what TensorFlow has computed; what another engine has computed it
    takes where that is known of all photos, or where that engine is the faster one for those that are missing.

    Args:
        backbone: image (B, S, S, 3) of 0..255 → features (B, F), built under the precision that is wanted.
        photos: from `prepare_photos` with the same `image`.
        image: how the photos were decoded.
        model: what the backbone was built from.
        batch_size: pictures at a time.
        progress: told of (pictures done, pictures in all).
        engine: `features.engine`.

    Returns:
        float32 (N, F).

    Raises:
        DataError: features that are not finite.
        DiskError: the cache cannot be written.
        ConfigError: the engine's package is not installed.
        RunError: the engine's features are too far from TensorFlow's.
    """
    parts = []
    for part, settings in _list_parts(backbone, image, model):
        name = "compute features" if part is backbone else f"compute features of {settings['name']}"
        job = _Job(part, image, settings, _as_they_are, 1, batch_size, engine)
        parts.append(_compute(job, photos, name, progress)[:, 0])
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def compute_views(
    backbone: keras.Model,
    photos: PreparedPhotos,
    config: Config,
    batch_size: int = 32,
    progress: Progress = hide_progress,
) -> FeatureViews:
    """Return the features of training photos as they are (view 0) and augmented, from the cache where they are known.

    An augmented picture depends on the photo's content, the seed and the number of the view alone.

    Args:
        backbone: as `compute_features`.
        photos: from `prepare_photos`.
        config: `image`, `augment`, `model`, `features` and `train.seed`.
        batch_size: pictures at a time.
        progress: told of (pictures done, pictures in all).

    Raises:
        HandnetError: as `compute_features`.
    """
    engine = config.features.engine
    plain = compute_features(backbone, photos, config.image, config.model, batch_size, progress, engine)[:, None]
    num_augmented = count_views(config) - 1
    if not num_augmented:
        return FeatureViews(plain, np.zeros((len(plain), 1), bool))
    seed, background = config.train.seed, float(config.image.background)
    augmentation = {"augment": asdict(config.augment), "seed": seed}
    if config.augment.background_probability:
        # A folder of grounds is known by its photos, not by its name.
        grounds = collect_grounds(config.augment.background_folder, config.image.size_px)
        augmentation["grounds"] = digest_bytes(grounds.tobytes())
    settings = {**_describe(backbone, config.image, config.model), **augmentation}

    @tf.function(reduce_retracing=True, autograph=False)
    def change(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        sides = tf.zeros((tf.shape(images)[0],), tf.int32)
        changed, _ = augment_with_draws(tf.cast(images, tf.float32), sides, draws, config.augment, background)
        # As training sees them: pixels of 8 bits.
        return tf.cast(tf.round(changed), tf.uint8)

    def prepare(images: tf.Tensor, digests: Sequence[str]) -> tf.Tensor:
        draws = np.concatenate([draw_uniforms(digest, seed, num_augmented) for digest in digests])
        return change(tf.repeat(images, num_augmented, axis=0), draws)

    job = _Job(backbone, config.image, settings, prepare, num_augmented, batch_size, engine)
    augmented = _compute(job, photos, "compute features of augmented photos", progress)
    column = DRAWS.index("flip")
    draws = np.stack([draw_uniforms(digest, seed, num_augmented)[:, column] for digest in photos.digests])
    mirrored = np.concatenate([np.zeros((len(plain), 1), bool), draws < config.augment.flip_probability], axis=1)
    return FeatureViews(np.concatenate([plain, augmented], axis=1), mirrored)


def draw_uniforms(digest: str, seed: int, num_views: int) -> Floats:
    """Return the random numbers that decide the augmented views of a photo, float32 (num_views, 28) of 0..1.

    Args:
        digest: the digest of the photo, hexadecimal.
        seed: seed of the run.
        num_views: augmented views; more of them leave the first ones as they are.
    """
    shapes = (num_views, NUM_FIRST_DRAWS), (num_views, len(DRAWS) - NUM_FIRST_DRAWS)
    # Columns that were added later have numbers of their own, as in `augment_batch`.
    keys = [seed, int(digest, 16)], [seed, int(digest, 16), 1]
    drawn = [
        np.random.default_rng(key).random(shape, dtype=np.float32) for key, shape in zip(keys, shapes, strict=True)
    ]
    return np.concatenate(drawn, axis=1)


def _list_parts(
    backbone: keras.Model, image: ImageConfig, model: ModelConfig
) -> Iterator[tuple[keras.Model, Mapping[str, Any]]]:
    """Yield the sources of a backbone that joins some, else itself, each with all that decides its features."""
    if not model.sources:
        yield backbone, _describe(backbone, image, model)
        return
    # By what a source sees: its features are known whatever the others are.
    seen = {tile.crop: describe_rules(tile) for tile in image.tiles}
    for name, source in list_used(model.sources).items():
        part = keras.Model(backbone.input, backbone.get_layer(name).output)
        known = {"version": FEATURES_VERSION, "weights": digest_weights(part), "name": name}
        yield (
            part,
            {
                **known,
                "source": {key: value for key, value in asdict(source).items() if key not in _NOT_OF_FEATURES},
                "image": seen[source.crop],
                "precision": backbone.dtype_policy.name,
            },
        )


def _describe(backbone: keras.Model, image: ImageConfig, model: ModelConfig) -> Mapping[str, Any]:
    return {
        "version": FEATURES_VERSION,
        "weights": digest_weights(backbone),
        # A new setting of the model counts, unless it is listed as one that does not change the features.
        "model": {
            name: value
            for name, value in asdict(model).items()
            if name not in _HEAD_SETTINGS and not (name == "sources" and not value)
        },
        "image": describe_rules(image),
        "precision": backbone.dtype_policy.name,
    }


def _as_they_are(images: tf.Tensor, digests: Sequence[str]) -> tf.Tensor:
    del digests
    return images


class _Job(NamedTuple):
    """What is computed of each photo.

    Attributes:
        backbone: the network.
        image: how the photos were decoded.
        settings: all that decides the features, the engine apart.
        prepare: turns n photos into n × num_views pictures.
        num_views: pictures of each photo.
        batch_size: pictures at a time.
        engine: `features.engine`.
    """

    backbone: keras.Model
    image: ImageConfig
    settings: Mapping[str, Any]
    prepare: Callable[[tf.Tensor, Sequence[str]], tf.Tensor]
    num_views: int
    batch_size: int
    engine: str

    @property
    def photos_at_once(self) -> int:
        return max(1, self.batch_size // self.num_views)


class _Known(NamedTuple):
    """What a folder of the cache holds: features (N, V, F), and the rows of each photo, by its digest, that it lacks."""

    folder: Path
    features: Floats
    missing: Mapping[str, list[int]]


def _compute(job: _Job, photos: PreparedPhotos, name: str, progress: Progress) -> Floats:
    """Return (N, num_views, F)."""
    known = _find_known(job, photos)
    if known.missing:
        engine = _build_engine(job, photos, known.missing)
        # Another engine has a folder of its own.
        known = _read_known(job, photos, (engine.name, engine.precision))
        _fill(job, photos, known, engine, progress(f"{name} by {engine.name} in {engine.precision}"))
    mark_used(known.folder / digest[:2] / digest for digest in dict.fromkeys(photos.digests))
    if known.missing:
        trim_cache()
    return known.features


def _find_known(job: _Job, photos: PreparedPhotos) -> _Known:
    """Return the features of an engine that may be taken and has those of all photos, TensorFlow's first; else TensorFlow's."""
    exact = _read_known(job, photos, None)
    if job.engine == "tensorflow" or (job.engine == "auto" and not exact.missing):
        return exact
    wanted = OPENVINO if job.engine == OPENVINO_BFLOAT16 else job.engine
    for way in ((name, each) for name in PRECISIONS if wanted in ("auto", name) for each in PRECISIONS[name]):
        known = _read_known(job, photos, way)
        if not known.missing:
            return known
    return exact if exact.missing else known


def _read_known(job: _Job, photos: PreparedPhotos, engine: tuple[str, str] | None) -> _Known:
    # TensorFlow's precision is that of the backbone, which the settings hold.
    own = engine is None or engine[0] == "tensorflow"
    settings: dict[str, Any] = dict(job.settings) if own else {**job.settings, "engine": engine}
    if engine == (OPENVINO, BFLOAT16) and job.engine == OPENVINO_BFLOAT16:
        # Apart from those of a smaller error, which "auto" may take.
        settings["max error"] = MAX_ASKED_ERROR
    folder = find_feature_folder(settings)
    use_folder(folder)
    width = job.backbone.output_shape[-1]
    features = np.empty((len(photos.digests), job.num_views, width), np.float32)
    missing: dict[str, list[int]] = {}
    for row, digest in enumerate(photos.digests):
        values = _read(folder / digest[:2] / digest, job.num_views, width)
        if values is None:
            missing.setdefault(digest, []).append(row)
        else:
            features[row] = values
    return _Known(folder, features, missing)


def _build_engine(job: _Job, photos: PreparedPhotos, missing: Mapping[str, list[int]]) -> Engine:
    name, max_error = (OPENVINO, MAX_ASKED_ERROR) if job.engine == OPENVINO_BFLOAT16 else (job.engine, MAX_ERROR)
    if name == "auto":
        # Other engines take a network in float32.
        exact = job.backbone.dtype_policy.name == "float32"
        name = choose_engine(job.backbone, len(missing) * job.num_views, job.settings) if exact else "tensorflow"
    pictures_at_once = job.photos_at_once * job.num_views
    if name == "tensorflow":
        return build_engine(name, job.backbone, job.image, pictures_at_once)
    digests = list(missing)[:: max(1, len(missing) // NUM_CHECKED)][:NUM_CHECKED]
    some = load_cached([photos.files[missing[digest][0]] for digest in digests], job.image.size_px)
    samples = np.asarray(job.prepare(some, digests))[:pictures_at_once]
    check = partial(check_features, max_error=max_error)
    engine = build_engine(name, job.backbone, job.image, pictures_at_once, samples, check, job.settings)
    check(engine, job.backbone, samples[:NUM_CHECKED])
    return engine


def _fill(job: _Job, photos: PreparedPhotos, known: _Known, engine: Engine, count: Count) -> None:
    """Compute the features that are missing, and write them to the cache."""
    digests, photos_at_once, done = list(known.missing), job.photos_at_once, 0
    files = [photos.files[known.missing[digest][0]] for digest in digests]
    groups = [digests[begin : begin + photos_at_once] for begin in range(0, len(digests), photos_at_once)]
    images = zip(read_photos(files, job.image.size_px, photos_at_once), groups, strict=True)
    pictures = (np.asarray(job.prepare(photo_images, some)) for photo_images, some in images)
    for some, rows in zip(groups, embed_each(engine.embed, pictures), strict=True):
        for digest, values in zip(some, rows.reshape(len(some), job.num_views, -1), strict=True):
            if not np.isfinite(values).all():
                path = photos.files[known.missing[digest][0]]
                raise DataError(
                    f"The backbone gives features that are not finite for a photo ({path!r} in the cache). Its weights are "
                    "damaged, or the precision is too low: use --precision float32."
                )
            _write(known.folder / digest[:2] / digest, values)
            known.features[known.missing[digest]] = values
        done += len(some)
        count(done * job.num_views, len(digests) * job.num_views)


def _read(file: Path, num_views: int, width: int) -> Floats | None:
    """Return the first `num_views` rows of a file, or None where it holds fewer whole ones."""
    try:
        values = np.fromfile(file, np.float32, count=num_views * width)
    except FileNotFoundError:
        return None
    return values.reshape(num_views, width) if len(values) == num_views * width else None


def _write(file: Path, values: Floats) -> None:
    write_cached(file, np.ascontiguousarray(values).tobytes())
