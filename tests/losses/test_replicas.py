"""Under MirroredStrategy the loss sees the global batch: the weights move as on one device."""

import json

import pytest

from tests.forked import run_program
from tests.losses.two_replicas import CASES


@pytest.mark.slow
def test_two_replicas_train_the_weights_of_one_device():
    program = "from tests.losses.two_replicas import main; main()"
    differences = json.loads(run_program(program, *CASES).splitlines()[-1])
    assert list(differences) == list(CASES)
    for key, difference in differences.items():
        assert difference["size"] > 0.1, key
        assert difference["loss"] < 1e-5 * difference["size"], key
        assert difference["weights"] < 2e-6, key
