"""`handnet audit`."""

from functools import partial
from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._options import with_part, with_run
from handnet.cli._output import claim_output
from handnet.cli._run import open_run
from handnet.library.start import start_tensorflow


@click.command()
@with_run
@with_part
@click.option("--output", type=click.Path(path_type=Path), help="Folder of audit.json.  [default: RUN/eval-PART]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed for the bootstrap.")
def audit(run_folder: Path, data: str, part: str, output: Path | None, seed: int) -> None:
    """Find out what RUN relies on: the same protocol on background, hand or outline alone, without colour, and more.

    People who are found by the background alone are recognised by the session they were photographed in, not by their hands.
    """
    opened = open_run(run_folder, data, part)
    target = output or run_folder / f"eval-{part}"
    claim_output(target)

    start_tensorflow()
    from handnet.embedding.encode import embed_batches, embed_part
    from handnet.evaluation.audit import audit_part, format_audit
    from handnet.evaluation.origin import describe_origin
    from handnet.metrics.all_figures import write_metrics
    from handnet.networks.encoder import load_encoder

    origin = describe_origin(opened.run, opened.dataset, opened.examples)
    encoder, config = load_encoder(opened.run), opened.run.config
    embedded = embed_part(config, encoder, opened.examples, show_progress, part)
    found = audit_part(partial(embed_batches, encoder.model), embedded, config.image, seed=seed, progress=show_progress)
    write_metrics(target / "audit.json", {**found, **origin})
    echo(format_audit(found))
    echo(f"wrote {target / 'audit.json'}")
