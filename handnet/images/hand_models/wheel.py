"""The hand models from the package index or from the disk: the wheel that holds them, unpacked and checked."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from handnet.errors import WeightsError
from handnet.images.hand_models.model_files import (
    FILES,
    NAME,
    REQUIREMENT,
    find_models_folder,
    has_hand_models,
    write_model_files,
)

TIMEOUT_S = 900


def fetch_hand_models(folder: Path | None = None, index: tuple[str, ...] = ()) -> Path:
    """Get the hand models by pip, from the package index that pip is set to; models that are there already are kept.

    Nothing of the wheel (36 MB) is installed or run: its two model files are taken out.

    Args:
        folder: where to put them, by default that of `find_models_folder`.
        index: more options for pip, e.g. ("--index-url", "https://…").

    Returns:
        The folder.

    Raises:
        WeightsError: pip is missing or does not reach the index, or the wheel holds other files.
        DiskError: the folder cannot be written.
    """
    folder = folder or find_models_folder()
    if has_hand_models(folder):
        return folder
    with tempfile.TemporaryDirectory() as temporary:
        # The wheel for one kind of machine will do for all, since only data is read from it.
        wheel = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--only-binary=:all:", "--no-deps")
        quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1")
        command = [sys.executable, "-m", "pip", "download", *quiet, *wheel, "--dest", temporary, *index, REQUIREMENT]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _explain(str(error)) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
            raise _explain(errors[-1].removeprefix("ERROR: "))
        return convert_hand_models(next(Path(temporary).glob("*.whl")), folder)


def convert_hand_models(source: Path, folder: Path | None = None) -> Path:
    """Take the hand models from the disk.

    Args:
        source: a mediapipe wheel (.whl), a folder that holds the two .tflite files, or one of the two, next to the other.
        folder: where to put them, by default that of `find_models_folder`.

    Returns:
        The folder.

    Raises:
        WeightsError: the source is missing, damaged, or holds other files.
        DiskError: the folder cannot be written.
    """
    folder = folder or find_models_folder()
    try:
        if source.suffix == ".whl":
            contents = _read_wheel(source)
        else:
            place = source if source.is_dir() else source.parent
            present = [file for file in FILES if (place / file.name).is_file()]
            contents = {file.name: _read_start(place / file.name, file.num_bytes + 1) for file in present}
    except OSError as error:
        raise WeightsError(f"Cannot read {str(source)!r}: {error.strerror}.") from None
    return write_model_files(contents, folder, str(source))


def _read_wheel(path: Path) -> dict[str, bytes]:
    contents = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for file in FILES:
                with archive.open(file.place) as opened:
                    # Not all of it: a damaged or hostile archive may claim to hold terabytes.
                    contents[file.name] = opened.read(file.num_bytes + 1)
    except KeyError as error:
        raise WeightsError(f"{str(path)!r} holds no hand models: {error.args[0]} Expected {REQUIREMENT}.") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} is not a wheel that can be read: {error}.") from None
    return contents


def _read_start(path: Path, num_bytes: int) -> bytes:
    with path.open("rb") as opened:
        return opened.read(num_bytes)


def _explain(reason: str) -> WeightsError:
    return WeightsError(
        f"The hand models cannot be fetched: pip does not get them from its package index ({reason}). Where there is a "
        "network, run: pip download --no-deps --platform manylinux2014_x86_64 --python-version 3.11 "
        f"--only-binary=:all: {REQUIREMENT}; then here: handnet weights convert FILE.whl --arch {NAME}"
    )
