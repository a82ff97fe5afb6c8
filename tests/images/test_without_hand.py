"""Photos without a hand are left out where the settings say so, and never without a word."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from handnet.config.image import ImageConfig
from handnet.config.settings import Config
from handnet.data.dataset import DataSet, PhotoPair, leave_known_out
from handnet.data.readers import read_dataset
from handnet.images import without_hand
from handnet.images.unusable_photos import DAMAGED, NO_HAND
from handnet.images.without_hand import leave_out_without_hand, skip_without_hand
from tests.tiny import write_tiny

CROPPED = Config(image=ImageConfig(crop="hand"))


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """Six photos; the second and third show no hand, the fourth is damaged. Two pairs, one with the second."""
    found = read_dataset("hands11k", write_tiny(tmp_path / "data", num_people=3, photos_per_view=1))
    paths = [example.path for example in found.examples]
    problems = {paths[1]: NO_HAND["colour"], paths[2]: NO_HAND["landmarks"], paths[3]: DAMAGED}

    def find(asked: Sequence[str], image: ImageConfig, progress: object) -> dict[str, str]:
        del image, progress
        return {path: problems[path] for path in asked if path in problems}

    monkeypatch.setattr(without_hand, "find_unusable", find)
    pairs = (PhotoPair(paths[0], paths[1], True), PhotoPair(paths[0], paths[4], False))
    return replace(found, pairs=pairs)


def test_photos_without_a_hand_are_left_out_and_said(dataset: DataSet) -> None:
    lines: list[str] = []
    kept = leave_out_without_hand(dataset, skip_without_hand(CROPPED), lines.append)
    names = [Path(example.path).name for example in kept.examples]
    assert names == ["Hand_0000001.jpg", "Hand_0000004.jpg", "Hand_0000005.jpg", "Hand_0000006.jpg"], (
        "damaged ones stay"
    )
    assert kept.without_hand == ("Hands/Hand_0000002.jpg", "Hands/Hand_0000003.jpg")
    assert kept.pairs == dataset.pairs[1:]
    assert kept.rows == dataset.rows, "a split of the whole table stays the same"
    expected = "2 of 6 photos show no hand and are left out (Hands/Hand_0000002.jpg, Hands/Hand_0000003.jpg)."
    assert lines == [f"data: {expected}"]
    assert kept.problems[-1] == expected
    facts = {"directory": str(Path(dataset.directory).resolve()), "without_hand": list(kept.without_hand)}
    assert leave_known_out(dataset, facts) == kept
    assert leave_known_out(dataset, {**facts, "directory": "/elsewhere"}) == dataset


def test_without_the_setting_or_a_crop_to_the_hand_all_photos_stay(dataset: DataSet) -> None:
    assert leave_out_without_hand(dataset, CROPPED, pytest.fail) is dataset
    whole = skip_without_hand(Config(image=ImageConfig(crop="none")))
    assert leave_out_without_hand(dataset, whole, pytest.fail) is dataset
