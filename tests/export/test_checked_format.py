"""The encoder in other formats, each run by its own runtime; skipped where that is not installed."""

import builtins
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import pytest

from handnet.config.image import ImageConfig
from handnet.errors import ConfigError, RunError
from handnet.export.archive import export_encoder
from handnet.export.exported_model import FACTS_FILE
from handnet.networks.device import set_precision
from handnet.networks.encoder import Encoder, UnitNormalization
from handnet.networks.formats import FORMATS, Embed
from tests.exported import Exported
from tests.photos import USABLE

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


@pytest.mark.slow
def test_the_exact_gelu_of_transformers_is_converted_to_onnx(photos: Mapping[str, Path], tmp_path: Path) -> None:
    for package in FORMATS["onnx"].packages:
        pytest.importorskip(package, reason=f"{package} is absent: pip install 'handnet[formats]'")
    set_precision("float32")
    images = keras.Input((32, 32, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 4, 4)(keras.layers.Rescaling(0.01)(images)))
    x = keras.layers.Activation(lambda v: keras.ops.gelu(v, approximate=False))(x)
    backbone = keras.Model(images, x)
    head = keras.Sequential([keras.layers.Dense(8), UnitNormalization()])
    encoder = Encoder(keras.Model(images, head(x)), backbone, head)
    paths = [str(photos[kind]) for kind in USABLE]
    result = export_encoder(encoder, ImageConfig(size_px=32), tmp_path / "gelu", paths, format_name="onnx")
    assert result.max_error < 1e-5


@pytest.mark.slow
def test_what_a_runtime_refuses_is_one_line(
    exported: Exported, photos: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="openvino is absent: pip install 'handnet[formats]'")

    def refuse(_: Path) -> Embed:
        raise OSError("No Op registered for Erfc\nwith many more lines")

    monkeypatch.setitem(FORMATS, "openvino", FORMATS["openvino"]._replace(load=refuse))  # type: ignore[arg-type]
    with pytest.raises(
        RunError, match=r"^This encoder cannot be converted to openvino: No Op registered for Erfc\. Nothing"
    ):
        export_encoder(exported.encoder, exported.image, tmp_path / "x", [str(photos["jpeg"])], format_name="openvino")
    assert list(tmp_path.iterdir()) == []


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

    monkeypatch.setattr("handnet.networks.formats.importlib.import_module", refuse)
    with pytest.raises(ConfigError, match=rf"needs the package {package}.*pip install 'handnet\[formats\]'"):
        export_encoder(exported.encoder, exported.image, tmp_path / "x", [str(photos["jpeg"])], format_name=name)
    assert not (tmp_path / "x").exists()
