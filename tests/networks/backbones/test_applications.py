"""VGG16 and InceptionV3 against keras.applications, each filled from a file that keras.applications' own network wrote."""

import os
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.backbones.build import build_backbone, read_any_weights
from handnet.networks.backbones.trainable import list_blocks
from handnet.networks.convert import convert_weights
from handnet.networks.weights.manifest import read_manifest
from tests.goldens.drawn import draw_images

# At which a conversion builds the network.
SIZE_PX = 96
# Blocks, the last of which can be trained, and some of the variables.
NAMES = {
    "vgg16": ([f"block{i}" for i in range(1, 6)], {"block1_conv1/kernel"}),
    "inception-v3": (
        [f"mixed{i}" for i in range(11)],
        {"stem_conv4/kernel", "mixed3_conv3/kernel", "mixed10_bn8/moving_mean"},
    ),
}


def build_theirs(arch: str, side: int) -> tuple[keras.Model, keras.Model]:
    """Return keras.applications' network with drawn weights, and the network from photos as published: with its pixels."""
    module, build = {
        "vgg16": (keras.applications.vgg16, keras.applications.VGG16),
        "inception-v3": (keras.applications.inception_v3, keras.applications.InceptionV3),
    }[arch]
    network = build(weights=None, include_top=False, input_shape=(side, side, 3), pooling="avg")
    rng = np.random.default_rng(0)
    for variable in network.weights:
        normal = rng.standard_normal(variable.shape).astype("float32")
        if len(variable.shape) == 4:
            variable.assign(normal * np.sqrt(2.0 / np.prod(variable.shape[:-1])))
        else:
            # Variances must be positive; all else differs from what a new network has.
            variable.assign(1.0 + 0.1 * np.abs(normal) if "variance" in variable.path else 0.1 * normal)
    if arch == "vgg16":
        # It takes values as far as 150 from zero and normalises nothing: features would be that large, and their rounding.
        network.get_layer("block1_conv1").kernel.assign(network.get_layer("block1_conv1").kernel / 64.0)
    images = keras.Input((side, side, 3))
    return network, keras.Model(images, network(module.preprocess_input(images)))


def write_keras_2(network: keras.Model, path: Path) -> None:
    """Write weights in the layout of the published files, of Keras 1 and 2."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, layer.weights, strict=True):
                group[name] = keras.ops.convert_to_numpy(variable.value)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["vgg16", "inception-v3"])
def test_features_equal_those_of_keras_applications(arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, theirs = build_theirs(arch, SIZE_PX)
    network.save_weights(tmp_path / "x.weights.h5")
    write_keras_2(network, tmp_path / "notop.h5")
    images = draw_images(SIZE_PX)
    expected = keras.ops.convert_to_numpy(theirs(images.astype("float32")))
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * np.abs(expected).max()
    # The conversion fills a network once, and each takes a second or more.
    built: list[keras.Model] = []
    monkeypatch.setattr(
        "handnet.networks.convert.build_backbone",
        lambda *arguments, **options: built.append(build_backbone(*arguments, **options)),
    )
    folder = convert_weights(arch, os.fspath(tmp_path / "notop.h5"), tmp_path / "converted")
    (ours,) = built
    # VGG16's features are of order 3: rounding is relative to them.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(images)), expected, rtol=1e-5, atol=1e-5)
    assert read_manifest(folder).pixel_offset == tuple(np.asarray(ours.get_layer("pixels").offset, float).round(3))
    # The layout of today's Keras holds the same.
    one, other = (read_any_weights(arch, os.fspath(tmp_path / name)) for name in ("x.weights.h5", "converted"))
    assert one.state.keys() == other.state.keys()
    assert all(np.array_equal(values, other.state[name]) for name, values in one.state.items())
    # Names do not depend on how many layers Keras has counted before.
    paths = {variable.path for variable in ours.weights}
    assert not any(path.startswith(("conv2d", "batch_normalization")) for path in paths)
    blocks, some = NAMES[arch]
    assert list_blocks(ours) == blocks
    assert some <= paths


@pytest.mark.slow
def test_keras_hubs_vgg16_folder(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    theirs = keras_hub.models.VGGBackbone([2, 2, 3, 3, 3], [64, 128, 256, 512, 512], image_shape=(48, 48, 3))
    theirs.save_to_preset(os.fspath(tmp_path / "preset"))
    ours = build_backbone("vgg16", image_size_px=48, weights=os.fspath(tmp_path / "preset"))
    images = draw_images(48)
    expected = keras.ops.convert_to_numpy(theirs(ours.get_layer("pixels")(images))).mean((1, 2))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(images)), expected, rtol=1e-5, atol=1e-5)


def write_layers(path: Path, layers: dict[str, list[tuple[int, ...]]]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, shapes in layers.items():
            names = [f"{name}_W_{i}:0" for i in range(len(shapes))]
            file.create_group(name).attrs["weight_names"] = [n.encode() for n in names]
            for weight, shape in zip(names, shapes, strict=True):
                file[name][weight] = np.zeros(shape, np.float32)
    return path


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"conv1_conv": [(7, 7, 3, 64), (64,)]}, "Layer count mismatch"),
        ({"block1_conv1": [(3, 3, 3, 64)]}, "Layer count mismatch"),
        ({f"block{i}": [(3, 3, 3, 64)] for i in range(13)}, "Weight count mismatch"),
        ({f"block{i}": [(3, 3), (64,)] for i in range(13)}, "Shape mismatch"),
    ],
)
def test_files_of_other_networks_are_refused_in_one_line(layers: dict, message: str, tmp_path: Path) -> None:
    path = write_layers(tmp_path / "x.h5", layers)
    with pytest.raises(
        WeightsError, match=f"is damaged, or not a file of keras.applications' VGG16 .*{message}"
    ) as caught:
        build_backbone("vgg16", image_size_px=32, weights=os.fspath(path))
    assert "\n" not in str(caught.value)


def test_damaged_files_and_other_backbones_are_refused(tmp_path: Path) -> None:
    path = write_layers(tmp_path / "x.h5", {"block1_conv1": [(3, 3, 3, 64), (64,)]})
    with pytest.raises(
        WeightsError, match=r"is an HDF5 file, in which no weights of this backbone are published\. Give a"
    ):
        build_backbone("resnet50", image_size_px=32, weights=os.fspath(path))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"<html>404</html>", b""):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="is damaged, or not a file of keras.applications' VGG16") as caught:
            build_backbone("vgg16", image_size_px=32, weights=os.fspath(path))
        assert "\n" not in str(caught.value)
