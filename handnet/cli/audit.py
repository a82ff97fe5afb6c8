"""`handnet audit`."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._options import with_part, with_run, with_skip
from handnet.cli._output import claim_output
from handnet.cli._run import open_run


@click.command()
@with_run
@with_part
@with_skip
@click.option("--output", type=click.Path(path_type=Path), help="Folder of audit.json.  [default: RUN/eval-PART]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed for the bootstrap.")
def audit(run_folder: Path, data: str, part: str, skip_without_hand: bool, output: Path | None, seed: int) -> None:
    """Find out what RUN relies on: the same protocol on background, hand or outline alone, without colour, and more.

    People who are found by the background alone are recognised by the session they were photographed in, not by their hands.
    """
    opened = open_run(run_folder, data, part, skip_without_hand)
    target = output or run_folder / f"eval-{part}"
    claim_output(target)

    from handnet.library.audit_run import audit_opened

    found = audit_opened(opened, part, target, seed, show_progress)
    from handnet.evaluation.audit import format_audit

    echo(format_audit(found))
    echo(f"wrote {target / 'audit.json'}")
