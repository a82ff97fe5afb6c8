"""What the commands of a gallery share: their options, opening it with its key and model, and how answers are printed."""

import csv
import functools
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from handnet.cli._console import echo, warn
from handnet.errors import ConfigError, DataError
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.gallery.answers import Verification
    from handnet.gallery.gallery import Gallery
    from handnet.gallery.matching import Answer
    from handnet.gallery.photo_encoder import PhotoEncoder
    from handnet.gallery.protection import Key

Command = Callable[..., Any]

_STORE = click.option(
    "--store",
    default="",
    envvar="HANDNET_STORE",
    metavar="ADDRESS",
    help="A server: milvus+http://HOST:19530.  [default: a folder]",
)
_KEY_FILE = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    envvar="HANDNET_GALLERY_KEY_FILE",
    help="File of the key of a protected gallery.  [default: $HANDNET_GALLERY_KEY, if set]",
)
_RUN = click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    help="The model: a run.  [default: the one it was created with]",
)
_MODEL = click.option(
    "--model", "model_folder", type=click.Path(path_type=Path), help="Or the model: saved_models/NAME, or NAME/1."
)
_VIEW = click.option(
    "--view", type=click.Choice(["dorsal", "palmar"]), default=None, help="Which side of the hand is seen."
)
_SIDE = click.option("--side", type=click.Choice(["left", "right"]), default=None, help="Which hand it is.")


class Place(NamedTuple):
    """Where a gallery lies, as the options say.

    Attributes:
        gallery: its folder, or its name on a server.
        store: address of the server, or "".
        key_file: of its key, or None.
    """

    gallery: str
    store: str
    key_file: Path | None

    @property
    def name(self) -> str:
        """Return its name: of the folder that "." or ".." stands for, too."""
        return self.gallery if self.store else Path(self.gallery).resolve().name

    def open(self) -> "Gallery":
        """Open it for what needs no model."""
        from handnet.gallery.gallery import Gallery

        return Gallery.open(self.gallery, store=self.store, key=self.read_key())

    def open_with(self, model: "ModelChoice", quick: bool = False) -> "Gallery":
        """Open it with its model: the one that is named, else the one that it was made with; `quick` for a few photos."""
        from handnet.library.bound_gallery import open_bound

        return open_bound(self.gallery, model.find(), self.store, self.key_file, quick)

    def read_key(self) -> "Key | None":
        """Return its key; None where none is named."""
        from handnet.gallery.protection import read_key

        return read_key(self.key_file)


class ModelChoice(NamedTuple):
    """The model that --run or --model names.

    Attributes:
        run: folder of a run, or None.
        saved_model: folder of an exported model or of one of its versions, or None.
    """

    run: Path | None
    saved_model: Path | None

    def find(self) -> dict[str, str]:
        """Return where the model is; {} where neither was given.

        Raises:
            ConfigError: both were given.
        """
        if self.run is not None and self.saved_model is not None:
            raise ConfigError("Give --run or --model, not both.")
        if self.run is not None:
            return {"kind": "run", "path": str(self.run)}
        from handnet.library.bound_gallery import name_export

        return name_export(self.saved_model) if self.saved_model is not None else {}


def with_gallery(command: Command) -> Command:
    """Give a command the argument G and the options --store and --key-file, as the parameter `place`."""

    @functools.wraps(command)
    def gather(*, gallery: str, store: str, key_file: Path | None, **rest: object) -> object:
        return command(place=Place(gallery, store, key_file), **rest)

    return click.argument("gallery", metavar="G")(_STORE(_KEY_FILE(gather)))


def with_model(command: Command) -> Command:
    """Give a command the options --run and --model, as the parameter `model`."""

    @functools.wraps(command)
    def gather(*, run_folder: Path | None, model_folder: Path | None, **rest: object) -> object:
        return command(model=ModelChoice(run_folder, model_folder), **rest)

    return _RUN(_MODEL(gather))


def with_hand(command: Command) -> Command:
    """Give a command the options --view and --side."""
    return _VIEW(_SIDE(command))


def is_gallery(place: str) -> bool:
    """Tell whether a folder is a gallery."""
    return os.path.isfile(Path(place) / "gallery.sqlite")


def load_model(source: dict[str, str]) -> "PhotoEncoder":
    """Start TensorFlow and load a model."""
    start_tensorflow()
    from handnet.gallery.bound_models import load_model as load

    return load(source)


def keep_for_next(opened: "Gallery", photos: Sequence[str]) -> None:
    """Keep what the next answer needs, after this one has been given: a failure costs that one time, and no answer.

    Args:
        opened: a gallery with its model; it may have been closed.
        photos: those of this answer that could be used. What is kept is checked on them, so without any nothing is.
    """
    keep = getattr(opened.encoder, "keep_frozen", None)
    if keep is None or not photos:
        return
    lacks = getattr(opened.encoder, "lacks_frozen", None)
    if lacks is not None and lacks():
        keep_after_answer(lambda: keep(photos[:2]))


