"""Synthetic hands on disk, in the official layout of 11k Hands."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from PIL import Image

from handnet.console import Progress, hide_progress
from handnet.data.example import VIEWS
from handnet.data.synthetic.person import Person, sample_person
from handnet.data.synthetic.photo import MIN_SIDE_PX, draw_photo
from handnet.errors import DataError
from handnet.files import hold_lock, new_folder

_COLUMNS = "id,age,gender,skinColor,accessories,nailPolish,aspectOfHand,imageName,irregularities"
_JPEG_QUALITY = 92
# Fewer photos than this are drawn before another process has started.
_PHOTOS_PER_WORKER = 40


def write_synthetic(
    directory: Path,
    num_people: int,
    photos_per_view: int,
    seed: int,
    size_px: tuple[int, int] = (256, 192),
    workers: int | None = None,
    progress: Progress = hide_progress,
    on_grounds: bool = False,
) -> None:
    """Draw a data set of synthetic hands: HandInfo.csv and Hands/Hand_0000001.jpg and so on.

    Args:
        directory: the folder to make; it may exist if it is empty. It appears whole or not at all.
        num_people: people, at least 1; a person is the same however many there are.
        photos_per_view: photos of the back and as many of the palm of each person, at least 1: by turns of the right and
            of the left hand.
        seed: seed of people and photos, not negative.
        size_px: width and height of the photos.
        workers: processes, which do not change what is drawn; by default as many as there are processors.
        progress: told of (photos done, photos in all).
        on_grounds: lay the same hands on wood, cloth and other grounds rather than on paper.

    Raises:
        DataError: a target that is in use, or a number out of range.
        DiskError: a folder that cannot be written, or a full disk.
    """
    directory = Path(directory).absolute()
    _check_numbers(num_people, photos_per_view, seed, size_px, workers)
    _check_target(directory)
    total = num_people * photos_per_view * len(VIEWS)
    workers = min(_count_processors() if workers is None else workers, -(-total // _PHOTOS_PER_WORKER))
    with hold_lock(directory), new_folder(directory) as folder:
        (folder / "Hands").mkdir()
        draw = partial(_write_person, folder, photos_per_view, seed, size_px, on_grounds)
        rows, count = [_COLUMNS], progress("draw hands")
        for done, lines in enumerate(_map_people(draw, num_people, workers), start=1):
            rows += lines
            count(done * photos_per_view * len(VIEWS), total)
        (folder / "HandInfo.csv").write_text("".join(f"{row}\r\n" for row in rows), encoding="ascii", newline="")
        _check_target(directory)


def _check_numbers(
    num_people: int, photos_per_view: int, seed: int, size_px: tuple[int, int], workers: int | None
) -> None:
    counts = (("num_people", num_people, 1), ("photos_per_view", photos_per_view, 1), ("seed", seed, 0))
    for name, value, least in (*counts, ("workers", 1 if workers is None else workers, 1)):
        if value < least:
            raise DataError(f"`{name}` must be at least {least}. Received: {name}={value}.")
    if min(size_px) < MIN_SIDE_PX:
        raise DataError(f"`size_px` must be at least {MIN_SIDE_PX} each way. Received: size_px={size_px}.")


def _check_target(directory: Path) -> None:
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise DataError(f"{str(existing)!r} is not a folder. Give the name of a new folder.")
    try:
        is_used = directory.is_dir() and any(directory.iterdir())
    except OSError as error:
        raise DataError(f"Cannot read {str(directory)!r}: {error.strerror}. Give a new folder.") from None
    if is_used:
        raise DataError(
            f"The folder {str(directory)!r} is not empty. Give the name of a new folder, or empty it first."
        )


def _count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _map_people(draw: Callable[[int], list[str]], num_people: int, workers: int) -> Iterator[list[str]]:
    """Yield the table's rows of each person, in order, drawn here or in processes of their own."""
    if workers == 1:
        yield from map(draw, range(num_people))
        return
    # Fresh processes: a copy of one in which TensorFlow runs its threads may lock up.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)
    try:
        yield from pool.map(draw, range(num_people))
    except BrokenProcessPool:
        raise DataError(
            "A drawing process ended early: it was killed, or a script calls write_synthetic outside of "
            "`if __name__ == '__main__':`. Try again, or pass workers=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leave interrupts to the parent process, and end when it does, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _write_person(
    folder: Path, photos_per_view: int, seed: int, size_px: tuple[int, int], on_grounds: bool, index: int
) -> list[str]:
    """Draw one person's photos into Hands/ and return their rows of the table."""
    person = sample_person(seed, index)
    rows = []
    for k, (view, side, photo) in enumerate(_list_photos(photos_per_view)):
        name = f"Hand_{index * photos_per_view * len(VIEWS) + k + 1:07d}.jpg"
        drawn = draw_photo(seed, person, view, side, photo, size_px, on_grounds)
        Image.fromarray(drawn).save(folder / "Hands" / name, quality=_JPEG_QUALITY)
        rows.append(_format_row(person, view, side, name))
    return rows


def _list_photos(photos_per_view: int) -> Iterable[tuple[str, str, int]]:
    for view in VIEWS:
        for k in range(photos_per_view):
            yield view, ("right", "left")[k % 2], k // 2


def _format_row(person: Person, view: str, side: str, name: str) -> str:
    # As in the official table: accessories go by the hand, polish by what the back shows, and text is quoted.
    accessories = int(person.ring is not None and person.ring.side == side)
    polish = int(person.polish is not None and view == "dorsal")
    return (
        f'"{person.index:07d}",{person.age},"{person.gender}","{person.skin_class}",{accessories},{polish},'
        f'"{view} {side}","{name}",0'
    )
