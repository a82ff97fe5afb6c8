"""Weights of any source brought into one folder: a safetensors file and its record."""

from pathlib import Path

from handnet.files import new_folder
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.build import build_backbone, read_any_weights
from handnet.networks.weights.fetch import refuse_existing
from handnet.networks.weights.manifest import MANIFEST_FILE, Manifest, hash_file, read_manifest, write_manifest
from handnet.networks.weights.safetensors import write_safetensors

FILE_NAME = "weights.safetensors"


def convert_weights(arch: str, source: str, folder: Path) -> Path:
    """Write weights of any source as float32 under the reference's names, with their pixel values and checksum.

    The position table keeps its published size, so that the folder serves every image size. The network is built and
    filled from the folder once: what does not fit is refused here.

    Args:
        arch: a key of `BACKBONES`.
        source: "preset" or a path, as for `build_backbone`.
        folder: made here; it must not exist.

    Returns:
        The folder.

    Raises:
        ConfigError: for an unknown architecture.
        WeightsError: the source is out of reach, damaged or does not fit, or the folder exists.
    """
    refuse_existing(folder)
    pretrained = read_any_weights(arch, source)
    with new_folder(folder) as part:
        file = part / FILE_NAME
        write_safetensors(file, pretrained.state)
        manifest = Manifest(
            arch,
            FILE_NAME,
            file.stat().st_size,
            hash_file(file),
            source if source == "preset" else Path(source).name,
            _find_licence(arch, source),
            pretrained.pixel_scale,
            pretrained.pixel_offset,
        )
        write_manifest(part, manifest)
        build_backbone(arch, image_size_px=max(BACKBONES[arch].min_image_px, 96), weights=str(part))
    return folder


def _find_licence(arch: str, source: str) -> str:
    published = next((published.licence for published in BACKBONES[arch].published.values()), "")
    if source == "preset":
        return published
    if (Path(source) / MANIFEST_FILE).is_file():
        return read_manifest(Path(source)).licence
    # A file may be anybody's, trained further on anything.
    return f"not recorded; those published for {arch}: {published}" if published else "not recorded"
