"""Errors that a user can fix: the command line shows each as one line and exits with its code."""

import difflib
import os
import shlex
from collections.abc import Iterable, Sequence

# Characters of a value that a message shows.
_MAX_SHOWN = 120


class HandnetError(Exception):
    """A mistake in what handnet was given, with a message that says what was expected, what came and what to do."""

    exit_code = 1


class ConfigError(HandnetError):
    """An unknown or invalid setting, option or name."""

    exit_code = 2


class DataError(HandnetError):
    """A data set, table or photo that cannot be used as it is."""


class WeightsError(HandnetError):
    """Pretrained weights that are out of reach, damaged or do not fit the network."""


class RunError(HandnetError):
    """A run folder that is missing, in the way, incomplete or of another configuration."""


class DiskError(HandnetError):
    """A file or folder that cannot be written."""


class DeviceError(HandnetError):
    """A device that ran out of memory."""


class ClusterError(HandnetError):
    """A cluster that cannot be reached, lacks what was asked of it, or gave up."""


class EvaluationError(HandnetError):
    """Embeddings or labels on which a figure cannot be computed honestly."""


class GalleryError(HandnetError):
    """A gallery that is missing, damaged, busy, of another model or under another key."""


class GalleryServerError(GalleryError):
    """The server that holds a gallery does not answer."""


def format_unknown(kind: str, name: str, valid: Iterable[str], others: Iterable[str] = ()) -> str:
    """Return the message for an unknown name: what came, the nearest valid name and all valid names.

    Args:
        kind: what the name stands for, e.g. "loss" or "config key".
        name: the name received.
        valid: the valid names.
        others: valid too, but too many to be named, unless one of them is the nearest.
    """
    valid = sorted(valid)
    near = difflib.get_close_matches(name, [*valid, *others], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {name!r}.{hint} Valid: {', '.join(valid)}."


def printable(text: str) -> str:
    """Return text with line breaks, escape codes and other unprintable characters written out.

    File names and table cells are somebody else's: printed raw they could recolour or overwrite a terminal.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show_value(value: object) -> str:
    """Return a value as Python writes it, of a long one the beginning: a message stays one line."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits.
        return "a whole number of more than 4,300 digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}… ({len(text):,} characters)"


def quote(path: str | os.PathLike[str]) -> str:
    """Return a path as a shell takes it, for commands that are printed: names with spaces in quotation marks."""
    return shlex.quote(printable(str(path)))


def count_and_name(names: Sequence[str], singular: str, plural: str) -> str:
    """Return "1 person (a)" or "7 people (a, b, c, …)": the count and the first few, safe to print."""
    return f"{len(names):,} {singular if len(names) == 1 else plural} ({name_few(names)})"


def name_few(names: Sequence[str], num_named: int = 3) -> str:
    """Return "a, b, c, …": the first few names, safe to print."""
    return ", ".join(printable(name) for name in names[:num_named]) + (", …" if len(names) > num_named else "")
