"""`handnet verify`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, warn
from handnet.cli._gallery import (
    ModelChoice,
    Place,
    fail_without_answer,
    is_gallery,
    keep_after_answer,
    keep_for_next,
    print_verifications,
    with_gallery,
    with_hand,
    with_model,
)
from handnet.errors import ConfigError, quote
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.evaluation.pair_verdict import Verdict
    from handnet.evaluation.quick_verify import QuickAnswer
    from handnet.evaluation.verify import Verifier
    from handnet.images.seen_hand import SeenHand


@click.command()
@with_gallery
@click.argument("rest", metavar="NAME PHOTO…|PHOTO PHOTO", nargs=-1)
@click.option("-i1", "--first", "first", metavar="PHOTO", help="A photo, with a run.")
@click.option("-i2", "--second", "second", metavar="PHOTO", help="Another photo, with a run.")
@with_hand
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_model
def verify(
    place: Place,
    rest: tuple[str, ...],
    first: str | None,
    second: str | None,
    view: str | None,
    side: str | None,
    as_json: bool,
    model: ModelChoice,
) -> None:
    """Say whether photos show one person, with the calibrated probability. The exit code is 0 for either answer, and 1
    where there is none.

    \b
    handnet verify G NAME PHOTO…       photos against the person NAME of the gallery G
    handnet verify RUN PHOTO PHOTO     two photos, by RUN's pair classifier or else the cosine
    handnet verify saved_models/NAME PHOTO PHOTO     two photos, by an exported model
    """
    if not place.store and not is_gallery(place.gallery):
        _verify_pair(Path(place.gallery), rest, first, second, as_json)
        return
    if len(rest) < 2 or first or second:
        raise ConfigError(
            f"Expected a name and photos: handnet verify {quote(place.gallery)} NAME A.jpg. Received: {len(rest)} of them."
        )
    name, *photos = rest
    with place.open_with(model, quick=True) as opened:
        answers = opened.verify(name, list(photos), view=view or "", side=side or "")
    print_verifications(answers, as_json)
    keep_for_next(opened, [answer.photo for answer in answers if not answer.verdict.problem])
    fail_without_answer([answer.verdict.problem for answer in answers])


def _verify_pair(
    run_folder: Path, photos: tuple[str, ...], first: str | None, second: str | None, as_json: bool
) -> None:
    from handnet.config.run_folder import is_run, read_run
    from handnet.data.checks import find_damage, find_header_problem, read_photo
    from handnet.errors import DataError, RunError
    from handnet.export.exported_model import FACTS_FILE, find_export

    first, second = _choose_photos(run_folder, photos, first, second)
    if not is_run(run_folder) and (exported := find_export(run_folder)) is not None:
        _print_answer(first, second, *_verify_exported(exported, first, second), as_json)
        return
    try:
        run = read_run(run_folder)
    except RunError as error:
        if is_run(run_folder):
            raise
        raise RunError(
            f"{error} Or give an exported model: a folder with saved_model.pb and {FACTS_FILE}, or the folder of its versions."
        ) from None
    for path in (first, second):
        # What TensorFlow's decoder says of the rest is said with its vector; here is what can be said before it starts.
        contents, problem = read_photo(path)
        if problem := problem or find_header_problem(contents) or find_damage(contents):
            raise DataError(f"{path!r} cannot be used: {problem}.")
    from handnet.evaluation.quick_verify import verify_quickly

    found = verify_quickly(run, first, second, warn)
    if found is not None:
        _print_answer(first, second, *found, as_json)
        return
    start_tensorflow()
    from handnet.evaluation.verify import load_verifier, verify_once
    from handnet.networks.encoder import load_encoder

    verifier = load_verifier(run, load_encoder(run), warn)
    _print_answer(first, second, *verify_once(verifier, first, second), as_json)
    keep_after_answer(lambda: _keep_frozen(verifier, [first, second]))


def _verify_exported(folder: Path, first: str, second: str) -> "QuickAnswer":
    from handnet.errors import RunError
    from handnet.export.exported_model import open_quickly, read_export
    from handnet.export.verify_export import check_verifies, verify_exported
    from handnet.networks.graph_session import GraphError

    model = read_export(folder)
    check_verifies(model)
    if (quick := open_quickly(folder)) is not None:
        try:
            return verify_exported(model, quick, first, second)
        except GraphError:
            # TensorFlow itself says what is wrong, if it is not the C library.
            pass
    start_tensorflow()
    from handnet.export.loaded_model import LoadedModel

    try:
        return verify_exported(model, LoadedModel(folder), first, second)
    except GraphError as error:
        raise RunError(
            f"The exported model {str(folder)!r} is damaged ({error}). Export the run again: handnet export RUN "
            f"{quote(folder.parent)}."
        ) from None


def _keep_frozen(verifier: "Verifier", photos: list[str]) -> str:
    """Keep what answers quickly next time; return "" or why it is not kept."""
    from handnet.embedding.freeze_encoder import keep_frozen
    from handnet.export.archive import digest_encoder

    run, encoder, classifier = verifier.run, verifier.encoder, verifier.classifier
    digest = digest_encoder(encoder, run.config.image)
    return keep_frozen(run, encoder, classifier.classifier if classifier else None, digest, photos)


def _print_answer(first: str, second: str, verdict: "Verdict", hands: "list[SeenHand]", as_json: bool) -> None:
    from handnet.images.seen_hand import compare_hands, describe_hand

    if as_json:
        seen = {"hands": [hand._asdict() for hand in hands]} if hands else {}
        echo(json.dumps({"first": first, "second": second, **verdict._asdict(), **seen}))
        return
    answer = "the same person" if verdict.same else "different people"
    echo(
        f"{answer}: probability of the same person {verdict.probability:.3f} (prior 0.5); "
        f"{_SCORES[verdict.system]} {verdict.score:.3f}, threshold {verdict.threshold:.3f}"
    )
    for path, hand in zip((first, second), hands, strict=False):
        echo(f"{path}: {describe_hand(hand)}")
    if hands:
        for remark in compare_hands(*hands):
            echo(f"note: {remark}")


# What the score is, by what decides.
_SCORES = {"distance": "cosine similarity", "pair classifier": "score of the pair classifier"}


def _choose_photos(run_folder: Path, photos: tuple[str, ...], first: str | None, second: str | None) -> tuple[str, str]:
    named = tuple(photo for photo in (first, second) if photo is not None)
    given = named or photos
    if len(given) != 2 or (named and photos):
        raise ConfigError(
            f"Expected RUN and two photos: handnet verify {quote(run_folder)} A.jpg B.jpg. Received: {len(photos) + len(named)} "
            f"photo{'s' * (len(photos) + len(named) != 1)}."
        )
    return given[0], given[1]
