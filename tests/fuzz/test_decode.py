"""Five hundred damaged photos in every run of the tests; docs/measurements/reliability.md says what twenty thousand found."""

from pathlib import Path

import pytest

from tests.fuzz.decode import MOST_BYTES, fuzz


@pytest.mark.slow
def test_three_decoders_agree_on_damaged_photos(tmp_path: Path) -> None:
    found = fuzz(500, tmp_path, seed=1)
    assert found.failures == []
    assert found.peak_bytes < MOST_BYTES
    assert found.verdicts["a GIF that Pillow and TensorFlow's library take differently"] <= 5
    # A fuzzer whose inputs are all refused, or all whole, tries nothing.
    assert found.verdicts["usable by all three"] > 25
    assert found.verdicts["refused by all three"] > 100
