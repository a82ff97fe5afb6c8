"""Who is in which part."""

from pathlib import Path

import pytest

from handnet.config.run_folder import (
    collect_facts,
    create_run,
    read_run_split,
)
from handnet.config.settings import Config, TrainConfig
from handnet.config.split import Split
from handnet.errors import DataError

CONFIG = Config(train=TrainConfig(seed=3))


SPLIT = Split(train=("a", "b"), val=("c",), test=("d",))


FACTS = collect_facts(CONFIG, ["handnet", "train"], {"directory": "/data", "fingerprint": "f"})


def test_a_split_with_a_person_in_two_parts_is_refused(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", CONFIG, FACTS, SPLIT)
    (tmp_path / "run/split.csv").write_text("identity,part\na,train\na,test\n")
    with pytest.raises(DataError, match="A split must hold each person once"):
        read_run_split(run)
