"""Whether two photos show one person, by a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from handnet.config.run_folder import Run
from handnet.config.settings import PairsConfig
from handnet.errors import DataError, RunError
from handnet.evaluation.pair_verdict import refuse_unfit
from handnet.evaluation.verify import load_verifier, verify_once
from handnet.images.seen_hand import SeenHand
from handnet.networks.backbones import BACKBONES
from handnet.networks.encoder import load_encoder
from tests.tiny import tiny_backbone


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "tiny", tiny_backbone())


@pytest.mark.parametrize("form", ["pairs", "none"])
def test_verify_says_the_same_as_the_evaluation(pairs_run: Run, form: str) -> None:
    photos = sorted((pairs_run.folder.parent / "data").glob("*/*.png"))
    if form == "none":
        pairs_run = pairs_run._replace(config=replace(pairs_run.config, pairs=PairsConfig()))
    verifier = load_verifier(pairs_run, load_encoder(pairs_run))
    one, same, other = (str(path) for path in (photos[0], photos[1], photos[-1]))
    forward, backward, itself = (
        verify_once(verifier, first, second).verdict for first, second in ((one, other), (other, one), (one, one))
    )
    assert forward == backward
    assert 0 <= forward.probability <= 1
    assert forward.same == (forward.score >= forward.threshold)
    assert itself.score >= forward.score
    assert verify_once(verifier, one, same).verdict.probability >= forward.probability
    assert forward.system == ("pair classifier" if form == "pairs" else "distance")


def test_a_run_that_was_never_evaluated_cannot_verify(pairs_run: Run, tmp_path: Path) -> None:
    elsewhere = pairs_run._replace(folder=tmp_path, config=replace(pairs_run.config, pairs=PairsConfig()))
    with pytest.raises(RunError, match="has no calibration yet: evaluate it first with handnet eval"):
        load_verifier(elsewhere, load_encoder(pairs_run))


def test_what_to_do_about_two_hands_is_said_and_no_more() -> None:
    several = SeenHand(1.0, "left", "dorsal", 1.0, 1.0, "several hands")
    line = r"^1 of 2 photos cannot be used: 'a\.jpg': several hands: photograph one at a time\. Take them again, or give other"
    with pytest.raises(DataError, match=line) as refused:
        refuse_unfit(["a.jpg", "b.jpg"], [several, several._replace(finding="one hand")])
    # It lists photos of a data set.
    assert "data check" not in str(refused.value)
