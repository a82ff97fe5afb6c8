"""The encoder in other formats, each run by its own runtime; skipped where that is not installed."""

import builtins
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handnet.errors import ConfigError, RunError
from handnet.export import FACTS_FILE, export_encoder
from handnet.export.formats import FORMATS, Embed
from tests.photos import USABLE
from tests.serving.conftest import Exported

OTHERS = [name for name in FORMATS if name != "savedmodel"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_each_format_gives_the_encoders_vectors(
    name: str, exported: Exported, photos: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in FORMATS[name].packages:
        pytest.importorskip(package, reason=f"{package} is absent: pip install 'handnet[formats]'")
    paths = [str(photos[kind]) for kind in USABLE]
    folder = tmp_path / name
    result = export_encoder(exported.encoder, exported.image, folder, paths, format_name=name)
    assert result.max_error < 1e-5
    assert (result.folder / FORMATS[name].file).is_file()
    assert json.loads((result.folder / FACTS_FILE).read_text())["format"] == name
    with pytest.raises(RunError, match=rf"holds versions of the format {name}.*{name}-savedmodel"):
        export_encoder(exported.encoder, exported.image, folder, paths)

    load = FORMATS[name].load
    assert load is not None

    def load_wrong(file: Path) -> Embed:
        embed = load(file)
        return lambda images: embed(images) + 1e-4

    monkeypatch.setitem(FORMATS, name, FORMATS[name]._replace(load=load_wrong))  # type: ignore[arg-type]
    with pytest.raises(RunError, match="differs from the encoder by 0.0001"):
        export_encoder(exported.encoder, exported.image, folder, paths, format_name=name)
    assert [path.name for path in folder.iterdir()] == ["1"], "nothing half written"


@pytest.mark.parametrize("name", OTHERS)
def test_a_package_that_is_not_installed_is_named(
    name: str, exported: Exported, photos: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = FORMATS[name].packages[0]
    genuine = builtins.__import__

    def refuse(wanted: str, *args: Any, **kwargs: Any) -> Any:
        if wanted.split(".")[0] == package:
            raise ImportError(f"No module named {package!r}")
        return genuine(wanted, *args, **kwargs)

    monkeypatch.setattr("handnet.export.formats.importlib.import_module", refuse)
    with pytest.raises(ConfigError, match=rf"needs the package {package}.*pip install 'handnet\[formats\]'"):
        export_encoder(exported.encoder, exported.image, tmp_path / "x", [str(photos["jpeg"])], format_name=name)
    assert not (tmp_path / "x").exists()
