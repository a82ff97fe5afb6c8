"""`handnet verify`."""

import json
from pathlib import Path

import click

from handnet.cli._console import echo, warn
from handnet.cli._tensorflow import start_tensorflow


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-i1", "--first", "first", required=True, metavar="PHOTO", help="A photo.")
@click.option("-i2", "--second", "second", required=True, metavar="PHOTO", help="Another photo.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def verify(run_folder: Path, first: str, second: str, as_json: bool) -> None:
    """Say whether two photos show one person, with the calibrated probability, by RUN's pair classifier or else its distance.

    The exit code is 0 for either answer.
    """
    from handnet.config.run_folder import read_run
    from handnet.data.checks import check_photo
    from handnet.errors import DataError

    run = read_run(run_folder)
    for path in (first, second):
        problem = check_photo(path)
        if problem is not None and not problem.usable:
            raise DataError(f"{path!r} cannot be used: {problem.reason}.")
    start_tensorflow()
    from handnet.evaluation.verify import load_verifier, verify_photos
    from handnet.networks.encoder import load_encoder

    verdict = verify_photos(load_verifier(run, load_encoder(run), warn), [(first, second)])[0]
    if as_json:
        echo(json.dumps({"first": first, "second": second, **verdict._asdict()}))
        return
    answer = "the same person" if verdict.same else "different people"
    echo(
        f"{answer}: probability of the same person {verdict.probability:.3f} (prior 0.5); score of the {verdict.system} "
        f"{verdict.score:.3f}, threshold {verdict.threshold:.3f}"
    )
