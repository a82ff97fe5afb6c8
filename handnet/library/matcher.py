"""A model in use: photos to unit vectors, and whether two photos show one person. `handnet.load` loads one."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from handnet.errors import DataError, RunError, count_and_name
from handnet.files import read_json
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.evaluation.evidence import Evidence
    from handnet.evaluation.pair_verdict import Verdict
    from handnet.evaluation.verify import Verifier
    from handnet.images.photo_store import Decoded

# A file, the bytes of one, or the upright pixels of a photo, uint8 (H, W, 3), RGB.
PhotoInput = str | Path | bytes | npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]
_BATCH = 32


class Matcher(Protocol):
    """A model in use, from a run or from an exported SavedModel: both give the same vectors.

    Attributes:
        width: numbers in a vector, D.
    """

    width: int

    def embed(self, photos: PhotoInput | Sequence[PhotoInput]) -> Vectors:
        """Turn photos into unit vectors.

        Args:
            photos: one photo or N of them: paths of files, bytes of files, or upright pixels, uint8 (H, W, 3), RGB.

        Returns:
            float32 (N, D), rows of unit length, in order; of one photo (1, D). The similarity of two is their product.

        Raises:
            DataError: photos that cannot be used; the first few are named with the reason.
        """

    def verify(self, first: PhotoInput, second: PhotoInput) -> "Verdict":
        """Say whether two photos show one person.

        Args:
            first: a photo, e.g. of a back.
            second: another, e.g. of a palm.

        Returns:
            `same`, the calibrated `probability` of one person (prior 0.5), `score` and `threshold`.

        Raises:
            DataError: a photo that cannot be used, or, where hands are found by landmarks, shows several or too little.
            RunError: the model has no calibration: evaluate the run first; export it again.
        """

    def explain(self, first: PhotoInput, second: PhotoInput) -> "Evidence":
        """Say which places of two photos make them similar, as `handnet explain` does; of a run alone.

        Args:
            first: a photo, e.g. of a back.
            second: another, e.g. of a palm.

        Returns:
            `score`, `pictures`, exact `shares` where the model allows them, and `occlusion`: see
            `handnet.evaluation.evidence.Evidence`.

        Raises:
            DataError: a photo that cannot be used; or training photos that are gone, whose mean the shares are counted from.
            RunError: the model is an exported one.
        """


def load(model: "str | Path | Run") -> Matcher:
    """Load a model to embed and verify photos with.

    Args:
        model: a run folder, what `handnet.train` returned, or an exported SavedModel: saved_models/NAME/1, or saved_models/NAME
            for its highest version.

    Raises:
        RunError: there is no run and no SavedModel, or it is damaged.
    """
    from handnet.config.run_folder import is_run, read_run
    from handnet.errors import HandnetError
    from handnet.export.exported_model import find_newest

    if not isinstance(model, str | Path):
        return RunMatcher(model)
    folder = Path(model)
    if is_run(folder):
        return RunMatcher(read_run(folder))
    newest = find_newest(folder) or folder
    if not (newest / "saved_model.pb").is_file():
        raise RunError(
            f"There is no model at {str(folder)!r}. Expected a run folder from handnet train, or saved_models/NAME from "
            "handnet export."
        )
    try:
        return SavedModelMatcher(newest)
    except HandnetError as error:
        raise RunError(str(error)) from None


class RunMatcher:
    """The encoder of a run, with the decode that it was trained with; see `Matcher`."""

    def __init__(self, run: "Run") -> None:
        """Load the run's best weights.

        Raises:
            RunError: the weights are missing or do not fit.
        """
        start_tensorflow()
        from handnet.images.photo_store import build_hand_decoder
        from handnet.networks.encoder import load_encoder

        self._run, self._encoder = run, load_encoder(run)
        self._decode = build_hand_decoder(run.config.image)
        self.width = int(self._encoder.model.output_shape[-1])

    def embed(self, photos: PhotoInput | Sequence[PhotoInput]) -> Vectors:
        """Turn photos into unit vectors; see `Matcher`."""
        from handnet.embedding.encode import embed_batches

        listed = _list_photos(photos)
        batches = (_decode_all(listed[start : start + _BATCH], self._decode, start) for start in _starts(listed))
        return embed_batches(self._encoder.model, map(_stack_pixels, batches))

    def verify(self, first: PhotoInput, second: PhotoInput) -> "Verdict":
        """Say whether two photos show one person, by the run's classifier of pairs or else the cosine; see `Matcher`."""
        from handnet.embedding.encode import embed_batches, embed_features
        from handnet.embedding.run_vectors import PhotoVectors
        from handnet.evaluation.verify import verify_vectors
        from handnet.images.seen_hand import explain_unfit

        verifier = self._verifier
        decoded = _decode_all([first, second], self._decode, 0)
        _check_usable([first, second], [explain_unfit(photo.hand) for photo in decoded], 0)
        features = embed_batches(self._encoder.backbone, [_stack_pixels(decoded)])
        embeddings = embed_features(self._encoder.head, features)
        of_backbone = self._run.config.pairs.features == "backbone"
        vectors = PhotoVectors(features if of_backbone else embeddings, embeddings)
        return verify_vectors(verifier, vectors, [(0, 1)])[0]

    def explain(self, first: PhotoInput, second: PhotoInput) -> "Evidence":
        """Say which places of two photos make them similar; see `Matcher`."""
        from handnet.evaluation.evidence import explain_pair

        pixels = _stack_pixels(_decode_all([first, second], self._decode, 0))
        return explain_pair(self._encoder, pixels, self._mean_features, self._run.config.image.background)

    @cached_property
    def _mean_features(self) -> npt.NDArray[np.float64]:
        from handnet.evaluation.evidence import average_features
        from handnet.library.opened_run import open_data

        config = self._run.config
        examples = open_data(self._run, "", "train", lambda line: None).examples
        return average_features(self._encoder, [example.path for example in examples], config.image, config.model)

    @cached_property
    def _verifier(self) -> "Verifier":
        from handnet.evaluation.verify import load_verifier

        return load_verifier(self._run, self._encoder)


