"""Kills a process in the middle of its writing, again and again, and says what was acknowledged and what is there."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from handnet.gallery import Gallery
from handnet.gallery.enrolment import Entry
from handnet.gallery.pairings import Matching
from handnet.gallery.protection import Key
from tests.gallery.simulated import SimulatedEncoder, take_photo

Acknowledge = Callable[[object], None]

NUM_PEOPLE = 12
PHOTOS_EACH = 2
ENCODERS = {name: SimulatedEncoder(width=width, name=name) for name, width in (("first", 32), ("second", 16))}


def make_key(number: int) -> Key:
    return Key(number.to_bytes(32, "big"))


def take_photos(person: int) -> list[bytes]:
    return [take_photo(person, "palmar", shot=shot) for shot in range(PHOTOS_EACH)]


def _enrol(folder: Path, matchings: dict[str, Matching], acknowledge: Acknowledge) -> None:
    with Gallery.open(folder, ENCODERS["first"]) as gallery:
        for person in range(100, 10_000):
            gallery.add(f"Person {person}", take_photos(person))
            acknowledge(person)


def _import(folder: Path, matchings: dict[str, Matching], acknowledge: Acknowledge) -> None:
    entries = {f"Person {n}": [Entry(photo) for photo in take_photos(n)] for n in range(100, 400)}
    with Gallery.open(folder, ENCODERS["first"]) as gallery:
        gallery.import_(entries, progress=lambda done: acknowledge(int(done.name.split()[1])))


def _remove(folder: Path, matchings: dict[str, Matching], acknowledge: Acknowledge) -> None:
    with Gallery.open(folder, ENCODERS["first"]) as gallery:
        for person in range(NUM_PEOPLE):
            gallery.remove(f"Person {person}")
            acknowledge(person)


def _migrate(folder: Path, matchings: dict[str, Matching], acknowledge: Acknowledge) -> None:
    with Gallery.open(folder, ENCODERS["first"]) as gallery:
        for turn in range(1000):
            name = ("second", "first")[turn % 2]
            gallery.migrate(ENCODERS[name], matchings[name])
            acknowledge(name)


def _rotate(folder: Path, matchings: dict[str, Matching], acknowledge: Acknowledge) -> None:
    with Gallery.open(folder, ENCODERS["first"], key=make_key(0)) as gallery:
        for number in range(1, 1000):
            gallery.rotate_key(make_key(number))
            acknowledge(number)


OPERATIONS = {"enrol": _enrol, "import": _import, "remove": _remove, "migrate": _migrate, "rotate-key": _rotate}


def fill_gallery(place: Path, operation: str, matchings: dict[str, Matching]) -> Path:
    """Make the gallery that an operation begins with, and return its folder."""
    key = make_key(0) if operation == "rotate-key" else None
    with Gallery.create(
        place, ENCODERS["first"], matchings["first"], key=key, keep_photos=True, review="off"
    ) as gallery:
        for person in range(NUM_PEOPLE):
            gallery.add(f"Person {person}", take_photos(person))
    return place


def kill_once(operation: str, full: Path, folder: Path, matchings: dict[str, Matching], seed: int) -> str:
    """Run an operation on a copy of a full gallery in a process of its own, kill it at a random moment, open it and look.

    Returns:
        "" or what is wrong.
    """
    place = folder / f"{operation}-{seed}"
    shutil.copytree(full, place)
    journal = folder / f"{operation}-{seed}.acknowledged"
    child = os.fork()
    if child == 0:
        _run_child(operation, place, matchings, journal)
    _kill_later(child, journal, random.Random(seed))
    lines = journal.read_text().splitlines()
    # A line may have been cut off by the kill: what it said was done all the same.
    acknowledged = [json.loads(line) for line in lines]
    return _judge(operation, place, acknowledged)


def _run_child(operation: str, place: Path, matchings: dict[str, Matching], journal: Path) -> None:
    code = 1
    try:
        handle = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

        def acknowledge(what: object) -> None:
            os.write(handle, (json.dumps(what) + "\n").encode())

        os.write(handle, b'"begun"\n')
        OPERATIONS[operation](place, matchings, acknowledge)
        code = 0
    finally:
        # Not through pytest's own ends.
        os._exit(code)


def _kill_later(child: int, journal: Path, chance: random.Random) -> None:
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _judge(operation: str, place: Path, acknowledged: list[object]) -> str:
    done = acknowledged[1:]
    gallery, tries = None, []
    if operation == "rotate-key":
        last = int(str(done[-1])) if done else 0
        # The next rotation may have been committed and not yet acknowledged.
        tries = [(ENCODERS["first"], make_key(number)) for number in (last, last + 1)]
    elif operation == "migrate":
        tries = [(encoder, None) for encoder in ENCODERS.values()]
    else:
        tries = [(ENCODERS["first"], None)]
    errors = []
    for encoder, key in tries:
        try:
            gallery = Gallery.open(place, encoder, key=key)
            break
        except Exception as error:
            errors.append(str(error))
    if gallery is None:
        return f"does not open: {errors}"
    with gallery:
        counts = {row.name: row.num_photos for row in gallery.list()}
        if halves := {name: count for name, count in counts.items() if count != PHOTOS_EACH}:
            return f"half there: {halves}"
        there = {int(name.split()[1]) for name in counts}
        before = set(range(NUM_PEOPLE))
        told = {int(str(person)) for person in done} if operation in ("enrol", "import", "remove") else set()
        if operation == "remove":
            extra, lost = before - told - there, there & told
        else:
            extra, lost = there - before - told, (before | told) - there
        if lost:
            return f"acknowledged and undone: {lost}"
        if len(extra) > 1:
            return f"more than the one change that was under way: {extra}"
        # The gallery still works: the vectors are of the model and the key that it says.
        person = min(there, default=None)
        if person is not None:
            answer = gallery.identify(take_photos(person)[0], prior=0.999)[0]
            if not answer.matches or answer.matches[0].name != f"Person {person}":
                return f"Person {person} is not found"
    return ""
