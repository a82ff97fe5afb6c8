"""Photos wherever they lie: each is read in one call, and folders of buckets are listed."""

from handnet.data.checks import MAX_FILE_BYTES, read_photo
from handnet.data.photo_files import is_hidden, is_photo
from handnet.data.remote.addresses import BUCKETS, check_address, is_address
from handnet.data.remote.any_folder import RemoteFile, list_bucket, read_from_bucket
from handnet.data.remote.web import read_from_web


def read_photo_anywhere(place: str) -> tuple[bytes, str]:
    """Read a photo from this machine, a bucket or a web server; its size is checked first.

    Args:
        place: a path, or an address.

    Returns:
        The contents and ""; or b"" and the reason why this photo has none.

    Raises:
        DataError: a server or bucket that cannot be reached or refuses: that is not the photo's fault.
    """
    if not is_address(place):
        return read_photo(place)
    return (read_from_bucket if check_address(place).scheme in BUCKETS else read_from_web)(place, MAX_FILE_BYTES)


def list_photos(address: str) -> list[RemoteFile]:
    """Return the photos below a folder of a bucket, sorted by name; hidden ones and folders of systems are passed over.

    Raises:
        DataError: the bucket cannot be read.
    """
    prefix = len(address.rstrip("/")) + 1
    found = list_bucket(address)
    return [
        file for file in found if is_photo(file.address) and not any(map(is_hidden, file.address[prefix:].split("/")))
    ]
