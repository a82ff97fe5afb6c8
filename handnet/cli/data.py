"""`handnet data`: check, synth, augment-preview."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handnet.cli._console import echo, show_progress
from handnet.cli._options import with_settings
from handnet.cli._output import claim_output
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.settings import Config
    from handnet.data.example import Example


@click.group()
def data() -> None:
    """Look at a data set, or draw one."""


@data.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--reader", help="How DIR is laid out (data.reader).  [default: hands11k]")
@click.option("--split", help="The split whose parts are counted (data.split).  [default: hands-cross-view]")
@click.option(
    "--split-file", type=click.Path(path_type=Path), help="A split from a table with the columns identity and part."
)
@with_settings("data.split_options.seed=3")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for the pictures.  [default: runs/data-check/NAME]"
)
@click.option(
    "--hands/--no-hands",
    default=None,
    help="Look for the hand in each photo: wrong labels, quality, hands.png.  [default: where the models are]",
)
@click.option("--sheet", type=click.Path(path_type=Path), help="Another file for the picture hands.png.")
def check(
    directory: Path,
    reader: str | None,
    split: str | None,
    split_file: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    output: Path | None,
    hands: bool | None,
    sheet: Path | None,
) -> None:
    """Count and check the photos of DIR; draw photos per person, a montage, and what is seen in nine photos.

    Where the models that find hands are there (handnet weights fetch mediapipe-hands), each photo is looked at: labels that it
    contradicts, no hand or several, cut off, and quality with the reason.

    With --set image.crop=hand, photos in which that crop finds no hand are named too: training refuses them.

    The exit code is 1 if a photo cannot be used or there are too few people for the split.
    """
    from handnet.cli._data import choose_see
    from handnet.config.presets import merge_trees
    from handnet.config.toml import parse_config, read_tree
    from handnet.data.checks import check_photos, find_duplicates
    from handnet.data.readers import read_dataset
    from handnet.data.splits.rules import make_split
    from handnet.data.summary import describe, describe_health, draw_histogram, draw_montage
    from handnet.errors import ConfigError, DataError
    from handnet.images.hand_finder import NEW_TRAININGS

    if split is not None and split_file is not None:
        raise ConfigError("Give --split or --split-file, not both.")
    given: dict[str, Any] = {"reader": reader, "split": split}
    if split_file is not None:
        given |= {"split": "file", "split_options": {"path": str(split_file)}}
    given = {key: value for key, value in given.items() if value is not None}
    config = parse_config(merge_trees(NEW_TRAININGS, read_tree(config_file, overrides, {"data": given})))
    settings = config.data

    dataset = read_dataset(
        settings.reader, directory, choose_see(settings.reader, settings.fill_labels and hands is not False)
    )
    parts, unsplit = None, None
    try:
        parts = make_split(settings.split, dataset, settings.split_options)
    except DataError as error:
        # Everything else is printed first: the counts show which split would work.
        unsplit = error
    echo(describe(dataset, parts))
    target = output or Path("runs/data-check") / directory.resolve().name
    claim_output(target)
    draw_histogram(dataset, target / "photos-per-person.png")
    paths = [example.path for example in dataset.examples]
    problems = check_photos(paths, show_progress)
    echo(describe_health(problems, find_duplicates(paths), dataset.examples))
    draw_montage(dataset, target / "montage.png")
    echo(f"wrote {target / 'photos-per-person.png'} and {target / 'montage.png'}")
    unusable = {problem.path for problem in problems if not problem.usable}
    _check_hands(
        [example for example in dataset.examples if example.path not in unusable], hands, sheet or target / "hands.png"
    )
    without_hand = _check_crop([path for path in paths if path not in unusable], config)
    if unsplit is not None:
        raise unsplit
    if without_hand or any(not problem.usable for problem in problems):
        raise click.exceptions.Exit(1)


def _check_crop(paths: list[str], config: "Config") -> int:
    """Name the photos that `handnet train` refuses with these settings since there is no hand to crop; return how many."""
    image = config.image
    if not image.is_hand_crop:
        return 0
    start_tensorflow()
    from handnet.images.finder_choice import settle_hand_finder
    from handnet.images.photo_store import find_unusable
    from handnet.images.unusable_photos import describe_problems

    problems = find_unusable(paths, settle_hand_finder(config, paths, echo).image, show_progress)
    echo(
        f"with image.crop={image.crop}: {describe_problems(problems, len(paths)) if problems else 'a hand in each photo'}"
    )
    return len(problems)


def _check_hands(examples: "list[Example]", wanted: bool | None, sheet: Path) -> None:
    """Say what the photos show and draw nine of them; `wanted` is None where that is done only if it can be."""
    from handnet.images.hand_models.model_files import NAME, has_hand_models

    if wanted is False:
        return
    if wanted is None and not has_hand_models():
        echo(
            f"hands are not checked: the models that find them are not on this machine. Run: handnet weights fetch {NAME}"
        )
        return
    start_tensorflow()
    from handnet.images.hand_check import describe_hands
    from handnet.images.hand_sheet import choose_for_sheet, draw_sheet
    from handnet.images.hand_survey import shows_hands, survey_photos

    paths = [example.path for example in examples]
    if not wanted and not shows_hands(paths):
        echo("hands are not checked: few of the photos show one. To check them anyway: --hands")
        return
    surveyed = survey_photos(paths, show_progress)
    echo(describe_hands(examples, surveyed))
    draw_sheet([examples[row] for row in choose_for_sheet(surveyed)], sheet)
    echo(f"wrote {sheet}")


@data.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--people", default=150, show_default=True, type=click.IntRange(2, 1_000_000), help="Number of synthetic people."
)
@click.option(
    "--photos",
    default=4,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Number of photos of each person and view.",
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="Random seed: another one draws other people."
)
@click.option("--size", default="256x192", show_default=True, metavar="WxH", help="Size of a photo in pixels.")
@click.option(
    "--ground",
    default="paper",
    show_default=True,
    type=click.Choice(["paper", "mixed"]),
    help="What the hands lie on: white paper; or wood, cloth, noise, clutter and gradients in turn.",
)
def synth(directory: Path, people: int, photos: int, seed: int, size: str, ground: str) -> None:
    """Draw synthetic hands into DIR, in the layout of 11k Hands."""
    from handnet.data.synthetic import write_synthetic
    from handnet.errors import ConfigError

    width, cross, height = size.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"Expected --size as WIDTHxHEIGHT, such as 256x192. Received: {size!r}.")
    size_px = (int(width), int(height))
    on_grounds = ground == "mixed"
    write_synthetic(directory, people, photos, seed, size_px=size_px, progress=show_progress, on_grounds=on_grounds)
    echo(f"wrote {people} people, {2 * photos * people:,} photos into {directory}")


@data.command("augment-preview")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--data", "named", metavar="DIR", type=click.Path(path_type=Path), help="The same as DIR.")
@with_settings("augment.rotation_degrees=30")
@click.option(
    "--output",
    default=Path("augment-preview.png"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The picture.",
)
def augment_preview(
    directory: Path | None, named: Path | None, config_file: Path | None, overrides: tuple[str, ...], output: Path
) -> None:
    """Draw each augmentation at weak, medium and full strength on photos of DIR, and the mixture that training sees."""
    from handnet.cli._data import read_data
    from handnet.config.toml import read_tree
    from handnet.errors import ConfigError
    from handnet.networks.complete_config import complete_config

    if directory is not None and named is not None:
        raise ConfigError("Give DIR or --data DIR, not both.")
    config = complete_config(read_tree(config_file, overrides))
    claim_output(output)
    dataset = read_data(config.data.reader, str(directory or named or ""), config.data.fill_labels)
    start_tensorflow()
    from handnet.images.augment_preview import draw_augmentations
    from handnet.images.finder_choice import settle_hand_finder
    from handnet.images.photo_store import load_cached, prepare_photos

    step = max(1, len(dataset.examples) // 4)
    paths = [example.path for example in dataset.examples[::step]][:4]
    config = settle_hand_finder(config, [example.path for example in dataset.examples], echo)
    photos = load_cached(prepare_photos(paths, config.image).files, config.image.size_px)
    draw_augmentations(photos, config.augment, output)
    echo(f"wrote {output}")
