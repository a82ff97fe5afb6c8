"""Who is in which part of a run: the split that it is trained, validated and tested by."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from handnet.errors import ConfigError, DataError, format_unknown, printable
from handnet.files import write_bytes

SPLIT_FILE = "split.csv"
PARTS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """The people of each part, each person in one part at most; or the photos, where parts may share people.

    Attributes:
        train: people to train on.
        val: people to choose the best epoch and the threshold on.
        test: people to report on.
        note: one line to show to the user of the split, "" where there is none.
        by: "identity"; or "photo": the parts then hold the photos' paths, relative to the data set's folder.

    Raises:
        DataError: a person (or photo) in two parts, or twice in one.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    note: str = field(default="", compare=False)
    by: str = "identity"

    def __post_init__(self) -> None:
        part_of: dict[str, str] = {}
        kind = "person" if self.by == "identity" else "photo"
        for part in PARTS:
            for identity in self.people(part):
                if identity in part_of:
                    raise DataError(
                        f"A split must hold each {kind} once. Received: {printable(identity)} in {part_of[identity]} "
                        f"and in {part}."
                    )
                part_of[identity] = part

    def people(self, part: str) -> tuple[str, ...]:
        """Return the people (or photos) of one part.

        Raises:
            ConfigError: an unknown part.
        """
        if part not in PARTS:
            raise ConfigError(format_unknown("part", part, PARTS))
        people: tuple[str, ...] = getattr(self, part)
        return people


def write_split(split: Split, path: Path) -> None:
    """Write a split as the table that split "file" reads; a file that is in the way is replaced whole.

    Raises:
        DiskError: the file cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow((split.by, "part"))
    writer.writerows((identity, part) for part in PARTS for identity in split.people(part))
    write_bytes(Path(path), table.getvalue().encode())
