"""Comments of long blocks stand above their lines."""

from website.console import move_comments

LONG = "handnet eval runs/hands" + " " * 50 + "  # how good it is, on people it has not seen"


def test_comments_of_a_long_block_stand_above_their_lines() -> None:
    assert move_comments(f"a\n\n```console\nbin/setup\n{LONG}\n```\nb\n") == (
        "a\n\n```sh\nbin/setup\n# how good it is, on people it has not seen\nhandnet eval runs/hands\n```\nb\n"
    )


def test_other_blocks_stay_as_they_are() -> None:
    short = "```sh\nhandnet eval runs/hands  # how good it is\n```\n"
    text = f"```text\n{LONG}\n```\n"
    assert move_comments(short) == short
    assert move_comments(text) == text
    # Without prompts the highlighter would take commands for output.
    assert move_comments("```console\nbin/setup\n```\n") == "```sh\nbin/setup\n```\n"
