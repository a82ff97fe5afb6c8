"""`handnet data`: check, synth, augment-preview."""

from pathlib import Path

import click

from handnet.commands.console import echo, show_progress
from handnet.commands.start import start_tensorflow


@click.group()
def data() -> None:
    """Look at a data set, or draw one."""


@data.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--reader", default="hands11k", show_default=True, help="How DIR is laid out.")
@click.option("--split", default="hands-cross-view", show_default=True, help="The split whose parts are counted.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the pictures.  [default: runs/data-check/NAME]"
)
def check(directory: Path, reader: str, split: str, output: Path | None) -> None:
    """Count and check the photos of DIR; draw photos per person and a montage. Exit code 1 if any photo is bad."""
    from handnet.datasets import read_dataset
    from handnet.datasets.checks import check_photos, find_duplicates
    from handnet.datasets.report import describe, describe_health, draw_histogram, draw_montage
    from handnet.splits import make_split

    dataset = read_dataset(reader, directory)
    echo(describe(dataset, make_split(split, dataset)))
    paths = [example.path for example in dataset.examples]
    problems = check_photos(paths, show_progress("check photos"))
    echo(describe_health(problems, find_duplicates(paths), dataset.examples))
    target = output or Path("runs/data-check") / directory.resolve().name
    draw_histogram(dataset, target / "photos-per-person.png")
    draw_montage(dataset, target / "montage.png")
    echo(f"wrote {target / 'photos-per-person.png'} and {target / 'montage.png'}")
    if any(not problem.usable for problem in problems):
        raise click.exceptions.Exit(1)


@data.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--people", default=150, show_default=True, type=click.IntRange(2, 1_000_000), help="Made-up people.")
@click.option(
    "--photos", default=4, show_default=True, type=click.IntRange(1, 1000), help="Photos of each person and view."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Other seeds give other people.")
@click.option("--size", default="256x192", show_default=True, metavar="WxH", help="Size of a photo, pixels.")
def synth(directory: Path, people: int, photos: int, seed: int, size: str) -> None:
    """Draw made-up hands into DIR, in the layout of 11k Hands."""
    from handnet.datasets.synthetic import write_synthetic
    from handnet.errors import ConfigError

    width, cross, height = size.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"Expected --size as WIDTHxHEIGHT, such as 256x192. Received: {size!r}.")
    size_px = (int(width), int(height))
    write_synthetic(directory, people, photos, seed, size_px=size_px, progress=show_progress("draw hands"))
    echo(f"wrote {people} people, {2 * photos * people:,} photos into {directory}")


@data.command("augment-preview")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings, as CONFIG.toml of `handnet train`."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any setting, as augment.rotation_degrees=30."
)
@click.option("--output", default=Path("augment-preview.png"), show_default=True, type=click.Path(path_type=Path))
def augment_preview(directory: Path, config_file: Path | None, overrides: tuple[str, ...], output: Path) -> None:
    """Draw each augmentation at weak, medium and full strength on photos of DIR, and the mixture that training sees."""
    from handnet.commands.locate import read_data
    from handnet.config import parse_config, read_tree
    from handnet.defaults import complete_tree

    config = parse_config(complete_tree(read_tree(config_file, overrides)))
    dataset = read_data(config.data.reader, str(directory))
    start_tensorflow()
    from handnet.augment_preview import draw_augmentations
    from handnet.pipeline import load_cached, prepare_photos

    step = max(1, len(dataset.examples) // 4)
    paths = [example.path for example in dataset.examples[::step]][:4]
    photos = load_cached(prepare_photos(paths, config.image).files, config.image.size_px)
    draw_augmentations(photos, config.augment, output)
    echo(f"wrote {output}")
