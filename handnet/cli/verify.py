"""`handnet verify`."""

import json
from pathlib import Path

import click

from handnet.cli._console import echo, warn
from handnet.cli._tensorflow import start_tensorflow


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("photos", metavar="[PHOTO PHOTO]", nargs=-1)
@click.option("-i1", "--first", "first", metavar="PHOTO", help="A photo.")
@click.option("-i2", "--second", "second", metavar="PHOTO", help="Another photo.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def verify(run_folder: Path, photos: tuple[str, ...], first: str | None, second: str | None, as_json: bool) -> None:
    """Say whether two photos show one person, with the calibrated probability, by RUN's pair classifier or else the cosine.

    Give the photos after RUN, or with -i1 and -i2. The exit code is 0 for either answer.
    """
    from handnet.config.run_folder import read_run
    from handnet.data.checks import check_photo
    from handnet.errors import DataError

    first, second = _choose_photos(run_folder, photos, first, second)
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
        f"{answer}: probability of the same person {verdict.probability:.3f} (prior 0.5); "
        f"{_SCORES[verdict.system]} {verdict.score:.3f}, threshold {verdict.threshold:.3f}"
    )


# What the score is, by what decides.
_SCORES = {"distance": "cosine similarity", "pair classifier": "score of the pair classifier"}


def _choose_photos(run_folder: Path, photos: tuple[str, ...], first: str | None, second: str | None) -> tuple[str, str]:
    from handnet.errors import ConfigError, quote

    named = tuple(photo for photo in (first, second) if photo is not None)
    given = named or photos
    if len(given) != 2 or (named and photos):
        raise ConfigError(
            f"Expected RUN and two photos: handnet verify {quote(run_folder)} A.jpg B.jpg. Received: {len(photos) + len(named)} "
            f"photo{'s' * (len(photos) + len(named) != 1)}."
        )
    return given[0], given[1]
