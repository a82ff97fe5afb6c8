"""Addresses of photos, tables and folders: which are allowed, and how they are printed without secrets."""

import ipaddress
import socket
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from handnet.errors import DataError, printable

BUCKETS = ("s3", "gs")
WEB = ("https", "http")
_EXPECTED = "Expected a path, or an address such as s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or https://HOST/PHOTO.jpg"
# Parameters of signed addresses of the large clouds: whoever has them can read the file.
_SECRET_STARTS = ("x-amz-", "x-goog-")
_SECRETS = {
    *("signature", "sig", "se", "sp", "sv", "token", "key", "password", "secret", "expires", "awsaccesskeyid"),
    *("googleaccessid", "access_token", "api_key", "apikey", "auth", "authorization", "credential", "policy"),
    "key-pair-id",
}
# Where clouds tell a machine its own credentials: no photo lies there.
_OWN_MACHINE_HOSTS = {"metadata.google.internal", "metadata", "instance-data"}
# Besides the link-local ones: Amazon's by IPv6, Alibaba's, Azure's.
_OWN_MACHINE_IPS = {ipaddress.ip_address(ip) for ip in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")}


def is_address(place: str) -> bool:
    """Return whether a place is an address, e.g. s3://bucket/folder, and not a path on this machine."""
    return "://" in place


def check_address(address: str) -> SplitResult:
    """Return the parts of an address that may be read.

    Args:
        address: s3://, gs://, https:// or http://. Credentials come from the environment, never from an address.

    Raises:
        DataError: another scheme, no host or bucket, credentials in it, characters that no address has, or the place where
            a cloud tells a machine its own credentials.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise DataError(f"{hide_secrets(address)!r} is no address. {_EXPECTED}.") from None
    del port
    if parts.scheme not in (*BUCKETS, *WEB):
        raise DataError(f"{hide_secrets(address)!r} has the scheme {printable(parts.scheme)!r}. {_EXPECTED}.")
    if "@" in parts.netloc:
        raise DataError(
            f"{hide_secrets(address)!r} has a user or a password in it. Leave them out: credentials come from the environment, "
            "as the cloud's own tools read them."
        )
    if not host or any(c.isspace() or not c.isprintable() for c in address) or "\\" in address:
        raise DataError(f"{hide_secrets(address)!r} is no address. {_EXPECTED}.")
    if parts.scheme in BUCKETS and (parts.query or parts.fragment or ".." in parts.path.split("/")):
        raise DataError(
            f"{hide_secrets(address)!r} must be {parts.scheme}://BUCKET/NAME and nothing else. Another server is named by "
            "the environment variable AWS_ENDPOINT_URL."
        )
    if parts.scheme in WEB and is_own_machine(host):
        raise DataError(
            f"{hide_secrets(address)!r} is where a machine asks for its own credentials: no photo lies there."
        )
    return parts


def is_own_machine(host: str) -> bool:
    """Return whether a host is where a cloud tells a machine its own credentials; names are not looked up."""
    try:
        # As they are looked up: with letters and dots of other scripts in their plain form.
        host = host.encode("idna").decode().rstrip(".").lower()
    except UnicodeError:
        return False
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        try:
            # 2852039166 and 0xA9FEA9FE are addresses too.
            ip = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return host in _OWN_MACHINE_HOSTS
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_link_local or ip in _OWN_MACHINE_IPS


def hide_secrets(address: str) -> str:
    """Return an address as it may be printed and written: without user, password, and the signature of signed addresses.

    Paths come back as they are, but printable.
    """
    if not is_address(address):
        return printable(address)
    try:
        parts = urlsplit(address)
    except ValueError:
        return printable(address.partition("://")[0]) + "://…"
    # Of an address with two of them all before the last goes.
    host = parts.netloc.rpartition("@")[2]
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_secret(name)]
    query = parts.query if len(kept) == len(parse_qsl(parts.query, keep_blank_values=True)) else urlencode(kept)
    # A bucket's has none: there it is secrets, as other programs write them.
    return printable(urlunsplit((parts.scheme, host, parts.path, "" if parts.scheme in BUCKETS else query, "")))


def record_place(place: str) -> str:
    """Return the place of a photo as tables of vectors keep it: an address without secrets, a path as it is."""
    return hide_secrets(place) if is_address(place) else place


def _is_secret(name: str) -> bool:
    return name.lower() in _SECRETS or name.lower().startswith(_SECRET_STARTS)
