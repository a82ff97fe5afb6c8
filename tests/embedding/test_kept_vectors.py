"""What is kept of a photo comes back as it was, and never for another photo, run, engine or precision."""

import numpy as np
import pytest

from handnet.embedding.kept_vectors import KeptPhoto, KeptVectors
from handnet.images.seen_hand import SeenHand

RUN = {"weights": "of this test"}
VECTOR, FEATURES = np.array([0.6, 0.8], np.float32), np.array([1.0, -2.5, 3e-9], np.float32)
HAND = SeenHand(0.9, "left", "palmar", 1.0 - 0.1, 0.3, "one hand")


@pytest.mark.parametrize(
    "photo",
    [KeptPhoto(VECTOR), KeptPhoto(VECTOR, features=FEATURES, hand=HAND), KeptPhoto(None, "no hand was found")],
    ids=["vector", "all", "problem"],
)
def test_what_is_kept_comes_back_as_it_was(photo: KeptPhoto) -> None:
    kept, digest = KeptVectors(RUN, "tensorflow", "float32"), "ab" * 16
    kept.write(digest, photo)
    found = kept.read(digest)
    assert found is not None
    assert (found.problem, found.hand) == (photo.problem, photo.hand)
    for received, expected in ((found.embedding, photo.embedding), (found.features, photo.features)):
        assert (received is None) == (expected is None)
        if received is not None and expected is not None:
            np.testing.assert_array_equal(received, expected)


def test_nothing_is_read_of_another_photo_run_engine_precision_or_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, digest = KeptVectors(RUN, "tensorflow", "float32"), "cd" * 16
    kept.write(digest, KeptPhoto(VECTOR))
    assert kept.read("ce" * 16) is None
    for others in (
        ({"weights": "others"}, "tensorflow", "float32"),
        (RUN, "openvino", "f32"),
        (RUN, "openvino", "bf16"),
    ):
        assert KeptVectors(*others).read(digest) is None
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert KeptVectors(RUN, "tensorflow", "float32").read(digest) is None


def test_a_file_that_was_not_written_whole_counts_as_none() -> None:
    kept, digest = KeptVectors(RUN, "tensorflow", "float32"), "ef" * 16
    kept.write(digest, KeptPhoto(VECTOR))
    file = kept._find(digest)
    whole = file.read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], b"null\n", b"[]\n" + whole, 100_000 * b"["):
        file.write_bytes(damaged)
        assert kept.read(digest) is None
