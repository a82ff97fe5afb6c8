"""`handnet eval`."""

from pathlib import Path

import click

from handnet.commands.console import echo, show_progress
from handnet.commands.start import start_tensorflow

_LEAST_FREE_BYTES = 10_000_000


@click.command("eval")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--data", default="", metavar="DIR", help="Data set.  [default: the run's own]")
@click.option("--part", default="test", show_default=True, help="train, val or test people of the run's split.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report.  [default: RUN/eval-PART]")
def evaluate(run_folder: Path, data: str, part: str, output: Path | None) -> None:
    """Evaluate RUN by the published protocol and photo by photo, in both directions, chance beside every figure."""
    from handnet.runs import read_run, read_run_split

    run = read_run(run_folder)
    from handnet.commands.locate import read_data
    from handnet.files import check_free_space
    from handnet.splits import select_part

    dataset = read_data(run.config.data.reader, data or run.facts["data"]["directory"])
    examples = select_part(dataset, read_run_split(run), part)
    target = output or run_folder / f"eval-{part}"
    check_free_space(target, _LEAST_FREE_BYTES)

    start_tensorflow()
    from handnet.evaluation.part import embed_part
    from handnet.evaluation.retrieval import compute_retrieval, format_retrieval, write_metrics
    from handnet.train import load_encoder

    embedded = embed_part(load_encoder(run), examples, run.config.image, show_progress("embed photos"), part)
    retrieval = compute_retrieval(embedded.embeddings, embedded.identities, embedded.views)
    embedded.save(target / "embeddings.npz")
    write_metrics(target / "metrics.json", {"part": part, "retrieval": retrieval})
    echo(format_retrieval(retrieval))
    echo(f"wrote {target / 'metrics.json'} and {target / 'embeddings.npz'}")
