"""The quick answer is the ordinary one, and loads neither TensorFlow nor Keras."""

from pathlib import Path

import pytest

from handnet.config.run_folder import Run
from handnet.embedding.freeze_encoder import keep_frozen
from handnet.errors import DataError
from handnet.evaluation.quick_verify import verify_quickly
from handnet.evaluation.verify import load_verifier, verify_once
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from tests.quick_answer import answer_without_tensorflow
from tests.tiny import tiny_backbone

# Of a score, -1..1.
ERROR = 1e-5


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


def test_the_answer_is_the_ordinary_one_without_tensorflow(pairs_run: Run, tmp_path: Path) -> None:
    photos = sorted(str(path) for path in (pairs_run.folder.parent / "data").glob("*/*.png"))
    first, second = photos[0], photos[-1]
    verifier = load_verifier(pairs_run, load_encoder(pairs_run))
    expected = verify_once(verifier, first, second).verdict
    assert verifier.classifier is not None
    keep_frozen(pairs_run, verifier.encoder, verifier.classifier.classifier, "", [first, second])
    found = verify_quickly(pairs_run, first, second, pytest.fail)
    assert found is not None
    assert found.verdict == expected._replace(
        probability=pytest.approx(expected.probability, abs=1e-4), score=pytest.approx(expected.score, abs=ERROR)
    )
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no photo")
    with pytest.raises(DataError, match="1 of 2 photos cannot be used: .*not an image"):
        verify_quickly(pairs_run, first, str(bad), pytest.fail)

    answer = answer_without_tensorflow("verify", str(pairs_run.folder), first, second)
    assert answer["score"] == pytest.approx(expected.score, abs=ERROR)
