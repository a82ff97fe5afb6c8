"""`handnet gallery`: make a gallery, enrol people, look after it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, show_progress, warn
from handnet.cli._gallery import ModelChoice, Place, keep_for_next, load_model, with_gallery, with_hand, with_model
from handnet.console import count_of
from handnet.errors import ConfigError, DataError, GalleryError

if TYPE_CHECKING:
    from handnet.gallery.enrolment import Enrolment

_LEVELS = click.Choice(["off", "standard", "strict"])
_REVIEW = click.option("--review", type=_LEVELS, help="Review of these photos.  [default: the gallery's]")


@click.group()
def gallery() -> None:
    """Enrol people, to be found by `handnet identify` and `handnet verify`; no training when somebody joins."""


@gallery.command()
@with_gallery
@with_model
@click.option(
    "--data",
    default="",
    metavar="DIR",
    help="People to calibrate an exported model with; with --run, where its data set is.  [default: as in training]",
)
@click.option("--keep-photos", is_flag=True, help="Keep the photos too; another model can then be migrated to.")
@click.option(
    "--review", type=_LEVELS, default="standard", show_default=True, help="How photos are reviewed at enrolment."
)
@click.option(
    "--index",
    default="exact",
    show_default=True,
    help="How a server searches: exact, hnsw, ivf, ivf-sq8 or diskann (docs/scale.md).",
)
@click.option(
    "--shards",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Over how many channels a Milvus cluster spreads what is written; milvus-lite ignores it.",
)
def create(
    place: Place, model: ModelChoice, data: str, keep_photos: bool, review: str, index: str, shards: int
) -> None:
    """Make the empty gallery G, bound to one model. With a key its templates are protected."""
    from handnet.library.bound_gallery import create_bound

    with create_bound(
        place.gallery,
        model.find(),
        data,
        place.store,
        place.key_file,
        keep_photos,
        review,
        index,
        shards,
        echo,
        show_progress,
    ) as made:
        protected = "protected by its key" if made.header.protection else "not protected: see make-key and rotate-key"
        echo(f"made {place.gallery}: vectors of {made.header.width} numbers, {protected}")
        echo(f"calibrated on {made.matching.origin}: {len(made.matching.fits)} ways to compare two photos")


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
@click.argument("photos", metavar="PHOTO…", nargs=-1, required=True)
@with_hand
@_REVIEW
@with_model
def add(
    place: Place,
    name: str,
    photos: tuple[str, ...],
    view: str | None,
    side: str | None,
    review: str | None,
    model: ModelChoice,
) -> None:
    """Enrol photos of the person NAME, new or enrolled already. The exit code is 1 where every photo was refused."""
    with place.open_with(model, quick=True) as opened:
        done = opened.add(name, list(photos), view=view or "", side=side or "", review=review or "")
    _print_enrolment(done)
    keep_for_next(opened, photos if not done.refused else [])
    if not done.accepted:
        raise DataError(f"No photo of {done.name!r} was enrolled: {len(done.refused)} of {len(done.refused)} refused.")


@gallery.command("import")
@with_gallery
@click.argument("source", metavar="DIR|TABLE.csv", type=click.Path(path_type=Path))
@with_hand
@_REVIEW
@with_model
def import_(
    place: Place, source: Path, view: str | None, side: str | None, review: str | None, model: ModelChoice
) -> None:
    """Enrol many people: DIR/PERSON/photo.jpg, or a table with the columns path and identity, and view and side if known.

    Words in the names of folders and files say view and side, as in DIR/Ada/left palmar/1.jpg. What was printed is on disk.
    """
    from handnet.gallery.entries import read_entries

    entries = read_entries(source, view or "", side or "")
    for problem in entries.problems:
        warn(problem)
    with place.open_with(model) as opened:
        done = opened.import_(entries.people, review=review or "", progress=_print_enrolment)
    accepted, refused = sum(len(row.accepted) for row in done), sum(len(row.refused) for row in done)
    people = sum(bool(row.accepted) for row in done)
    echo(f"enrolled {count_of(accepted, 'photo')} of {count_of(people, 'person', 'people')}; {refused:,} refused")
    if not accepted:
        raise DataError("No photo was enrolled.")


@gallery.command("list")
@with_gallery
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_people(place: Place, as_json: bool) -> None:
    """List the enrolled people."""
    with place.open() as opened:
        rows = opened.list()
    if as_json:
        listed = [
            {
                "name": row.name,
                "num_photos": row.num_photos,
                "created": row.created,
                "hands": [{"view": kind.view, "side": kind.side, "num_photos": n} for kind, n in row.kinds.items()],
            }
            for row in rows
        ]
        echo(json.dumps(listed, indent=2))
        return
    for row in rows:
        kinds = "; ".join(f"{count} × {kind}" for kind, count in sorted(row.kinds.items()))
        echo(f"{row.name}  {count_of(row.num_photos, 'photo')} ({kinds})  since {row.created}")
    num_photos = sum(row.num_photos for row in rows)
    echo(f"{count_of(len(rows), 'person', 'people')}, {count_of(num_photos, 'photo')}")


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show(place: Place, name: str, as_json: bool) -> None:
    """Show the enrolled photos of NAME with their ids."""
    with place.open() as opened:
        person, photos = opened.show(name)
    if as_json:
        rows = [
            {"id": p.id, "view": p.kind.view, "side": p.kind.side, "quality": p.quality, "created": p.created}
            for p in photos
        ]
        echo(json.dumps({"name": person.name, "id": person.id, "created": person.created, "photos": rows}, indent=2))
        return
    echo(f"{person.name}, since {person.created}")
    for photo in photos:
        echo(f"  {photo.id[:12]}  {photo.kind}; quality {photo.quality:.2f}; {photo.evidence}; {photo.created}")


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
@click.argument("new_name", metavar="NEW_NAME")
def rename(place: Place, name: str, new_name: str) -> None:
    """Give the person NAME another name."""
    with place.open() as opened:
        opened.rename(name, new_name)
    echo(f"renamed {name!r} to {new_name!r}")


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
@click.option("--photo", metavar="ID", help="Only this photo: its id, or the first characters of it.")
def remove(place: Place, name: str, photo: str | None) -> None:
    """Remove the person NAME, or one photo, from the gallery and from its files."""
    if photo is not None and not photo.strip():
        # An empty variable of a script must not remove the person.
        raise ConfigError("--photo is blank. Give the id of a photo, or leave --photo out to remove the person.")
    with place.open() as opened:
        count = opened.remove(name, photo or "")
    echo(f"removed {count_of(count, 'photo')} of {name!r}" + ("" if photo else ", and the person"))


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
def forget(place: Place, name: str) -> None:
    """Remove the person NAME, and prove it by searching the gallery's files for what was stored of them."""
    with place.open() as opened:
        done = opened.forget(name)
    echo(f"removed {name!r} with {count_of(done.num_photos, 'photo')}")
    echo(f"{done.num_traces} byte strings of theirs were found before and are found nowhere now")
    if done.unsearched:
        echo(f"not searched: {done.unsearched}")
    echo("backups that were made before still hold them: delete those")


