"""Exported models: photo bytes in, unit vectors out, with the decoding inside the graph; or the encoder in other formats."""

import gc
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handnet.config.image import ImageConfig
from handnet.console import Echo, count_of
from handnet.embedding.encode import embed_once
from handnet.errors import RunError
from handnet.export.checked_format import compare_format, write_format
from handnet.export.compare_archive import Reference
from handnet.export.exported_model import FACTS_FILE, digest_graph, list_versions
from handnet.export.signatures import PairHead, score_squares
from handnet.export.warmup import write_warmup
from handnet.files import hold_lock, new_folder, remove_leftovers
from handnet.images.hand_finder import PIXELS_VERSION, describe_pixels
from handnet.images.hand_models.models import share_hand_models
from handnet.images.photo_store import PreparedPhotos, load_cached, prepare_photos
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.backbones.parameters import digest_weights
from handnet.networks.encoder import Encoder
from handnet.networks.formats import FORMATS, check_format
from handnet.networks.garbage import pause_collections
from handnet.networks.pair_classifier import build_siamese
from handnet.networks.tensorflow_errors import explain_failures

MAX_ERROR = 1e-5
CARD_FILE = "MODEL_CARD.md"


class Export(NamedTuple):
    """A written model.

    Attributes:
        folder: NAME/VERSION.
        num_checked: photos whose vectors were compared with the encoder's.
        max_error: the largest absolute difference found.
        signatures: names of the SavedModel's signatures; none in other formats.
    """

    folder: Path
    num_checked: int
    max_error: float
    signatures: tuple[str, ...] = ()


def export_encoder(
    encoder: Encoder,
    image: ImageConfig,
    folder: Path,
    check_paths: Sequence[str],
    *,
    format_name: str = "savedmodel",
    calibration: Calibration | None = None,
    head: PairHead | None = None,
    card: str = "",
    facts: Mapping[str, Any] | None = None,
    echo: Echo = lambda line: None,
) -> Export:
    """Write the encoder at the next version number under `folder`, checked on photos before the version appears.

    A SavedModel has the signatures of `handnet.export.signatures` and warm-up requests for TensorFlow Serving. The other
    formats hold the encoder alone: float32 (B, S, S, 3), values 0..255, to vectors. Next to the model lie `handnet_model.json`
    (how photos are decoded, calibration, where it comes from) and the model card. LoRA's updates are merged into the matrices.

    Args:
        encoder: what is exported, LoRA merged.
        image: how photos were decoded in training.
        folder: the model's folder, e.g. saved_models/NAME; TensorFlow Serving's layout.
        check_paths: photos on which the written model must give the encoder's vectors; one at least.
        format_name: a name of FORMATS.
        calibration: from similarity to probability; without it there is no signature `verify`.
        head: decides on pairs in `verify`, in place of the cosine and its calibration.
        card: the model card, Markdown; "" writes none.
        facts: more for `handnet_model.json`, e.g. where the model comes from.
        echo: told of each step as it begins: they take a minute together.

    Raises:
        ConfigError: an unknown format, or one whose packages are not installed.
        DiskError: the folder cannot be written, or another process is exporting into it.
        DeviceError: the memory of the device does not suffice.
        RunError: the vectors differ by more than 1e-5, or the folder holds another format; nothing is left in `folder`.
    """
    check_format(format_name)
    if not check_paths:
        raise RunError("There are no photos to check the exported model on. Give a data set that has some: --data DIR.")
    if image.hand_finder == "landmarks":
        # Read once, before two threads need them.
        share_hand_models()
    with hold_lock(folder), explain_failures(folder), ThreadPoolExecutor(1) as pool:
        _check_unmixed(folder, format_name)
        # Nobody else is writing here: what lies there was left by an export that was killed.
        remove_leftovers(folder)
        target = folder / str(find_next_version(folder))
        # Decoded while the model is written: both trace graphs, but only this one has TensorFlow optimise and run one.
        prepared = pool.submit(prepare_photos, check_paths, image)
        with new_folder(target) as model:
            echo(f"writing the model as {format_name}")
            with pause_collections():
                signatures = write_format(format_name, encoder, image, calibration, model, head)
                # The graphs that were traced are freed, once, and not looked for again and again while others are loaded.
                gc.collect()
                if signatures:
                    write_warmup(model, folder.name, signatures)
                echo(f"comparing it with the run on {count_of(len(check_paths), 'photo')}; it appears when they agree")
                max_error = _check(encoder, image, model, check_paths, prepared, format_name, calibration, head)
            _describe(model, format_name, encoder, image, calibration, head, signatures, max_error, card, facts or {})
    return Export(target, len(check_paths), max_error, tuple(signatures))


