"""The models that a gallery can be bound to: a trained run, or an exported SavedModel."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from handnet.config.run_folder import Run, is_run, read_run
from handnet.console import Count
from handnet.data.checks import explain_refusal
from handnet.data.example import Example
from handnet.embedding.encode import embed_batches
from handnet.errors import DataError, GalleryError
from handnet.export.archive import FACTS_FILE, digest_encoder
from handnet.gallery.embed_photos import embed_all
from handnet.gallery.hand_look import Look, choose_look, look_at_hands
from handnet.gallery.pairings import Matching, fit_matching
from handnet.gallery.photo_encoder import Embedded, PhotoEncoder, PhotoInput, digest_model, read_contents
from handnet.gallery.records import HandKind
from handnet.images.hand.findings import FINDINGS, SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE
from handnet.images.photo_store import build_decoder
from handnet.images.pillow_decode import prepare_for_graph
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

    def _embed_contents(self, contents: Sequence[bytes]) -> tuple[Vectors, list[str]]:
        decoded = [self._decode(photo) for photo in contents]
        good = [pixels for pixels, _ in decoded if pixels is not None]
        vectors = np.zeros((len(contents), self.width), np.float32)
        if good:
            vectors[[pixels is not None for pixels, _ in decoded]] = embed_batches(self._model, [np.stack(good)])
        return vectors, [reason for _, reason in decoded]


class SavedModelEncoder:
    """An exported model: it decodes by itself, and its training data need not be there."""

    def __init__(self, folder: Path, look: Look | None = None) -> None:
        """Load a version of a SavedModel, e.g. saved_models/hands/1.

        Args:
            folder: the version's folder.
            look: rates photos: quality, and view and side where it knows them; None: what `choose_look` chooses.

        Raises:
            GalleryError: it is no SavedModel that handnet exported.
        """
        try:
            facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
            self._loaded = tf.saved_model.load(str(folder))
            self.signatures = self._loaded.signatures
            self._call = self.signatures["embed"]
            self.width = int(facts["embedding_size"])
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise GalleryError(
                f"{str(folder)!r} is not a SavedModel of handnet ({' '.join(str(error).split())[:120]}). "
                "Give a version's folder, e.g. saved_models/NAME/1, from handnet export."
            ) from None
        self._look = look or choose_look()
        self.digest = str(facts.get("digest") or _digest_files(folder))
        self.source = {"kind": "saved_model", "path": str(folder.absolute())}

    def embed(self, photos: Sequence[PhotoInput]) -> list[Embedded]:
        """Embed photos; see `PhotoEncoder`."""
        return embed_all(photos, self._look, self._embed_contents)

    def _embed_contents(self, contents: Sequence[bytes]) -> tuple[Vectors, list[str]]:
        # The model decodes fewer formats than handnet, and does not see where a JPEG is damaged inside.
        prepared = [prepare_for_graph(photo) for photo in contents]
        outputs = self._call(photos=tf.constant([photo for photo, _ in prepared], tf.string))
        reasons = [
            problem or ("" if ok else explain_refusal(photo))
            for (photo, problem), ok in zip(prepared, outputs["ok"].numpy(), strict=True)
        ]
        if "finding" in outputs:
            # The model looks for hands by itself: what looks at photos here may see pixels alone.
            several = outputs["finding"].numpy() == FINDINGS[SEVERAL].encode()
            reasons = [reason or NOT_ONE[SEVERAL] * bool(more) for reason, more in zip(reasons, several, strict=True)]
        return outputs["embeddings"].numpy(), reasons


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
            f"There is no model at {str(path)!r}. Give the gallery's model: --run RUN or --model saved_models/NAME/1."
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


def _digest_files(folder: Path) -> str:
    """Return the digest of a model that was exported before exports named theirs."""
    files = [folder / "saved_model.pb", *sorted((folder / "variables").glob("*"))]
    return digest_model([file.read_bytes() for file in files])


def _load_run(folder: Path) -> PhotoEncoder:
    if not is_run(folder):
        raise GalleryError(f"{str(folder)!r} is not a run. Give a folder that handnet train made.")
    return RunEncoder(read_run(folder))


MODELS: Mapping[str, Callable[[Path], PhotoEncoder]] = {"run": _load_run, "saved_model": SavedModelEncoder}