class SavedModelMatcher:
    """An exported SavedModel, which decodes by itself; see `Matcher`."""

    def __init__(self, folder: Path) -> None:
        """Load a version of a SavedModel, e.g. saved_models/hands/1.

        Raises:
            GalleryError: it is no SavedModel that handnet exported.
        """
        start_tensorflow()
        from handnet.export.exported_model import FACTS_FILE
        from handnet.gallery.exported_encoder import SavedModelEncoder

        encoder = SavedModelEncoder(folder, look=lambda contents: [])
        self._folder, self._encoder, self.width = folder, encoder, encoder.width
        facts = read_json(folder / FACTS_FILE)
        self._verifies = "verify" in facts.get("signatures", ())
        self._by_classifier = bool(facts.get("pair_calibration"))
        calibration = facts.get("pair_calibration") or facts.get("calibration") or {}
        self._threshold = float(calibration.get("equal_error_threshold", float("nan")))

    def embed(self, photos: PhotoInput | Sequence[PhotoInput]) -> Vectors:
        """Turn photos into unit vectors; see `Matcher`."""
        listed = _list_photos(photos)
        rows = [np.zeros((0, self.width), np.float32)]
        for start in _starts(listed):
            some = listed[start : start + _BATCH]
            contents = _prepare_all(some, start)
            outputs = self._encoder.signatures.run("embed", photos=contents)
            flags = zip(contents, outputs["ok"], strict=True)
            _check_usable(some, ["" if ok else self._encoder.explain(photo) for photo, ok in flags], start)
            rows.append(np.asarray(outputs["embeddings"], np.float32))
        return np.concatenate(rows)

    def verify(self, first: PhotoInput, second: PhotoInput) -> "Verdict":
        """Say whether two photos show one person; see `Matcher`."""
        from handnet.evaluation.pair_verdict import Verdict
        from handnet.images.seen_hand import PROBLEM_OUTPUTS

        if not self._verifies:
            raise RunError(
                f"{str(self._folder)!r} has no calibration, so it cannot verify. Evaluate its run (handnet eval) and export "
                "it again."
            )
        one, two = _prepare_all([first, second], 0)
        outputs = self._encoder.signatures.run("verify", first=[one], second=[two])
        if not outputs["ok"][0]:
            # Says which of the two it is, and of what has a vector all the same, why it cannot be compared.
            self.embed([first, second])
            problems = (outputs[name][0].decode() for name in PROBLEM_OUTPUTS if name in outputs)
            _check_usable([first, second], list(problems) or ["", ""], 0)
        system = "pair classifier" if self._by_classifier else "distance"
        probability, similarity = float(outputs["probability"][0]), float(outputs["similarity"][0])
        return Verdict(bool(outputs["decision"][0]), probability, similarity, self._threshold, system)

    def explain(self, first: PhotoInput, second: PhotoInput) -> "Evidence":
        """Refuse: an exported model holds no features to account for; see `Matcher`."""
        raise RunError(
            f"{str(self._folder)!r} is an exported model, which cannot explain. Load the run that it was exported from."
        )


def _list_photos(photos: PhotoInput | Sequence[PhotoInput]) -> list[PhotoInput]:
    if isinstance(photos, str | bytes | Path) or (isinstance(photos, np.ndarray) and photos.ndim == 3):
        return [photos]
    return list(photos)


def _starts(photos: Sequence[PhotoInput]) -> range:
    return range(0, len(photos), _BATCH)


def _read_all(photos: Sequence[PhotoInput]) -> list[bytes]:
    from handnet.gallery.embed_photos import to_file

    for photo in photos:
        if not isinstance(photo, str | bytes | Path | np.ndarray):
            raise DataError(
                f"A photo is a path, the bytes of a file or an array uint8 (H, W, 3). Received: {type(photo).__name__}."
            )
    return [to_file(photo) for photo in photos]


def _prepare_all(photos: Sequence[PhotoInput], start: int) -> list[bytes]:
    """Return the bytes of photos as an exported model decodes them; `start` is the number of the first one."""
    from handnet.images.pillow_decode import prepare_for_graph

    prepared = [prepare_for_graph(contents) for contents in _read_all(photos)]
    _check_usable(photos, [problem for _, problem in prepared], start)
    return [contents for contents, _ in prepared]


def _decode_all(photos: Sequence[PhotoInput], decode: "Callable[[bytes], Decoded]", start: int) -> "list[Decoded]":
    """Return what comes of photos, decoded in parallel; `start` is the number of the first one."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        decoded = list(pool.map(decode, _read_all(photos)))
    _check_usable(photos, [photo.problem for photo in decoded], start)
    return decoded


def _stack_pixels(decoded: "Sequence[Decoded]") -> npt.NDArray[np.uint8]:
    return np.stack([photo.pixels for photo in decoded if photo.pixels is not None])


def _check_usable(photos: Sequence[PhotoInput], reasons: Sequence[str], start: int) -> None:
    from handnet.gallery.photo_encoder import name_photo

    bad = [
        f"{name_photo(photo, start + number)}: {reason}"
        for number, (photo, reason) in enumerate(zip(photos, reasons, strict=True), 1)
        if reason
    ]
    if bad:
        raise DataError(f"{count_and_name(bad, 'photo', 'photos')} cannot be used.")
