"""The models that a gallery can be bound to: a trained run, or an exported SavedModel."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run, is_run, read_run
from handnet.console import Count
from handnet.data.example import Example
from handnet.embedding.encode import embed_batches
from handnet.errors import DataError, GalleryError
from handnet.export.archive import digest_encoder
from handnet.gallery.embed_photos import Answers, embed_all
from handnet.gallery.exported_encoder import SavedModelEncoder
from handnet.gallery.hand_look import Look, choose_look, look_at_hands
from handnet.gallery.pairings import Matching, fit_matching
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput, read_contents
from handnet.gallery.records import HandKind
from handnet.images.photo_store import build_decoder
from handnet.networks.encoder import load_encoder

Vectors = npt.NDArray[np.float32]

_BATCH = 32


class RunEncoder:
    """The encoder of a run, with the decode that it was trained with."""

    def __init__(self, run: Run, look: Look | None = None) -> None:
        """Load the run's best weights.

        Args:
            run: the run.
            look: rates photos: quality, and view and side where it knows them; None: what `choose_look` chooses.

        Raises:
            RunError: the weights are missing or do not fit.
        """
        self._run, self._encoder = run, load_encoder(run)
        encoder = self._encoder
        self._model = encoder.model
        self._decode = build_decoder(run.config.image)
        self._look = look or choose_look()
        self.width = int(self._model.output_shape[-1])
        self.digest = digest_encoder(encoder, run.config.image)
        self.source = {"kind": "run", "path": str(run.folder.absolute())}

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`."""
        return embed_all(photos, self._look, self._embed_contents)

    def lacks_frozen(self) -> bool:
        """Return whether the next answer would be quicker if `keep_frozen` were called."""
        from handnet.embedding.frozen_encoder import read_frozen
        from handnet.gallery.frozen_look import find_look_file

        return read_frozen(self._run) is None or (self._look is look_at_hands and not find_look_file().is_file())

    def keep_frozen(self, photos: Sequence[str]) -> str:
        """Keep what the next answer needs as frozen graphs in the cache; return "" or why they are not kept.

        Args:
            photos: files that can be used; the graphs are compared with the encoder on them.

        Raises:
            DiskError: the cache cannot be written.
            RunError: a frozen graph gives something else.
        """
        from handnet.embedding.freeze_encoder import keep_frozen
        from handnet.embedding.frozen_encoder import read_frozen
        from handnet.gallery.freeze_look import keep_frozen_look
        from handnet.training.pair_training import load_pair_classifier

        reason = ""
        if read_frozen(self._run) is None:
            pairs = load_pair_classifier(self._run)
            classifier = None if pairs is None else pairs.classifier
            reason = keep_frozen(self._run, self._encoder, classifier, self.digest, photos)
        if reason or self._look is not look_at_hands:
            return reason
        return keep_frozen_look([read_contents(photo) for photo in photos])

    def _embed_contents(self, contents: Sequence[bytes]) -> Answers:
        decoded = [self._decode(photo) for photo in contents]
        good = [pixels for pixels, _ in decoded if pixels is not None]
        vectors = np.zeros((len(contents), self.width), np.float32)
        if good:
            vectors[[pixels is not None for pixels, _ in decoded]] = embed_batches(self._model, [np.stack(good)])
        return Answers(vectors, [reason for _, reason in decoded])


def load_model(source: Mapping[str, str]) -> PhotoEncoder:
    """Load the model that a gallery names.

    Args:
        source: {"kind": a key of MODELS, "path": its folder}.

    Raises:
        GalleryError: it is not there any more.
    """
    kind, path = source.get("kind", ""), Path(source.get("path", ""))
    if kind not in MODELS or not os.path.isdir(path):
        raise GalleryError(
            f"There is no model at {str(path)!r}. Give the gallery's model: --run RUN or --model saved_models/NAME."
        )
    return MODELS[kind](path)


def calibrate(
    encoder: PhotoEncoder, examples: Sequence[Example], origin: str, *, seed: int = 0, progress: Count | None = None
) -> Matching:
    """Calibrate a model for a gallery on photos of people whom it was not trained on.

    Args:
        encoder: the model.
        examples: photos with person, and view and side where known.
        origin: where these people come from, in words; printed with every answer.
        seed: random seed for the draws of photos.
        progress: called with (photos done, photos in all).

    Raises:
        DataError: none of the photos can be used.
        EvaluationError: too few people, or too few photos of each.
    """
    vectors: list[Vectors] = []
    used: list[Example] = []
    for start in range(0, len(examples), _BATCH):
        block = examples[start : start + _BATCH]
        for example, result in zip(block, encoder.embed([Path(row.path) for row in block]), strict=True):
            if result.vector is not None:
                vectors.append(result.vector)
                used.append(example)
        if progress is not None:
            progress(start + len(block), len(examples))
    if not used:
        raise DataError(f"None of the {len(examples):,} photos to calibrate with can be used.")
    kinds = [HandKind(example.view, example.side) for example in used]
    return fit_matching(np.stack(vectors), [example.identity for example in used], kinds, seed=seed, origin=origin)


def _load_run(folder: Path) -> PhotoEncoder:
    if not is_run(folder):
        raise GalleryError(f"{str(folder)!r} is not a run. Give a folder that handnet train made.")
    return RunEncoder(read_run(folder))


MODELS: Mapping[str, Callable[[Path], PhotoEncoder]] = {"run": _load_run, "saved_model": SavedModelEncoder}
