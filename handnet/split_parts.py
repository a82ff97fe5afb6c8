"""What a split is, and the checks of the options of the rules that make one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handnet.datasets.dataset import printable
from handnet.errors import ConfigError, DataError, format_unknown

PARTS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """The people of each part, each person in one part at most; or the photos, where parts may share people.

    Attributes:
        train: people to train on.
        val: people to choose the best epoch and the threshold on.
        test: people to report on.
        note: one line that whoever uses the split should read, "" where there is none.
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


def check_options(split: str, options: Mapping[str, object], defaults: dict[str, object]) -> dict[str, object]:
    """Return a rule's options over its defaults; ConfigError for an unknown one."""
    for name in options:
        if not defaults:
            raise ConfigError(f'Split "{split}" has no options. Received: {name}.')
        if name not in defaults:
            raise ConfigError(format_unknown(f'option of split "{split}"', name, list(defaults)))
    return {**defaults, **options}


def check_number(split: str, name: str, value: object, low: float, high: float) -> float:
    """Return an option that is a number; ConfigError where it is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f'Split "{split}": {name} must be a number from {low:g} to {high:g}. Received: {value!r}.')
    return float(value)


def check_integer(split: str, name: str, value: object, low: int, high: int | None = None) -> int:
    """Return an option that is a whole number; ConfigError where it is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        expected = f"a whole number from {low} to {high}" if high is not None else f"a whole number, at least {low}"
        raise ConfigError(f'Split "{split}": {name} must be {expected}. Received: {value!r}.')
    return value