@gallery.command()
@with_gallery
@click.argument("name", metavar="NAME")
@click.argument("other", metavar="OTHER")
def merge(place: Place, name: str, other: str) -> None:
    """Make one person of two: the photos of OTHER go to NAME."""
    with place.open() as opened:
        count = opened.merge(name, other)
    echo(f"moved {count_of(count, 'photo')} of {other!r} to {name!r}")


@gallery.command()
@with_gallery
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
def export(place: Place, target: Path) -> None:
    """Write vectors and names, not protected, to a file: .npz, or .parquet (pyarrow), as `handnet embed` does."""
    with place.open() as opened:
        count = opened.export(target)
    echo(f"wrote {count:,} vectors to {target}; they are not protected there")


@gallery.command()
@with_gallery
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
def backup(place: Place, target: Path) -> None:
    """Write the gallery as of now into the new folder DIR, which is a gallery under the same key."""
    with place.open() as opened:
        opened.backup(target)
    echo(f"wrote {target}")


@gallery.command()
@with_gallery
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def check(place: Place, as_json: bool) -> None:
    """Look for damage and for label noise: people who may be one, photos that may be another's, pictures that are there twice.

    The exit code is 1 where rows are damaged.
    """
    with place.open() as opened:
        report = opened.check()
    if as_json:
        rows = {
            name: [row._asdict() for row in getattr(report, name)]
            for name in ("same_people", "misplaced", "duplicates")
        }
        echo(json.dumps({"damage": list(report.damage), **rows}, indent=2))
    else:
        for same in report.same_people:
            echo(
                f"may be one person: {same.first!r} and {same.second!r} (probability {same.probability:.2f}; {same.pairing})"
            )
        for photo in report.misplaced:
            echo(
                f"may be in the wrong place: photo {photo.photo[:12]} of {photo.person!r} looks like {photo.looks_like!r} "
                f"(probability {photo.probability:.2f})"
            )
        for pair in report.duplicates:
            echo(
                f"nearly the same picture: {pair.first[:12]} of {pair.first_person!r} and {pair.second[:12]} of "
                f"{pair.second_person!r} (cosine {pair.similarity:.4f})"
            )
        if not any(report):
            echo("every row is as it was written; no label noise was found")
    if report.damage:
        raise GalleryError(f"{len(report.damage):,} rows are damaged: {report.damage[0]}. Restore from a backup.")


