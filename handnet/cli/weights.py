"""`handnet weights`: list, fetch, convert."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.library.start import start_tensorflow


@click.group()
def weights() -> None:
    """List published weights, fetch them into a folder, or convert a file into one."""


@weights.command("list")
def list_weights() -> None:
    """List the published weights: backbone, size, licence, source."""
    from handnet.networks.weights.catalogue import list_published

    rows = list_published()
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@weights.command()
@click.argument("name")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def fetch(name: str, folder: Path | None) -> None:
    """Download the weights NAME into the new folder DIR, for machines without a network: `--weights DIR`.

    "mediapipe-hands", the networks that find hands in any photo, come from the package index that pip is set to and go
    to the cache unless you give a DIR.
    """
    from handnet.images.hand_models.model_files import NAME

    if name == NAME:
        from handnet.images.hand_models.wheel import fetch_hand_models

        echo(f"wrote {fetch_hand_models(folder)}")
        return
    if folder is None:
        raise click.UsageError("Missing argument 'DIR': the new folder for the weights.")
    from handnet.networks.weights.fetch import fetch_weights

    echo(f"wrote {fetch_weights(name, folder, show_progress)}")


@weights.command()
@click.argument("source", metavar="FILE|DIR|RUN")
@click.argument("folder", metavar="[NEW_DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--arch", required=True, help="The backbone that they fit, e.g. dino or resnet50.")
@click.option("--half", is_flag=True, help="Write float16: half the size, three decimal digits.")
def convert(source: str, folder: Path | None, arch: str, half: bool) -> None:
    """Convert weights (.pth, .safetensors, .h5, a Hugging Face, timm or keras-hub folder) to a folder for --weights.

    Of a RUN, take the backbone that it has trained, up to the depths that it uses (model.taps); the folder serves as the
    weights of a source too (model.sources.NAME.weights). It no longer says whose photos the run has seen.

    With --arch mediapipe-hands, take the networks that find hands from a mediapipe wheel or a folder with the two .tflite
    files; they go to the cache unless you give a NEW_DIR.
    """
    from handnet.images.hand_models.model_files import NAME

    if arch == NAME:
        from handnet.images.hand_models.wheel import convert_hand_models

        echo(f"wrote {convert_hand_models(Path(source), folder)}")
        return
    if folder is None:
        raise click.UsageError("Missing argument 'NEW_DIR': the new folder for the weights.")
    start_tensorflow()
    from handnet.networks.convert import convert_weights

    echo(f"wrote {convert_weights(arch, source, folder, half)}")
