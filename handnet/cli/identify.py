"""`handnet identify`."""

import click

from handnet.cli._console import echo
from handnet.cli._gallery import (
    ModelChoice,
    Place,
    answers_to_csv,
    answers_to_json,
    fail_without_answer,
    keep_for_next,
    print_answers,
    with_gallery,
    with_hand,
    with_model,
)
from handnet.errors import ConfigError


def _read_rate(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return a rate that was given as a fraction or in percent: 0.01 or 1%."""
    if text is None:
        return None
    try:
        rate = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1:
        raise click.BadParameter(
            f"expected a rate such as 1% or 0.01, between 0 and 1. Received: {text!r}.", context, option
        )
    return rate


@click.command()
@with_gallery
@click.argument("photos", metavar="PHOTO…", nargs=-1, required=True)
@click.option("--top", default=10, show_default=True, type=click.IntRange(1, 1000), help="People to list.")
@click.option(
    "--fpir",
    metavar="RATE",
    callback=_read_rate,
    help="Share of people who are not enrolled that may be named by mistake.  [default: the lowest of 1, 5, 10, 30% that the "
    "calibration carries]",
)
@click.option(
    "--fpir-bound",
    default="estimate",
    show_default=True,
    type=click.Choice(("estimate", "upper")),
    help="What may be no higher than --fpir: the best estimate, or the upper end of its 95% interval.",
)
@click.option(
    "--prior",
    metavar="RATE",
    default="0.5",
    show_default=True,
    callback=_read_rate,
    help="Prior probability that the hand belongs to somebody enrolled.",
)
@with_hand
@click.option("--together", is_flag=True, help="All photos show one person: give one answer.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table.")
@with_model
def identify(
    place: Place,
    photos: tuple[str, ...],
    top: int,
    fpir: float | None,
    fpir_bound: str,
    prior: float,
    view: str | None,
    side: str | None,
    together: bool,
    as_json: bool,
    as_csv: bool,
    model: ModelChoice,
) -> None:
    """Say whose hands PHOTO… show, among the people of the gallery G, or that it is nobody enrolled.

    The exit code is 1 where no photo could be used.
    """
    if as_json and as_csv:
        raise ConfigError("Give --json or --csv, not both.")
    with place.open_with(model, quick=True) as opened:
        answers = opened.identify(
            list(photos),
            top=top,
            fpir=fpir,
            fpir_bound=fpir_bound,
            prior=prior,
            view=view or "",
            side=side or "",
            together=together,
        )
    if as_json:
        echo(answers_to_json(answers))
    elif as_csv:
        echo(answers_to_csv(answers))
    else:
        print_answers(answers)
    usable = [answer.photo for answer in answers if not answer.problem]
    # Of photos taken together there is one answer.
    keep_for_next(opened, usable if not together else photos[: len(usable)])
    fail_without_answer([answer.problem for answer in answers])
