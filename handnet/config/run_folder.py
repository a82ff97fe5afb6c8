"""The run folder: everything to repeat, evaluate and use a training run."""

import csv
import hashlib
import importlib.metadata
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handnet.config.settings import Config
from handnet.config.split import PARTS, SPLIT_FILE, Split, write_split
from handnet.config.toml import format_toml, read_config
from handnet.errors import ConfigError, RunError
from handnet.files import new_folder, read_json, write_json

CONFIG_FILE = "config.toml"
FACTS_FILE = "run.json"
WEIGHTS_FILE = "model.weights.h5"
# Of the classifier of pairs, where the run has one.
PAIR_WEIGHTS_FILE = "pairs.weights.h5"
PAIR_CALIBRATION_FILE = "pairs_calibration.json"
HISTORY_FILE = "history.csv"
SEEN_PHOTOS_FILE = "seen_photos.txt"
# Variables that change what TensorFlow and Keras compute, in the last digits or in more.
_VARIABLES = (
    "KERAS_BACKEND",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_ENABLE_AUTO_MIXED_PRECISION",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
)
_PACKAGES = ("handnet", "tensorflow", "keras", "keras-hub", "numpy", "pandas", "pillow")


class Run(NamedTuple):
    """A run folder and what it says.

    Attributes:
        folder: where it lies.
        config: its resolved settings.
        facts: run.json: status, data, versions, seeds, best epoch.
    """

    folder: Path
    config: Config
    facts: dict[str, Any]


def create_run(
    folder: Path, config: Config, facts: Mapping[str, Any], split: Split, seen_photos: Sequence[str] = ()
) -> Run:
    """Make a run folder, whole or not at all.

    Args:
        folder: must not exist.
        config: its settings.
        facts: what run.json says.
        split: who is in which part.
        seen_photos: digests of the photos that its weights will have seen; see `read_seen_photos`.

    Raises:
        RunError: the folder exists already.
        DiskError: it cannot be written.
    """
    check_absent(folder)
    with new_folder(folder) as part:
        (part / CONFIG_FILE).write_text(format_toml(config), encoding="utf-8")
        write_split(split, part / SPLIT_FILE)
        write_json(part / FACTS_FILE, facts)
        (part / SEEN_PHOTOS_FILE).write_text("".join(f"{digest}\n" for digest in seen_photos), encoding="ascii")
    return Run(folder, config, dict(facts))


def check_absent(folder: Path) -> None:
    """Raise RunError where a run or anything else lies at `folder` already."""
    if not folder.exists():
        return
    if (folder / FACTS_FILE).exists():
        raise RunError(f"The run {str(folder)!r} exists already. Continue it with --resume, or give another --run.")
    if not folder.is_dir() or any(folder.iterdir()):
        raise RunError(f"{str(folder)!r} exists and is not a run. Give another --run.")


def is_run(folder: Path) -> bool:
    """Tell whether a folder holds a run."""
    # Path.is_file raises OSError of a name that is too long.
    return os.path.isfile(folder / FACTS_FILE) and os.path.isfile(folder / CONFIG_FILE)


def find_weights(run: "Run") -> Path:
    """Return the file of a run's weights.

    Raises:
        RunError: there is none.
    """
    file = run.folder / WEIGHTS_FILE
    if not file.exists():
        raise RunError(
            f"{str(run.folder)!r} has no {WEIGHTS_FILE}: the run was stopped before it began. Train it again."
        )
    return file


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        RunError: there is no run, or it is damaged.
    """
    if not os.path.isdir(folder):
        raise RunError(
            f"There is no run folder {str(folder)!r}. Expected one that `handnet train --run {folder}` made."
        )
    missing = [name for name in (CONFIG_FILE, FACTS_FILE, SPLIT_FILE) if not (folder / name).is_file()]
    if missing:
        raise RunError(
            f"{str(folder)!r} is not a run folder: it lacks {', '.join(missing)}. Expected one that `handnet train` made."
        )
    try:
        facts = read_json(folder / FACTS_FILE)
        if not {"directory", "fingerprint"} <= facts["data"].keys() or "status" not in facts:
            raise ValueError(f"{FACTS_FILE} does not say its status or its data")
        config = read_config(folder / CONFIG_FILE)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise RunError(f"The run {str(folder)!r} is damaged: {error}") from None
    return Run(folder, config, facts)


def read_run_split(run: Run) -> Split:
    """Return the split that the run was trained with, so that nobody of its training people is ever tested.

    Raises:
        RunError: the file is damaged.
    """
    try:
        with (run.folder / SPLIT_FILE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{str(run.folder / SPLIT_FILE)!r} cannot be read: {error}") from None
    by = "photo" if rows and "photo" in rows[0] else "identity"
    if not rows or any(row.get("part") not in PARTS or not row.get(by) for row in rows):
        raise RunError(
            f"{str(run.folder / SPLIT_FILE)!r} is damaged: expected the columns identity (or photo) and part."
        )
    train, val, test = (tuple(row[by] for row in rows if row["part"] == part) for part in PARTS)
    return Split(train, val, test, by=by)


def read_seen_photos(run: Run) -> list[str]:
    """Return the digests of the photos that a run's weights have seen: in training and validation, or in the runs before it.

    None are known of a run made before this list was kept.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        return (run.folder / SEEN_PHOTOS_FILE).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{str(run.folder / SEEN_PHOTOS_FILE)!r} cannot be read: {error}") from None


def update_facts(run: Run, changes: Mapping[str, Any]) -> Run:
    """Write run.json with some facts changed; of a run that diverged, NaN and infinities become null."""
    facts = {**run.facts, **{name: _without_nan(value) for name, value in changes.items()}}
    write_json(run.folder / FACTS_FILE, facts)
    return run._replace(facts=facts)


def collect_facts(config: Config, command: Sequence[str], data: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what is needed to repeat a run on another day: versions, environment, machine, revision, data."""
    return {
        "status": "started",
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": list(command),
        "seed": config.train.seed,
        "data": dict(data),
        "packages": {name: _read_version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "machine": {"system": platform.platform(), "processor": platform.machine()},
        "git_revision": _read_revision(),
    }


def fingerprint_data(digests: Sequence[str], labels: Sequence[str]) -> str:
    """Digest the photos' contents together with their labels, in order."""
    text = "\n".join(f"{digest} {label!r}" for digest, label in zip(digests, labels, strict=True))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _read_revision() -> str:
    """Return the git revision of handnet's own source, or "" where it is not run from a checkout."""
    source = Path(__file__).resolve().parent
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(source), "ls-files", "--error-unmatch", __file__], capture_output=True, timeout=10
        )
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 and tracked.returncode == 0 else ""
