"""API keys: who may read, enrol or administer. The file holds digests alone, readable by its owner only."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from handnet.errors import ConfigError, GalleryError, format_unknown
from handnet.files import parse_json, write_bytes
from handnet.gallery.enrolment import now

FILE_NAME = "api_keys.json"
# Each role may do what those before it may.
ROLES = ("read", "enrol", "admin")
_SECRET_BYTES = 32
_FORM = re.compile(r"hn_([0-9a-f]{12})_([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Attributes:
        id: 12 hexadecimal digits, part of the key.
        role: a member of ROLES.
        digest: SHA-256 of the key's secret part. The secret is 256 random bits: nothing is won by a slow hash.
        created: UTC, ISO 8601.
    """

    id: str
    role: str
    digest: str
    created: str


class KeyFile:
    """The keys of a server. Changes of the file by another process count from the next request on."""

    def __init__(self, path: Path) -> None:
        """Read the keys.

        Args:
            path: of the file; where there is none, there are no keys.

        Raises:
            GalleryError: the file is malformed, or others may read it.
        """
        self._path = path
        self._guard = Lock()
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self.list()

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, as the file is now."""
        with self._guard:
            self._refresh()
            return list(self._keys.values())

    def find(self, key: str) -> ApiKey | None:
        """Return what is known of a key that a client sent, or None."""
        found = _FORM.match(key)
        if not found:
            return None
        with self._guard:
            self._refresh()
            known = self._keys.get(found[1])
        if known is None or not hmac.compare_digest(known.digest, _digest(found[2])):
            return None
        return known

    def add(self, role: str) -> str:
        """Make a key and return it; it cannot be shown again.

        Raises:
            ConfigError: an unknown role.
            DiskError: the file cannot be written.
        """
        if role not in ROLES:
            raise ConfigError(format_unknown("role", role, ROLES))
        secret = secrets.token_hex(_SECRET_BYTES)
        key = ApiKey(secrets.token_hex(6), role, _digest(secret), now())
        with self._guard:
            self._refresh()
            self._write([*self._keys.values(), key])
        return f"hn_{key.id}_{secret}"

    def revoke(self, identifier: str) -> None:
        """Revoke a key.

        Raises:
            ConfigError: there is no such key.
        """
        with self._guard:
            self._refresh()
            if identifier not in self._keys:
                raise ConfigError(
                    format_unknown("API key", identifier, self._keys)
                    if self._keys
                    else f"There is no API key {identifier[:60]!r}: this server has none. Make one with --add-key ROLE."
                )
            self._write([key for key in self._keys.values() if key.id != identifier])

    def _write(self, keys: Sequence[ApiKey]) -> None:
        text = json.dumps({"keys": [asdict(key) for key in keys]}, indent=2)
        write_bytes(self._path, text.encode(), private=True)
        self._refresh()

    def _refresh(self) -> None:
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._keys = None, {}
            return
        except OSError as error:
            raise GalleryError(f"The file of API keys {str(self._path)!r} cannot be read ({error.strerror}).") from None
        stamp = (facts.st_mtime_ns, facts.st_ino)
        if stamp == self._stamp:
            return
        if facts.st_mode & 0o077:
            raise GalleryError(f"Others may read the file of API keys {str(self._path)!r}. Fix it: chmod 600.")
        try:
            rows = [ApiKey(**row) for row in parse_json(self._path.read_text(encoding="utf-8"))["keys"]]
            if unknown := {row.role for row in rows} - set(ROLES):
                raise ValueError(f"roles {sorted(unknown)}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GalleryError(f"The file of API keys {str(self._path)!r} cannot be read ({error}).") from None
        self._stamp, self._keys = stamp, {row.id: row for row in rows}


def allows(role: str, needed: str) -> bool:
    """Return whether a role includes another.

    Args:
        role: that a client has.
        needed: that a request takes.
    """
    return ROLES.index(role) >= ROLES.index(needed)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
