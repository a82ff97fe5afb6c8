"""A folder on this machine or in a bucket, as the jobs of a cluster read and write it."""

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from handnet.data.remote.addresses import BUCKETS, check_address, hide_secrets, is_address
from handnet.errors import ConfigError, DataError, DiskError
from handnet.files import remove_dead, write_bytes

_CONNECT_S, _REQUEST_S = 10, 60


class RemoteFile(NamedTuple):
    """A file in a bucket.

    Attributes:
        address: s3://bucket/name.
        num_bytes: its size.
        changed_ns: when it was last written, nanoseconds since 1970; -1 where nobody knows.
    """

    address: str
    num_bytes: int
    changed_ns: int


class Folder(NamedTuple):
    """A folder that is read and written by the names of its files.

    Attributes:
        place: a path, or s3://bucket/folder, gs://bucket/folder.
    """

    place: str

    def __str__(self) -> str:
        return hide_secrets(self.place)

    def list_names(self) -> set[str]:
        """Return the names of the files in it; none where there is no such folder.

        Raises:
            DataError: it cannot be read.
        """
        if not is_address(self.place):
            path = Path(self.place)
            return {file.name for file in path.iterdir()} if path.is_dir() else set()
        return {PurePosixPath(file.address).name for file in _list_files(self.place, deep=False)}

    def read(self, name: str) -> bytes:
        """Return the contents of a file in it.

        Raises:
            DataError: there is none, or it cannot be read.
        """
        if is_address(self.place):
            contents, problem = read_from_bucket(f"{self.place.rstrip('/')}/{name}", 1 << 40)
        else:
            try:
                contents, problem = (Path(self.place) / name).read_bytes(), ""
            except OSError as error:
                contents, problem = b"", error.strerror or str(error)
        if problem:
            raise DataError(f"{hide_secrets(f'{self.place}/{name}')!r} cannot be read: {problem}.")
        return contents

    def write(self, name: str, contents: bytes) -> None:
        """Write a file in it, whole or not at all.

        Raises:
            DiskError: it cannot be written.
        """
        if not is_address(self.place):
            write_bytes(Path(self.place) / name, contents)
            return
        files, path = _open(self.place)
        try:
            # In a bucket a file is there when all of it is.
            with files.open_output_stream(f"{path}/{name}") as stream:
                stream.write(contents)
        except OSError as error:
            raise DiskError(f"Cannot write {hide_secrets(f'{self.place}/{name}')!r}: {_first_line(error)}.") from None

    def remove_leftovers(self) -> None:
        """Delete what processes that were killed as they wrote have left; a bucket keeps nothing of these."""
        if not is_address(self.place) and Path(self.place).is_dir():
            remove_dead(Path(self.place))


def read_from_bucket(address: str, max_bytes: int) -> tuple[bytes, str]:
    """Read a file in a bucket; its size is checked first.

    Args:
        address: s3://bucket/name or gs://bucket/name.
        max_bytes: a larger file is not read.

    Returns:
        The contents and ""; or b"" and the reason why there are none: absent, or too large.

    Raises:
        DataError: the bucket cannot be read.
    """
    files, path = _open(address)
    try:
        found = files.get_file_info(path)
        if not found.is_file:
            return b"", os.strerror(2)
        if found.size > max_bytes:
            return b"", f"{found.size:,} bytes: larger than any photo"
        with files.open_input_stream(path) as stream:
            return stream.read(), ""
    except OSError as error:
        raise _cannot_read(address, error) from None


def list_bucket(address: str) -> list[RemoteFile]:
    """Return the files below a folder of a bucket, at any depth, sorted by name.

    Raises:
        DataError: the bucket cannot be read.
    """
    return sorted(_list_files(address, deep=True))


def _list_files(address: str, deep: bool) -> Iterator[RemoteFile]:
    import pyarrow.fs

    files, path = _open(address)
    scheme = check_address(address).scheme
    try:
        found = files.get_file_info(pyarrow.fs.FileSelector(path, recursive=deep, allow_not_found=True))
    except OSError as error:
        raise _cannot_read(address, error) from None
    for file in found:
        if file.is_file:
            changed = -1 if file.mtime_ns is None else file.mtime_ns
            yield RemoteFile(f"{scheme}://{file.path}", file.size, changed)


def _cannot_read(address: str, error: OSError) -> DataError:
    return DataError(
        f"{hide_secrets(address)!r} cannot be read: {_first_line(error)}. Credentials, region and server come from the "
        "environment: AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL, or GOOGLE_APPLICATION_CREDENTIALS."
    )


def _first_line(error: OSError) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    parts = check_address(address)
    if parts.scheme not in BUCKETS:
        raise DataError(f"{hide_secrets(address)!r} cannot be listed or written: expected a path, s3:// or gs://.")
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigError("s3:// and gs:// need the extra `cluster`: pip install 'handnet[cluster]'.")
    return _connect(parts.scheme, os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")), (
        f"{parts.netloc}{parts.path.rstrip('/')}"
    )


@lru_cache
def _connect(scheme: str, endpoint: str) -> Any:
    import pyarrow.fs

    if scheme == "gs":
        return pyarrow.fs.GcsFileSystem()
    where = {}
    if endpoint:
        server = check_address(endpoint)
        where = {"endpoint_override": server.netloc, "scheme": server.scheme}
    return pyarrow.fs.S3FileSystem(connect_timeout=_CONNECT_S, request_timeout=_REQUEST_S, **where)


def read_to_temporary(address: str, contents: bytes) -> "tempfile.TemporaryDirectory[str]":
    """Return a temporary folder that holds a remote file under its own name, for what reads paths."""
    folder = tempfile.TemporaryDirectory()
    (Path(folder.name) / PurePosixPath(check_address(address).path).name).write_bytes(contents)
    return folder
