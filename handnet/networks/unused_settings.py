"""Settings that were given and would change nothing, since the head that was chosen does not use them: refused, not ignored."""

import dataclasses
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from handnet.config.presets import Tree, merge_trees
from handnet.config.settings import Config, SourceConfig
from handnet.errors import ConfigError, show_value
from handnet.networks.heads import HEADS, Head

# What heads that are trained by gradient use besides.
_OF_GRADIENT = ("loss.*", "optimizer.*", "sampler.*", "train.epochs", "train.jit", "train.keep", "train.patience")
# How photos are matched, in evaluation too; it is an option of the losses on a batch.
_USED_ALWAYS = "loss.options.views"


def check_unused(given: Tree, defaults: Tree, head: str) -> None:
    """Refuse what was given for another head, or for another way of training than this one's.

    A value that holds without being given is let through: the settings of a run list every one.

    Args:
        given: settings, as a file and the options give them.
        defaults: what they are laid over, those of the backbone and of the loss.
        head: a name of HEADS.

    Raises:
        ConfigError: names them, their values and the heads that use them.
    """
    own = _list_settings(HEADS[head])
    others = {pattern for entry in HEADS.values() for pattern in _list_settings(entry)} - own
    standing = _flatten(merge_trees(dataclasses.asdict(Config()), defaults))
    standing_source = dataclasses.asdict(SourceConfig())
    unused: dict[str, Any] = {}
    for name, value in _flatten(given).items():
        is_of_source = name.startswith("model.sources.") and name not in standing
        default = standing_source.get(name.rsplit(".", 1)[-1]) if is_of_source else standing.get(name)
        if name != _USED_ALWAYS and _matches(name, others) and value != default:
            unused[name] = value
    if not unused:
        return
    users = [
        name for name, entry in HEADS.items() if all(_matches(setting, _list_settings(entry)) for setting in unused)
    ]
    choose = f", or choose a head that uses {'it' if len(unused) == 1 else 'them'}: {', '.join(users)}" if users else ""
    raise ConfigError(
        f"{_join([f'`{name}`' for name in unused])} change{'s' * (len(unused) == 1)} nothing with the head {head!r}. Received: "
        f"{', '.join(f'{name}={show_value(value)}' for name, value in unused.items())}, model.head={head!r}. Leave "
        f"{'it' if len(unused) == 1 else 'them'} out{choose}."
    )


def _list_settings(head: Head) -> set[str]:
    return {*head.settings, *(_OF_GRADIENT if head.fit is None else ())}


def _matches(name: str, patterns: set[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
