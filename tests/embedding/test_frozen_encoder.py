"""A frozen encoder gives the encoder's vectors, is kept by all that decides it, and is left alone where it cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from handnet.config.run_folder import WEIGHTS_FILE, Run, read_run
from handnet.embedding.encode import compute_vectors
from handnet.embedding.freeze_encoder import keep_frozen
from handnet.embedding.frozen_encoder import find_frozen_file, join_frozen, read_frozen, split_frozen
from handnet.embedding.run_vectors import PhotoVectors
from handnet.images.photo_store import build_decoder
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from handnet.networks.frozen_graph import FrozenGraph
from handnet.training.pair_training import load_pair_classifier
from tests.cli.command_line import copy_run
from tests.tiny import tiny_backbone

# What the optimizer of TensorFlow, which the frozen graph does without, may round otherwise.
ERROR = 1e-5


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.fixture
def photos(pairs_run: Run) -> list[str]:
    return [str(path) for path in sorted((pairs_run.folder.parent / "data").glob("*/*.png"))[:3]]


@pytest.fixture
def vectors(pairs_run: Run, photos: list[str]) -> PhotoVectors:
    """What the ordinary way gives; the frozen encoder is kept in the same cache."""
    encoder, classifier = load_encoder(pairs_run), load_pair_classifier(pairs_run)
    assert classifier is not None
    assert keep_frozen(pairs_run, encoder, classifier.classifier, "0" * 32, photos) == ""
    return compute_vectors(pairs_run.config, encoder, photos)


def test_vectors_and_scores_are_the_encoders(pairs_run: Run, photos: list[str], vectors: PhotoVectors) -> None:
    frozen = read_frozen(pairs_run)
    assert frozen is not None
    assert (frozen.digest, frozen.width) == ("0" * 32, vectors.embeddings.shape[1])
    found = [frozen.embed(Path(photo).read_bytes()) for photo in photos]
    np.testing.assert_allclose(np.stack([photo.embedding for photo in found]), vectors.embeddings, atol=ERROR)
    classifier = load_pair_classifier(pairs_run)
    assert classifier is not None
    expected = classifier.score(vectors.features[:1], vectors.features[2:])[0]
    assert frozen.score_pair(vectors.features[0], vectors.features[2]) == pytest.approx(expected, abs=ERROR)


def test_photos_are_refused_for_the_same_reasons(pairs_run: Run, photos: list[str], vectors: PhotoVectors) -> None:
    frozen, decode = read_frozen(pairs_run), build_decoder(pairs_run.config.image)
    assert frozen is not None
    whole = Path(photos[0]).read_bytes()
    for contents in (b"", b"no photo", whole[: len(whole) // 2]):
        problem = frozen.embed(contents).problem
        assert problem
        assert problem == decode(contents)[1]


def test_nothing_is_read_where_it_is_off_damaged_or_of_other_weights(
    pairs_run: Run, vectors: PhotoVectors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = find_frozen_file(pairs_run)
    other = read_run(copy_run(pairs_run.folder.parent, tmp_path / "run"))
    assert find_frozen_file(other) == file, "the folder does not count"
    with (other.folder / WEIGHTS_FILE).open("ab") as stream:
        stream.write(b"more")
    assert find_frozen_file(other) != file
    assert read_frozen(other) is None
    monkeypatch.setenv("HANDNET_QUICK", "0")
    assert read_frozen(pairs_run) is None
    monkeypatch.delenv("HANDNET_QUICK")
    contents = file.read_bytes()
    for damaged in (
        b"",
        contents[:1000],
        contents[:-1],
        contents.replace(b"contents:0", b"kontents:0", 1),
        100_000 * b"[",
    ):
        file.write_bytes(damaged)
        assert read_frozen(pairs_run) is None
    file.write_bytes(contents)
    assert read_frozen(pairs_run) is not None


def test_a_file_of_which_a_byte_was_changed_is_refused() -> None:
    graph = FrozenGraph(b"weights", {"contents": "contents:0"}, {"ok": "Identity:0"})
    contents = join_frozen({"width": 2}, {"photo": graph, "pair": graph})
    assert split_frozen(contents) == ({"width": 2}, {"photo": graph, "pair": graph})
    for at in (-1, -10):
        damaged = bytearray(contents)
        damaged[at] ^= 1
        with pytest.raises(ValueError, match="changed on the disk"):
            split_frozen(bytes(damaged))
