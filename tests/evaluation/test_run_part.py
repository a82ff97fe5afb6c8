"""What an evaluation is given."""

from pathlib import Path

import pytest

from handnet.config.run_folder import create_run
from handnet.config.split import Split
from handnet.data.readers import read_dataset
from handnet.errors import ConfigError, DataError
from handnet.evaluation.run_part import RunPart
from handnet.networks.encoder import Encoder
from tests.tiny import tiny_config, write_tiny


def test_the_photos_of_a_part_are_those_of_its_people(tmp_path: Path) -> None:
    dataset = read_dataset("hands11k", write_tiny(tmp_path / "data", num_people=3, photos_per_view=1))
    split = Split(("0000000",), ("0000001", "0000002"), ())
    facts = {"status": "finished", "data": {"directory": dataset.directory, "fingerprint": "x"}}
    run = create_run(tmp_path / "run", tiny_config(), facts, split)
    of = RunPart(run, lambda: Encoder(None, None, None), dataset, "val")
    assert {example.identity for example in of.select_examples()} == {"0000001", "0000002"}
    with pytest.raises(DataError, match="The test part of this split is empty"):
        of._replace(part="test").select_examples()
    with pytest.raises(ConfigError, match="Unknown part 'tset'"):
        of._replace(part="tset").select_examples()
