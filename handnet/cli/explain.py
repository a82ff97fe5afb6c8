"""`handnet explain`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._options import with_data_of_run
from handnet.cli._output import claim_output
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from handnet.config.run_folder import Run
    from handnet.networks.encoder import Encoder


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-i1", "--first", "first", metavar="PHOTO", required=True, help="A photo, e.g. of a back.")
@click.option("-i2", "--second", "second", metavar="PHOTO", required=True, help="Another photo, e.g. of a palm.")
@with_data_of_run
@click.option(
    "--output", default=Path("evidence.html"), show_default=True, type=click.Path(path_type=Path), help="The page."
)
def explain(run_folder: Path, first: str, second: str, data: str, output: Path) -> None:
    """Show which places of two photos make them similar for the encoder of RUN, on a page with heat maps.

    The shares of the places, and of outline, texture, colour and network, add up to the similarity; they are exact for
    linear heads over features on a grid (--arch hand, mini and small with --set model.head=lda). Painting over one place
    after the other is measured for every encoder.
    """
    from handnet.config.run_folder import read_run
    from handnet.data.checks import find_damage, find_header_problem, read_photo
    from handnet.errors import DataError

    run = read_run(run_folder)
    for path in (first, second):
        contents, problem = read_photo(path)
        if problem := problem or find_header_problem(contents) or find_damage(contents):
            raise DataError(f"{path!r} cannot be used: {problem}.")
    claim_output(output)
    start_tensorflow()
    from handnet.evaluation.evidence import explain_pair
    from handnet.evaluation.kept_thresholds import CALIBRATION_FILE, load_thresholds
    from handnet.evaluation.report.evidence_page import write_evidence
    from handnet.images.photo_store import load_cached, prepare_photos
    from handnet.networks.encoder import load_encoder

    encoder, image = load_encoder(run), run.config.image
    photos = load_cached(prepare_photos([first, second], image).files, image.size_px)
    evidence = explain_pair(encoder, photos, _average_features(run, encoder, data), image.background)
    threshold = None
    if (run.folder / CALIBRATION_FILE).exists():
        threshold = load_thresholds(run, warn).equal_error_threshold
    write_evidence(output, evidence, (Path(first).name, Path(second).name), threshold, run.folder.name)
    echo(f"similarity {evidence.score:.3f}" + ("" if threshold is None else f", threshold {threshold:.3f}"))
    for name, share in (evidence.shares.groups if evidence.shares else {}).items():
        echo(f"  {name:<22} {share:+.3f}")
    echo(f"wrote {output}")


def _average_features(run: "Run", encoder: "Encoder", data: str) -> "npt.NDArray[np.float64] | None":
    """Return the mean features of some training photos; None, with a warning, where the data cannot be read."""
    from handnet.cli._run import open_data
    from handnet.errors import DataError
    from handnet.evaluation.evidence import average_features

    try:
        examples = open_data(run, data, "train").examples
    except DataError as error:
        warn(f"the shares are counted from zero, not from the mean of the training photos: {error}")
        return None
    paths = [example.path for example in examples]
    return average_features(encoder, paths, run.config.image, run.config.model, show_progress)
