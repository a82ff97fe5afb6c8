"""Weights of any source, or of a run, brought into one folder: a safetensors file and its record."""

from pathlib import Path

import keras
import numpy as np

from handnet.config.run_folder import Run, is_run, read_run
from handnet.errors import WeightsError
from handnet.files import new_folder
from handnet.networks.backbones import BACKBONES, find_backbone
from handnet.networks.backbones.build import build_backbone, read_any_weights
from handnet.networks.encoder import load_run_backbone
from handnet.networks.weights.catalogue import SHIPPED, find_kept
from handnet.networks.weights.fetch import refuse_existing
from handnet.networks.weights.manifest import MANIFEST_FILE, Manifest, hash_file, read_manifest, write_manifest
from handnet.networks.weights.safetensors import write_safetensors
from handnet.networks.weights.source import Pretrained

FILE_NAME = "weights.safetensors"


def convert_weights(arch: str, source: str, folder: Path, half: bool = False) -> Path:
    """Write weights of any source under the reference's names, with their pixel values and checksum.

    The position table keeps its published size, so that the folder serves every image size. Of a run it is the backbone as it
    was built: up to the deepest tap, its position table of the run's size. The network is built and filled from the folder
    once: what does not fit is refused here.

    Args:
        arch: a key of `BACKBONES`.
        source: "preset", a path or the folder of a run, as for `build_encoder`.
        folder: made here; it must not exist.
        half: float16 instead of float32.

    Returns:
        The folder.

    Raises:
        ConfigError: for an unknown architecture.
        RunError: the run is damaged.
        WeightsError: the source is out of reach, damaged or does not fit, or the folder exists.
    """
    refuse_existing(folder)
    run = read_run(Path(source)) if is_run(Path(source)) else None
    pretrained = read_any_weights(arch, source) if run is None else _read_backbone(run, arch)
    with new_folder(folder) as part:
        file = part / FILE_NAME
        write_safetensors(file, pretrained.state, np.float16 if half else np.float32)
        manifest = Manifest(
            arch,
            FILE_NAME,
            file.stat().st_size,
            hash_file(file),
            (source if source == "preset" else Path(source).name) if run is None else _describe_run(run),
            _find_licence(arch, source if run is None else run.config.model.weights),
            pretrained.pixel_scale,
            pretrained.pixel_offset,
        )
        write_manifest(part, manifest)
        try:
            _check_fit(arch, part, run)
        except WeightsError as error:
            # The folder that is being written says nothing to whoever gave the source.
            raise WeightsError(str(error).replace(repr(str(part)), repr(source))) from None
    return folder


def _check_fit(arch: str, folder: Path, run: Run | None) -> None:
    """Build the network and fill it; weights that no run describes may end at the middle, as those in this package do."""
    entry = BACKBONES[arch]
    if run is not None:
        build_backbone(arch, image_size_px=run.config.image.size_px, weights=str(folder), taps=run.config.model.taps)
        return
    size_px = max(entry.min_image_px, 96)
    try:
        build_backbone(arch, image_size_px=size_px, weights=str(folder))
    except WeightsError as error:
        if not entry.middle:
            raise
        try:
            build_backbone(arch, image_size_px=size_px, weights=str(folder), taps=entry.middle)
        except WeightsError:
            # What is wrong with all of it says more.
            raise error from None


def _read_backbone(run: Run, arch: str) -> Pretrained:
    entry = find_backbone(arch)
    if entry.joins_sources:
        raise WeightsError(
            f"{arch!r} joins frozen networks that come with their own weights: of a run of it there is nothing to convert. "
            "Convert a run that has trained a single network."
        )
    if entry.lay_out is None:
        raise WeightsError(
            f"A folder of weights is for backbones with published ones. For {arch!r} give the run itself: --weights RUN."
        )
    backbone = load_run_backbone(run.folder, arch)
    values = {v.path: np.asarray(keras.ops.convert_to_numpy(v.value)) for v in backbone.weights}
    pixels = backbone.get_layer("pixels")
    scale, offset = (tuple(values.pop(variable.path).tolist()) for variable in (pixels.scale, pixels.offset))
    return Pretrained(values, scale, offset, arch)


def _describe_run(run: Run) -> str:
    people = run.facts["data"].get("num_people", {}).get("train", "some")
    return f"the run {run.folder.name!r}, trained on {people} people of {Path(run.facts['data']['directory']).name!r}"


def _find_licence(arch: str, source: str) -> str:
    """Return the licence of weights; those of a run have that of what it began with."""
    published = next((published.licence for published in BACKBONES[arch].published.values()), "")
    if source in ("preset", "pip"):
        return published
    if kept := find_kept(source):
        return kept.licence
    path = SHIPPED.get(source, Path(source))
    if is_run(path):
        return _find_licence(arch, read_run(path).config.model.weights)
    if (path / MANIFEST_FILE).is_file():
        return read_manifest(path).licence
    # A file may be anybody's, trained further on anything.
    return f"not recorded; those published for {arch}: {published}" if published else "not recorded"
