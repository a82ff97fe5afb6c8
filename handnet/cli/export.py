"""`handnet export`."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.library.export_run import export_model


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("target", metavar="saved_models/NAME", type=click.Path(path_type=Path))
@click.option("--data", default="", metavar="DIR", help="Photos to check the export on.  [default: the run's own]")
@click.option(
    "--format", "format_name", default="savedmodel", show_default=True, help="savedmodel, openvino, onnx or litert."
)
def export(run_folder: Path, target: Path, data: str, format_name: str = "savedmodel") -> None:
    """Write the encoder of RUN at the next version number under saved_models/NAME.

    A SavedModel takes the bytes of photos: serving_default and embed return unit vectors, verify the probability that two
    photos show one person; embed_pixels and verify_pixels take decoded photos. The other formats hold the encoder alone, from
    pixels to vectors. Before the version appears, it is run on photos of the run's data and compared with the run itself.
    """
    result = export_model(run_folder, target, data=data, format_name=format_name, echo=echo, progress=show_progress)
    echo(f"wrote {result.folder}; max abs error on {result.num_checked} photos: {result.max_error:.1e}")
    if result.signatures:
        echo(f"signatures: {', '.join(result.signatures)}")
