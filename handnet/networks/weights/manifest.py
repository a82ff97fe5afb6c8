"""A folder of weights and their record: what it is, where it came from, its checksum."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from handnet.errors import WeightsError, show_value
from handnet.files import read_json

MANIFEST_FILE = "handnet.json"
FORMAT = 1
# What a record's entries are, in JSON.
_KINDS = {"arch": str, "file": str, "num_bytes": int, "sha256": str, "source": str, "licence": str, "format": int}
# Of the numbers that pixels are multiplied by or moved by: beyond it the network's numbers overflow.
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record of one weight file.

    Attributes:
        arch: the backbone that it fits.
        file: its name inside the folder.
        num_bytes: its size.
        sha256: its checksum.
        source: where it came from, an address or a file name.
        licence: of the weights.
        pixel_scale: for each channel, what a value 0..255 is multiplied by; empty for the architecture's own.
        pixel_offset: what is then added; empty likewise.
        format: version of this record.
    """

    arch: str
    file: str
    num_bytes: int
    sha256: str
    source: str
    licence: str
    pixel_scale: tuple[float, ...] = ()
    pixel_offset: tuple[float, ...] = ()
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the record into its folder."""
    text = json.dumps(asdict(manifest), indent=2) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read the record of a folder and check the file against it.

    Args:
        folder: where `MANIFEST_FILE` lies.

    Raises:
        WeightsError: the record is damaged or newer, or the file is missing, truncated or another one.
    """
    path = folder / MANIFEST_FILE
    try:
        fields = read_json(path)
        manifest = Manifest(
            **{**fields, **{k: read_pixel_values(k, fields[k]) for k in ("pixel_scale", "pixel_offset")}}
        )
        for name, kind in _KINDS.items():
            if type(value := getattr(manifest, name)) is not kind:
                raise ValueError(f"{name!r} is {show_value(value)}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"{str(path)!r} is not a record of weights: {error}. Fetch or convert them again."
        ) from error
    if manifest.format != FORMAT:
        raise WeightsError(f"{str(path)!r} has format {manifest.format}; this version reads {FORMAT}. Convert again.")
    if Path(manifest.file).name != manifest.file:
        raise WeightsError(f"{str(path)!r} names a file outside its folder: {manifest.file!r}. Fetch it again.")
    check_file(folder / manifest.file, manifest.sha256, manifest.num_bytes)
    return manifest


def read_pixel_values(name: str, values: object) -> tuple[float, ...]:
    """Return one finite number for each of the three channels, or an empty tuple.

    Args:
        name: what they are called, for the message.
        values: as JSON gives them.

    Raises:
        ValueError: they are something else.
    """
    numbers = [v for v in values if isinstance(v, int | float)] if isinstance(values, list) else []
    if values != numbers or len(numbers) not in (0, 3) or not all(abs(v) < _LARGEST for v in numbers):
        raise ValueError(f"{name!r} must hold a number for each of three channels, found {show_value(values)}")
    return tuple(float(v) for v in numbers)


def check_file(path: Path, sha256: str, num_bytes: int | None = None) -> None:
    """Refuse a file that is missing, has another size or another checksum.

    Args:
        path: the file.
        sha256: the checksum, or its first digits.
        num_bytes: its size, where known.

    Raises:
        WeightsError: saying which.
    """
    if not path.is_file():
        raise WeightsError(f"{str(path)!r} is missing. Fetch or convert the weights again.")
    size = path.stat().st_size
    if num_bytes is not None and size != num_bytes:
        raise WeightsError(f"{str(path)!r} has {size:,} bytes instead of {num_bytes:,}. Fetch it again.")
    found = hash_file(path)
    if not found.startswith(sha256):
        raise WeightsError(
            f"{str(path)!r} is not the file that it should be: its SHA-256 begins with {found[:12]}, expected "
            f"{sha256[:12]}. Fetch it again."
        )


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_hash_in_name(path: Path) -> str:
    """Return the checksum digits that torch-style names end with ("resnet50-0676ba61.pth"); "" where there are none."""
    match = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|bin|safetensors)$", path.name)
    return match[1] if match else ""
