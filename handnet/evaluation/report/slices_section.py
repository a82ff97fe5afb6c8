"""Slices in words: who is hard to find, one row for each value of an attribute and both directions in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from handnet.metrics.figures import DIRECTION_NAMES


class Found(NamedTuple):
    """R@1 of a slice in one direction, in per cent with one digit.

    Attributes:
        value: R@1.
        chance: of a random order.
        interval: low and high; None for one person, who has none.
    """

    value: str
    chance: str
    interval: tuple[str, str] | None


class SliceRow(NamedTuple):
    """A slice.

    Attributes:
        words: whose photos they are, e.g. "hands with nail polish".
        counts: people and photos.
        found: one for each direction; None where there is none.
    """

    words: str
    counts: str
    found: list[Found | None]


def show_slices(directions: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what the section of slices shows.

    Args:
        directions: direction → rows of figures, `slices` of metrics.json.

    Returns:
        `rows`, those of an attribute together, in one order for both directions; `few`, those of fewer than five people;
        `directions`, their names.
    """
    found = {
        direction: {(row["attribute"], row["value"]): row for row in rows} for direction, rows in directions.items()
    }
    keys = sorted(set().union(*found.values()), key=_place)
    rows, few = list[SliceRow](), list[SliceRow]()
    for key in keys:
        each = [found[direction].get(key) for direction in found]
        known = next(row for row in each if row is not None)
        row = SliceRow(describe_slice(*key), _count(known), [_measure(one) for one in each])
        (few if any(one is not None and one["few_people"] for one in each) else rows).append(row)
    return {"rows": rows, "few": few, "directions": [DIRECTION_NAMES[direction] for direction in found]}


def describe_slice(attribute: str, value: str) -> str:
    """Return whose photos a slice holds, in words where the attribute is known, else "attribute: value"."""
    write = _WORDS.get(attribute.lower())
    return write(value) if write is not None else f"{attribute}: {value}"


def _place(key: tuple[str, str]) -> tuple[str, int, str]:
    # Bands of age in their order, not in that of the alphabet.
    attribute, value = key
    return attribute.lower(), {"under 18": 0, "over 50": 2}.get(value, 1), value


def _count(row: Mapping[str, Any]) -> str:
    people = f"{row['num_people']} {'person' if row['num_people'] == 1 else 'people'}"
    return f"{people}, {row['num_queries']:,} {'photo' if row['num_queries'] == 1 else 'photos'}"


def _measure(row: Mapping[str, Any] | None) -> Found | None:
    if row is None:
        return None
    low_high = row.get("interval", {}).get("recall_at_1")
    interval = None if low_high is None else (_write(low_high[0]), _write(low_high[1]))
    return Found(_write(row["recall_at_1"]), _write(row["chance"]["recall_at_1"]), interval)


def _write(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _say_with(thing: str) -> Callable[[str], str]:
    return lambda value: {"1": f"hands with {thing}", "0": f"hands without {thing}"}.get(value, f"{thing}: {value}")


# The attributes of 11k Hands, and the side.
_WORDS: Mapping[str, Callable[[str], str]] = {
    "accessories": _say_with("rings or other accessories"),
    "age": lambda value: f"people {value}" if value[:1].isalpha() else f"people aged {value}",
    "gender": lambda value: {"female": "women", "male": "men"}.get(value, f"gender: {value}"),
    "irregularities": _say_with("irregularities (scars, moles, …)"),
    "nailpolish": _say_with("nail polish"),
    "side": lambda value: f"{value} hands",
    "skincolor": lambda value: f"{value} skin",
}
