"""`handnet project`."""

from pathlib import Path

from click.testing import CliRunner

from handnet.cli.main import cli
from handnet.config.run_folder import Run, read_run_split
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
    assert {row.split("\t")[rows[0].split("\t").index("split")] for row in rows[1:]} == {"test"}
    assert not list(Path("out").glob("*tsne*"))


def test_photos_without_views_are_projected(pairs_run: Run, tmp_path: Path) -> None:
    arguments = ["project", str(pairs_run.folder), "--output", str(tmp_path / "projector")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "projector" / "labels.tsv").read_text().splitlines()
    num_photos = 4 * sum(len(read_run_split(pairs_run).people(part)) for part in ("val", "test"))
    assert len(rows) == num_photos + 1
    assert dict(zip(rows[0].split("\t"), rows[1].split("\t"), strict=True))["view"] == ""
    assert (tmp_path / "projector" / "tsne.png").exists()
