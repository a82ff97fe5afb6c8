"""The two files of the hand models: where they are kept, and whether they are the right ones."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from handnet.data.cache import find_cache_folder
from handnet.errors import WeightsError
from handnet.files import write_bytes

NAME = "mediapipe-hands"
LICENCE = "Apache-2.0"
# From 0.10.30 on the wheels hold no models.
REQUIREMENT = "mediapipe==0.10.14"
PAGE = "https://github.com/google-ai-edge/mediapipe"
# The rule on their features that tells back from palm comes with handnet.
VIEW_RULE = "back-or-palm"
VIEW_RULE_TERMS = "fitted to photos of 11k Hands, which are free for reasonable academic fair use"
# The network that draws the mask of a hand that was found comes with handnet too, learnt from synthetic hands alone.
MASK_NETWORK = "handnet-synthetic-mask"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the hand models.

    Attributes:
        name: of the file.
        place: its path in the mediapipe wheel.
        num_bytes: its size.
        sha256: its checksum.
    """

    name: str
    place: str
    num_bytes: int
    sha256: str


DETECTOR = ModelFile(
    "palm_detection_full.tflite",
    "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    2_339_846,
    "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
)
LOCATOR = ModelFile(
    "hand_landmark_full.tflite",
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    5_478_917,
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
)
FILES = (DETECTOR, LOCATOR)


def find_models_folder() -> Path:
    """Return where the hand models are kept: $HANDNET_HAND_MODELS, else "hand-models" in the cache.

    Raises:
        DiskError: there is no cache, as `find_cache_folder` says.
    """
    named = os.environ.get("HANDNET_HAND_MODELS")
    return Path(named) if named else find_cache_folder() / "hand-models"


def has_hand_models(folder: Path | None = None) -> bool:
    """Say whether both files are in a folder, by default that of `find_models_folder`."""
    folder = folder or find_models_folder()
    return all((folder / file.name).is_file() for file in FILES)


def read_model_file(file: ModelFile, folder: Path) -> bytes:
    """Read a file of the hand models and check that it is the right one.

    Args:
        file: one of `FILES`.
        folder: where it lies.

    Raises:
        WeightsError: it is missing, cannot be read, or is another file.
    """
    path = folder / file.name
    try:
        # One byte more than expected tells a longer file, and no file can fill the memory.
        with path.open("rb") as opened:
            contents = opened.read(file.num_bytes + 1)
    except FileNotFoundError:
        raise WeightsError(f"{str(path)!r} is missing. Run: handnet weights fetch {NAME}") from None
    except OSError as error:
        raise WeightsError(f"Cannot read {str(path)!r}: {error.strerror}.") from None
    check_contents(file, contents, str(path))
    return contents


def check_contents(file: ModelFile, contents: bytes, source: str) -> None:
    """Refuse bytes that are not those of a file of the hand models.

    Args:
        file: one of `FILES`.
        contents: what came.
        source: where it came from, for the message.

    Raises:
        WeightsError: another size or checksum.
    """
    digest = hashlib.sha256(contents).hexdigest()
    if digest != file.sha256:
        raise WeightsError(
            f"{source!r} is not the {file.name} that handnet knows: {len(contents):,} bytes with a SHA-256 of "
            f"{digest[:12]}…, expected {file.num_bytes:,} and {file.sha256[:12]}…. Run: handnet weights fetch {NAME}"
        )


def write_model_files(contents: dict[str, bytes], folder: Path, source: str) -> Path:
    """Check the two files and write them to a folder.

    Args:
        contents: name to bytes, as `FILES` names them.
        folder: made here if it does not exist; files of these names in it are replaced.
        source: where they came from, for the message.

    Returns:
        The folder.

    Raises:
        WeightsError: one is missing or is another file; nothing is written then.
        DiskError: it cannot be written.
    """
    for file in FILES:
        if file.name not in contents:
            raise WeightsError(f"{source!r} does not hold {file.name}. Expected {' and '.join(f.name for f in FILES)}.")
        check_contents(file, contents[file.name], f"{source}: {file.name}")
    for file in FILES:
        write_bytes(folder / file.name, contents[file.name])
    return folder
