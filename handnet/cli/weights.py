"""`handnet weights`: list, fetch, convert."""

from pathlib import Path

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._tensorflow import start_tensorflow


@click.group()
def weights() -> None:
    """Published weights: what there is, fetch them to a folder, convert a file to one."""


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
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def fetch(name: str, folder: Path) -> None:
    """Fetch the weights NAME from their hub into the new folder DIR, for machines without one: `--weights DIR`."""
    from handnet.networks.weights.fetch import fetch_weights

    echo(f"wrote {fetch_weights(name, folder, show_progress(f'fetch {name}'))}")


@weights.command()
@click.argument("source", metavar="FILE|DIR")
@click.argument("folder", metavar="NEW_DIR", type=click.Path(path_type=Path))
@click.option("--arch", required=True, help="The backbone that they belong to, as dino or resnet50.")
def convert(source: str, folder: Path, arch: str) -> None:
    """Convert weights (.pth, .safetensors, .h5, a Hugging Face, timm or keras-hub folder) to a checked folder of handnet's."""
    start_tensorflow()
    from handnet.networks.convert import convert_weights

    echo(f"wrote {convert_weights(arch, source, folder)}")
