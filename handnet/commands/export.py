"""`handnet export`."""

from pathlib import Path

import click

from handnet.commands.console import echo
from handnet.commands.start import start_tensorflow

_NUM_CHECKED = 16


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("target", metavar="saved_models/NAME", type=click.Path(path_type=Path))
@click.option("--data", default="", metavar="DIR", help="Photos to check the export on.  [default: the run's own]")
def export(run_folder: Path, target: Path, data: str) -> None:
    """Write the encoder of RUN as a SavedModel at the next version number under saved_models/NAME.

    Its signature serving_default takes the bytes of photos and returns unit vectors. Before the version appears, its vectors
    are compared with the run's own on photos of the run's data.
    """
    from handnet.runs import read_run

    run = read_run(run_folder)
    from handnet.commands.locate import read_data

    dataset = read_data(run.config.data.reader, data or run.facts["data"]["directory"])
    start_tensorflow()
    from handnet.export import export_encoder
    from handnet.train import load_encoder

    step = max(1, len(dataset.examples) // _NUM_CHECKED)
    paths = [example.path for example in dataset.examples[::step]][:_NUM_CHECKED]
    result = export_encoder(load_encoder(run), run.config.image, target, paths)
    echo(f"wrote {result.folder}; max abs error on {result.num_checked} photos: {result.max_error:.1e}")
