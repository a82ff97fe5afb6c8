"""What `train` says to do next fits the run: a part that can be evaluated, and a path that a shell takes."""

from pathlib import Path

import click
import pytest

from handnet.cli.cv import cross_validation
from handnet.cli.train import advise_evaluation, train
from handnet.config.split import Split
from handnet.data.dataset import DataSet
from handnet.data.example import Example


def make_dataset(*people: str) -> DataSet:
    examples = [Example(f"/{person}-{view}.jpg", person, view) for person in people for view in ("dorsal", "palmar")]
    return DataSet("hands11k", "/", examples, examples)


@pytest.mark.parametrize(
    ("split", "advice"),
    [
        (Split(("a",), ("b", "c"), ("d", "e")), "next: handnet eval 'my run'"),
        # Nobody is tested, or none of them has a photo here, or one alone, who would always be found.
        (Split(("a",), ("b", "c"), ()), "next: handnet eval 'my run' --part val"),
        (Split(("a",), ("b", "c"), ("x", "y")), "next: handnet eval 'my run' --part val"),
        (Split(("a",), ("b", "c"), ("d",)), "next: handnet eval 'my run' --part val"),
        (Split(("a", "b", "c"), (), ()), ""),
    ],
)
def test_only_a_part_that_can_be_evaluated_is_offered(split: Split, advice: str) -> None:
    assert advise_evaluation(split, make_dataset("a", "b", "c", "d", "e"), Path("my run")) == advice


@pytest.mark.parametrize("command", [train, cross_validation])
def test_the_reader_is_an_option_where_messages_name_it(command: click.Command) -> None:
    assert "--reader" in [option for parameter in command.params for option in parameter.opts]
