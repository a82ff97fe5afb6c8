"""`handnet project`."""

from pathlib import Path

from tests.cli.command_line import CommandLine


def test_parts_are_written_for_the_projector(command: CommandLine, finished: Path) -> None:
    run = finished / "run"
    assert "Unknown part 'tset'" in command.fail("project", run, "--part=tset", "--output=out", code=2)
    outcome = command.run("project", run, "--output=out", "--part=test", "--no-maps")
    assert outcome.code == 0, outcome.err
    # Five people, a photo of each view.
    assert "wrote 10 photos to out" in outcome.out
    rows = Path("out/labels.tsv").read_text().splitlines()
    assert len(rows) == 11
    assert {row.split("\t")[rows[0].split("\t").index("part")] for row in rows[1:]} == {"test"}
    assert not list(Path("out").glob("*tsne*"))