@gallery.command()
@with_gallery
@click.option("--confirm", default="", metavar="NAME", help="The gallery's name, to confirm.")
def delete(place: Place, confirm: str) -> None:
    """Delete the whole gallery with everybody in it. Only a backup can bring it back."""
    name = place.name
    if not name or confirm != name:
        raise ConfigError(f"This permanently deletes everybody in {place.gallery!r}. To confirm: --confirm {name}")
    with place.open() as opened:
        opened.delete()
    echo(f"deleted {place.gallery}")


@gallery.command()
@with_gallery
def compact(place: Place) -> None:
    """Remove from the files what deleted rows left behind, if another process prevented `remove` from doing so."""
    with place.open() as opened:
        opened.compact()
    echo("done")


@gallery.command()
@with_gallery
@with_model
@click.option(
    "--data",
    default="",
    metavar="DIR",
    help="People to calibrate an exported model with; with --run, where its data set is.  [default: as in training]",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Folder of the enrolled photos, if the gallery does not keep them.",
)
@click.option("--dry-run", is_flag=True, help="Only list who can be migrated; change nothing.")
def migrate(place: Place, model: ModelChoice, data: str, photos: Path | None, dry_run: bool) -> None:
    """Embed everybody again with another model, and bind the gallery to it; all of them, or nothing is changed."""
    from handnet.library.bound_gallery import calibrate_model

    source = model.find()
    if not source:
        raise ConfigError("Give the model to migrate to: --run RUN or --model saved_models/NAME.")
    with place.open() as opened:
        encoder = load_model(source)
        matching = calibrate_model(encoder, source, data, echo, show_progress)
        done = opened.migrate(encoder, matching, dry_run=dry_run, photos=photos, progress=show_progress("embed photos"))
    for stuck in done.stuck:
        echo(f"cannot be migrated: {stuck.name!r}, {count_of(stuck.num_photos, 'photo')}: {stuck.reason}")
    verb = "migrated" if done.done else "can be migrated"
    num_people = done.num_people - len(done.stuck)
    echo(
        f"{count_of(done.num_photos, 'photo')} of {num_people:,} of {count_of(done.num_people, 'person', 'people')} {verb}"
    )


@gallery.command("make-key")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def make_key(file: Path) -> None:
    """Write a new random key to FILE, readable by you alone. Without it a protected gallery is lost: keep a copy."""
    from handnet.gallery.protection import write_new_key

    write_new_key(file)
    echo(f"wrote {file}")


@gallery.command("rotate-key")
@with_gallery
@click.option(
    "--new-key-file",
    type=click.Path(path_type=Path),
    help="File of the new key.  [default: $HANDNET_GALLERY_NEW_KEY]",
)
@click.option("--unprotect", is_flag=True, help="Remove the protection instead.")
def rotate_key(place: Place, new_key_file: Path | None, unprotect: bool) -> None:
    """Give the gallery another key, in one transaction; it also protects a gallery that was not."""
    from handnet.gallery.protection import NEW_KEY_VARIABLE, read_key

    new_key = None if unprotect else read_key(new_key_file, NEW_KEY_VARIABLE)
    if new_key is None and not unprotect:
        raise ConfigError(f"Give the new key: --new-key-file FILE, or the variable {NEW_KEY_VARIABLE}.")
    with place.open() as opened:
        opened.rotate_key(new_key)
        generation = opened.header.protection.get("generation")
    echo(
        "not protected any longer"
        if unprotect
        else f"protected by the new key (generation {generation}); the old one opens nothing"
    )


@gallery.command()
@with_gallery
def log(place: Place) -> None:
    """Print what was done to the gallery: time, action, id of the person. There are no names in it."""
    with place.open() as opened:
        entries = opened.read_audit()
    for entry in entries:
        echo(f"{entry.number:6d}  {entry.time}  {entry.action}  {entry.subject[:12]}  {entry.detail}")


def _print_enrolment(done: "Enrolment") -> None:
    for accepted in done.accepted:
        remarks = f"; {'; '.join(accepted.remarks)}" if accepted.remarks else ""
        echo(f"{done.name}: enrolled {accepted.photo} ({accepted.kind}; quality {accepted.quality:.2f}{remarks})")
    for refused in done.refused:
        warn(f"{done.name}: refused {refused.photo}: {refused.reason}")