def keep_after_answer(keep: Callable[[], str]) -> None:
    """Keep what the next answer needs, unless switched off, and say so: it takes longer than the answer did.

    Args:
        keep: does it; returns "" or why nothing is kept.
    """
    from handnet.embedding.frozen_encoder import is_switched_on
    from handnet.errors import DiskError, RunError

    if not is_switched_on():
        return
    click.echo(
        "answered; now the model is kept for the next time, which takes longer than the answer, once (Ctrl-C stops that and "
        "loses nothing)",
        err=True,
    )
    try:
        reason = keep()
    except (DiskError, RunError) as error:
        reason = str(error)
    if reason:
        warn(f"the next answer will take as long as this one: {reason}")


def answers_to_json(answers: "Sequence[Answer]") -> str:
    """Return answers as a JSON list."""
    rows = []
    for answer in answers:
        row = answer._asdict()
        row["matches"] = [match._asdict() for match in answer.matches]
        row["threshold"] = answer.threshold._asdict() if answer.threshold else None
        rows.append(row)
    return json.dumps(rows, indent=2)


def answers_to_csv(answers: "Sequence[Answer]") -> str:
    """Return answers as a table with a row for each match; a photo without any has one row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            "photo",
            "rank",
            "name",
            "probability",
            "log_ratio",
            "similarity",
            "accepted",
            "nobody",
            "threshold",
            "problem",
        ]
    )
    for answer in answers:
        threshold = f"{answer.threshold.log_ratio:.4f}" if answer.threshold else ""
        nobody = "" if answer.nobody is None else f"{answer.nobody:.6f}"
        last = [nobody, threshold, answer.problem]
        for match in answer.matches:
            numbers = [f"{match.probability:.6f}", f"{match.log_ratio:.4f}", f"{match.similarity:.6f}"]
            writer.writerow([answer.photo, match.rank, match.name, *numbers, int(match.accepted), *last])
        if not answer.matches:
            writer.writerow([answer.photo, "", "", "", "", "", "", *last])
    return buffer.getvalue().rstrip("\n")


def print_answers(answers: "Sequence[Answer]") -> None:
    """Print answers for people."""
    from handnet.gallery.identification_threshold import describe_threshold

    for answer in answers:
        if answer.problem:
            echo(f"{answer.photo}: cannot be used: {answer.problem}")
            continue
        who = answer.name or "nobody enrolled"
        best = answer.matches[0].probability if answer.name else answer.nobody
        hand = ", ".join(part for part in (answer.side, answer.view) if part) or "hand not known"
        echo(f"{answer.photo} ({hand}): {who}, probability {best:.3f} (prior {answer.prior:g} of somebody enrolled)")
        for match in answer.matches:
            mark = "*" if match.accepted else " "
            echo(
                f"{match.rank:4d} {mark} {match.probability:6.1%}  {match.name}  (log ratio {match.log_ratio:+.2f}, cosine "
                f"{match.similarity:.3f}; {match.pairing})"
            )
        if answer.matches:
            echo(f"       {answer.nobody:6.1%}  nobody enrolled")
        if answer.threshold:
            echo(f"  {describe_threshold(answer.threshold)}")
        for remark in answer.remarks:
            echo(f"  {remark}")


# Reasons that one line names.
_MAX_REASONS = 3


def fail_without_answer(problems: Sequence[str]) -> None:
    """Raise DataError where none of the photos has an answer: a script must not take that for "nobody enrolled".

    Args:
        problems: of each photo, "" where it has an answer.
    """
    if all(problems):
        reasons = list(dict.fromkeys(problem.rstrip(".") for problem in problems))
        named = "; ".join(reasons[:_MAX_REASONS]) + ("; …" if len(reasons) > _MAX_REASONS else "")
        photos = "The photo has no" if len(problems) == 1 else f"None of the {len(problems)} photos has an"
        raise DataError(f"{photos} answer: {named}.")


def print_verifications(answers: "Sequence[Verification]", as_json: bool) -> None:
    """Print whether photos show a person."""
    if as_json:
        rows = [{"photo": a.photo, "name": a.name, **a.verdict._asdict(), "remarks": a.remarks} for a in answers]
        echo(json.dumps(rows, indent=2))
        return
    for photo, name, verdict, remarks in answers:
        if verdict.problem:
            echo(f"{photo}: no answer: {verdict.problem}")
        else:
            echo(
                f"{photo}: {name if verdict.same else f'not {name}'}, probability of {name} {verdict.probability:.3f} "
                f"(prior 0.5); cosine {verdict.similarity:.3f}, threshold {verdict.threshold:.3f} of equal errors "
                f"({verdict.pairing}; from {verdict.origin})"
            )
        for remark in remarks:
            echo(f"  {remark}")
