"""Under MirroredStrategy the loss sees the global batch: the weights move as on one device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.losses.two_replicas import CASES


@pytest.mark.slow
def test_two_replicas_train_the_weights_of_one_device():
    command = [sys.executable, "-m", "tests.losses.two_replicas", *CASES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    differences = json.loads(done.stdout.splitlines()[-1])
    assert list(differences) == list(CASES)
    for key, difference in differences.items():
        assert difference["size"] > 0.1, key
        assert difference["loss"] < 1e-5 * difference["size"], key
        assert difference["weights"] < 2e-6, key