def digest_encoder(encoder: Encoder, image: ImageConfig) -> str:
    """Return the digest of an encoder: equal for a run and what was exported from it, 32 hexadecimal digits.

    Args:
        encoder: its weights count.
        image: how photos are decoded for it.
    """
    described = [digest_weights(encoder.model), describe_pixels(image), PIXELS_VERSION]
    return hashlib.blake2b(json.dumps(described, sort_keys=True).encode(), digest_size=16).hexdigest()


def find_next_version(folder: Path) -> int:
    """Return the number after the highest version under `folder`, from 1."""
    return max(list_versions(folder), default=0) + 1


def _check_unmixed(folder: Path, format_name: str) -> None:
    for version in list_versions(folder).values():
        for other, details in FORMATS.items():
            if other != format_name and (version / details.file).exists():
                raise RunError(
                    f"{str(folder)!r} holds versions of the format {other}, and a server would take the new one for another "
                    f"of them. Give another folder, e.g. {str(folder) + '-' + format_name!r}."
                )


def _check(
    encoder: Encoder,
    image: ImageConfig,
    model: Path,
    paths: Sequence[str],
    prepared: Future[PreparedPhotos],
    format_name: str,
    calibration: Calibration | None,
    head: PairHead | None,
) -> float:
    def compute() -> Reference:
        return _compute_reference(encoder, image, prepared.result(), head)

    deciding = calibration if head is None else head.calibration
    max_error = compare_format(format_name, model, paths, compute, image, deciding)
    if not max_error <= MAX_ERROR:
        raise RunError(
            f"The exported model differs from the encoder by {max_error:.2g} on {len(paths)} photos; at most "
            f"{MAX_ERROR:g} is allowed. Nothing was exported."
        )
    return max_error


def _compute_reference(
    encoder: Encoder, image: ImageConfig, prepared: PreparedPhotos, head: PairHead | None
) -> Reference:
    images = load_cached(prepared.files, image.size_px)
    scores = None
    if head is not None:
        siamese = build_siamese(encoder, head.classifier, head.features)
        scores = score_squares(siamese, images, np.repeat(images[:1], len(images), axis=0)).numpy()
    return Reference(images, embed_once(encoder.model, images), scores)


def _describe(
    model: Path,
    format_name: str,
    encoder: Encoder,
    image: ImageConfig,
    calibration: Calibration | None,
    head: PairHead | None,
    signatures: Sequence[str],
    max_error: float,
    card: str,
    facts: Mapping[str, Any],
) -> None:
    described = {
        "kind": "handnet model 1",
        "format": format_name,
        "image": describe_pixels(image),
        "embedding_size": int(encoder.model.output_shape[-1]),
        "signatures": list(signatures),
        "max_error": max_error,
        "digest": digest_encoder(encoder, image),
        **({"graph_digest": digest_graph(model)} if signatures else {}),
        "calibration": asdict(calibration) if calibration else None,
        "pair_calibration": asdict(head.calibration) if head else None,
        **facts,
    }
    text = json.dumps(described, indent=2, allow_nan=False)
    (model / FACTS_FILE).write_text(text + "\n", encoding="utf-8")
    if card:
        (model / CARD_FILE).write_text(card, encoding="utf-8")
