"""The store of decoded photos: each photo is decoded once, by THE decode, and read from the cache ever after."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.console import Progress, hide_progress
from handnet.data.cache import digest_bytes, find_photo_folder, mark_used, trim_cache, use_folder, write_cached
from handnet.data.checks import clean_jpeg, find_header_problem, needs_pillow, read_photo
from handnet.errors import DataError
from handnet.images.blank_check import is_blank
from handnet.images.decode import fit_photo, is_usable
from handnet.images.decode import read_photo as read_upright
from handnet.images.hand_facts import HandFacts, fit_with_facts, read_found_hand
from handnet.images.kept_photos import is_kept, place_photo, read_squares
from handnet.images.pillow_decode import decode_with_pillow
from handnet.images.pixel_rules import describe_rules
from handnet.images.seen_hand import SeenHand
from handnet.images.unusable_photos import DAMAGED, describe_problems, explain_problems, explain_unusable

# The square of an upright photo, whether it can be used, and what is known of its hand.
Fitted = tuple[tf.Tensor, tf.Tensor, HandFacts | None]
# A photo's bytes -> uint8 (S, S, 3) or None, and "" or the reason.
Decode = Callable[[bytes], tuple[npt.NDArray[np.uint8] | None, str]]


class Decoded(NamedTuple):
    """What came of one photo.

    Attributes:
        pixels: uint8 (S, S, 3), or None.
        problem: "" or the reason why there are none.
        hand: what the landmarks say of the hand; None where there are no pixels or crops do not go by landmarks.
    """

    pixels: npt.NDArray[np.uint8] | None
    problem: str
    hand: SeenHand | None = None


# Traced graphs are large: a process that goes through many settings keeps the latest ones alone.
_MAX_DECODERS = 8


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


def prepare_photos(paths: Sequence[str], config: ImageConfig, progress: Progress = hide_progress) -> PreparedPhotos:
    """Decode and resize every photo into the cache, in parallel; photos already there are not decoded again.

    Args:
        paths: the photos.
        config: how they are decoded; part of the cache's key.
        progress: told of (photos done, photos in all).

    Raises:
        DataError: some photos cannot be decoded, are blank, or show no hand where the hand is cropped; the first few are
            named with the reason.
    """
    prepared, problems = _prepare_all(paths, config, progress)
    if problems:
        raise DataError(explain_problems(problems, len(paths)))
    mark_used(Path(file) for file, _ in prepared)
    trim_cache()
    return PreparedPhotos([file for file, _ in prepared], [digest for _, digest in prepared])


def find_prepared(
    paths: Sequence[str], digests: Sequence[str], config: ImageConfig, progress: Progress = hide_progress
) -> PreparedPhotos:
    """Return photos that other machines have decoded; those that the cache of this one lacks are decoded here.

    Args:
        paths: the photos.
        digests: of their bytes, as `prepare_photos` returns them.
        config: how they are decoded.
        progress: told of (photos done, photos in all).

    Raises:
        DataError: see `prepare_photos`.
    """
    folder = find_photo_folder(describe_rules(config))
    files = [place_photo(folder, digest) for digest in digests]
    missing = [path for path, file in zip(paths, files, strict=True) if not file.exists()]
    if missing:
        prepare_photos(missing, config, progress)
    return PreparedPhotos([str(file) for file in files], list(digests))


def find_unusable(paths: Sequence[str], config: ImageConfig, progress: Progress = hide_progress) -> dict[str, str]:
    """Return the photos that `prepare_photos` refuses, each with the reason."""
    return _prepare_all(paths, config, progress)[1]


def _prepare_all(
    paths: Sequence[str], config: ImageConfig, progress: Progress
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return (file in the cache, digest) of each photo, and the reason of each that cannot be used."""
    folder = find_photo_folder(describe_rules(config))
    use_folder(folder)
    decode = build_decoder(config)
    lock, done, problems = threading.Lock(), 0, dict[str, str]()

    count = progress("decode photos")

    def prepare(path: str) -> tuple[str, str]:
        nonlocal done
        file, digest, problem = _prepare_photo(path, folder, config, decode)
        with lock:
            done += 1
            if problem:
                problems[path] = problem
            count(done, len(paths))
        return file, digest

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            prepared = list(pool.map(prepare, paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return prepared, problems


@lru_cache(_MAX_DECODERS)
def build_decoder(config: ImageConfig) -> Decode:
    """Return a function, for any thread, from a photo's bytes to its pixels, and "" or the reason why there are none.

    It is traced once for each config: with a crop to the hand that costs seconds.
    """

    def fit(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        square = fit_photo(photo, config)
        return square, is_usable(photo, square, config), None

    # Where landmarks say nothing both decoders are one.
    decode = _build(config, fit) if config.hand_finder == "landmarks" else build_hand_decoder(config)
    return lambda contents: decode(contents)[:2]


@lru_cache(_MAX_DECODERS)
def build_hand_decoder(config: ImageConfig) -> Callable[[bytes], Decoded]:
    """Return a function as `build_decoder` does, which also tells what the landmarks say of the hand."""
    return _build(config, lambda photo: fit_with_facts(photo, config))


def build_keeping_decoder(config: ImageConfig) -> Callable[[bytes], Decoded]:
    """Return a function as `build_hand_decoder` does, which reads and fills the cache of photos.

    Where crops go by landmarks it decodes each photo: the cache holds pixels, and not what is known of the hand.
    """
    decode = build_hand_decoder(config)
    if config.hand_finder == "landmarks":
        return decode
    folder, size = find_photo_folder(describe_rules(config)), config.size_px
    use_folder(folder)

    def find(contents: bytes) -> Decoded:
        digest = digest_bytes(contents)
        file = place_photo(folder, digest)
        if is_kept(file, config):
            return Decoded(np.fromfile(file, np.uint8).reshape(size, size, 3), "")
        found = decode(contents)
        if found.pixels is not None:
            write_cached(file, found.pixels.tobytes())
        return found

    return find


def read_hands(paths: Sequence[str], config: ImageConfig) -> list[SeenHand]:
    """Return what the landmarks say of the hands of photos, in order; nothing where crops do not go by landmarks.

    Raises:
        DataError: a photo that cannot be decoded, is blank or shows no hand.
    """
    if config.hand_finder != "landmarks":
        return []
    decode, hands, problems = build_hand_decoder(config), [], dict[str, str]()
    for path in paths:
        contents, problem = read_photo(path)
        decoded = Decoded(None, problem) if problem else decode(contents)
        if decoded.hand is None:
            problems[path] = decoded.problem
        else:
            hands.append(decoded.hand)
    if problems:
        raise DataError(describe_problems(problems, len(paths)))
    return hands


def _build(config: ImageConfig, fit: Callable[[tf.Tensor], Fitted]) -> Callable[[bytes], Decoded]:
    def fit_and_look(photo: tf.Tensor) -> tuple[Fitted, tf.Tensor]:
        return fit(photo), is_blank(photo)

    lock, traced = threading.Lock(), list[Callable[[tf.Tensor], tuple[Fitted, tf.Tensor]]]()

    def trace() -> Callable[[tf.Tensor], tuple[Fitted, tf.Tensor]]:
        # When the first photo comes that is not in the cache: it takes seconds where a hand is found.
        with lock:
            if not traced:
                function = tf.function(
                    lambda contents: fit_pixels(read_upright(contents, config)),
                    input_signature=[tf.TensorSpec((), tf.string)],
                    autograph=False,
                )
                traced.append(function.get_concrete_function())
        return traced[0]

    # Traced when the first such photo comes.
    fit_pixels = tf.function(fit_and_look, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)

    def decode(contents: bytes) -> Decoded:
        if problem := find_header_problem(contents):
            return Decoded(None, problem)
        contents, problem = clean_jpeg(contents)
        if problem:
            return Decoded(None, problem)
        load = trace()
        try:
            (square, ok, facts), blank = (
                fit_pixels(tf.constant(decode_with_pillow(contents)))
                if needs_pillow(contents)
                else load(tf.constant(contents))
            )
        except (tf.errors.InvalidArgumentError, ValueError):
            return Decoded(None, DAMAGED)
        if not ok:
            return Decoded(None, explain_unusable(bool(blank), config))
        return Decoded(square.numpy(), "", None if facts is None else read_found_hand(HandFacts(*facts)))

    return decode


def _prepare_photo(path: str, folder: Path, config: ImageConfig, decode: Decode) -> tuple[str, str, str]:
    contents, problem = read_photo(path)
    if problem:
        return "", "", problem
    digest = digest_bytes(contents)
    file = place_photo(folder, digest)
    if is_kept(file, config):
        return str(file), digest, ""
    pixels, problem = decode(contents)
    if pixels is None:
        return "", digest, problem
    write_cached(file, pixels.tobytes())
    return str(file), digest, ""


def read_photos(files: Sequence[str], size_px: int, batch_size: int) -> tf.data.Dataset:
    """Return batches of cached photos in order, uint8 (<= batch_size, S, S, 3), the last one smaller."""
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(list(files), tf.string))
    dataset = dataset.map(lambda file: read_cached(file, size_px), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(2)


def load_cached(files: Sequence[str], size_px: int) -> npt.NDArray[np.uint8]:
    """Return cached photos as one array, uint8 (N, S, S, 3): for the few that are drawn."""
    return read_squares(files, size_px)


def read_cached(file: tf.Tensor, size_px: int) -> tf.Tensor:
    """Return the pixels of one stored photo, uint8 (S, S, 3), by TensorFlow operations."""
    pixels = tf.io.decode_raw(tf.io.read_file(file), tf.uint8)
    return tf.reshape(pixels, (size_px, size_px, 3))
