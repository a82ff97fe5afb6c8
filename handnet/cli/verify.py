"""`handnet verify`."""

import json
from pathlib import Path

import click

from handnet.cli._console import echo, warn
from handnet.cli._gallery import open_with_model, print_verifications, with_gallery, with_hand, with_model
from handnet.cli._tensorflow import start_tensorflow
from handnet.errors import ConfigError


@click.command()
@with_gallery
@click.argument("claim", metavar="[NAME PHOTO…]", nargs=-1)
@click.option("-i1", "--first", "first", default="", metavar="PHOTO", help="A photo, to be compared with --second.")
@click.option("-i2", "--second", "second", default="", metavar="PHOTO", help="Another photo.")
@with_hand
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_model
def verify(
    gallery: str,
    claim: tuple[str, ...],
    store: str,
    key_file: Path | None,
    first: str,
    second: str,
    view: str | None,
    side: str | None,
    as_json: bool,
    run_folder: Path | None,
    model_folder: Path | None,
) -> None:
    """Say whether photos show one person, with the calibrated probability. The exit code is 0 for either answer.

    \b
    handnet verify G NAME PHOTO…                 photos against the person NAME of the gallery G
    handnet verify RUN -i1 PHOTO -i2 PHOTO       two photos, by RUN's pair classifier or else its distance
    """
    if first or second:
        if claim or not (first and second):
            raise ConfigError(
                "Give two photos, -i1 PHOTO -i2 PHOTO, or a gallery's NAME and PHOTO…, not parts of both."
            )
        _verify_pair(Path(gallery), first, second, as_json)
        return
    if len(claim) < 2:
        raise ConfigError("Expected RUN -i1 PHOTO -i2 PHOTO, or G NAME PHOTO…. See: handnet verify --help")
    name, *photos = claim
    with open_with_model(gallery, store, key_file, run_folder, model_folder) as opened:
        answers = opened.verify(name, list(photos), view=view or "", side=side or "")
    print_verifications(answers, as_json)


def _verify_pair(run_folder: Path, first: str, second: str, as_json: bool) -> None:
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
