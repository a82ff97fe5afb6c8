"""Protection of a collection's templates: encryption at rest, keyed digests, and a secret rotation of the vectors.

In the terms of ISO/IEC 24745: the secret key is the auxiliary data's key; the stored vectors are pseudonymous
identifiers. They can be revoked and renewed (`rotate-key`), those under two keys cannot be linked (`linkability`), and
they are confidential at rest. They are not irreversible: whoever has the key gets the model's vectors back, and so does
whoever knows D pairs of a photo's vector and its stored one.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handnet.errors import ConfigError, GalleryError
from handnet.gallery.records import Vector

KEY_BYTES = 32
KEY_VARIABLE = "HANDNET_GALLERY_KEY"
NEW_KEY_VARIABLE = "HANDNET_GALLERY_NEW_KEY"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_DIGEST_BYTES = 16

Matrix = npt.NDArray[np.float64]


class Key(NamedTuple):
    """The secret of a collection: 32 random bytes. Its text says nothing of them."""

    secret: bytes

    def __repr__(self) -> str:
        return "Key(…)"


class Codec:
    """How a collection's rows are written: as they are without a key; digested, turned and sealed with one."""

    def __init__(self, width: int, key: Key | None = None, protection: Mapping[str, Any] | None = None) -> None:
        """Derive what the collection needs from its key.

        Args:
            width: D, numbers in a vector.
            key: the collection's key, or None.
            protection: the header's, from `describe_new`; empty: not protected.

        Raises:
            GalleryError: a key is needed and missing, is given and not needed, or is another one.
        """
        self.width = width
        self.protection = dict(protection or {})
        self.key = key
        if not self.protection:
            if key is not None:
                raise GalleryError(
                    "This collection is not protected, but a key was given. Protect it with rotate-key, or give no key."
                )
            return
        if key is None:
            raise GalleryError(
                f"This collection is protected. Give its key with --key-file FILE or in the variable {KEY_VARIABLE}."
            )
        expected = bytes.fromhex(str(self.protection["check"]))
        if not hmac.compare_digest(self._derive("check", _DIGEST_BYTES), expected):
            raise GalleryError(
                f"This is not the collection's key (generation {self.protection['generation']}). "
                "After a rotate-key only the new key fits."
            )

    def fit(self, width: int) -> "Codec":
        """Return the codec of the same key for vectors of another width."""
        return Codec(width, self.key, self.protection)

    @property
    def is_protected(self) -> bool:
        """Whether there is a key."""
        return bool(self.protection)

    @classmethod
    def describe_new(cls, width: int, key: Key | None, generation: int = 1) -> dict[str, Any]:
        """Return a header's `protection` for a new key, with a salt of its own; {} without a key.

        Args:
            width: D.
            key: the secret.
            generation: 1 for a new collection, and one more for each rotation.
        """
        if key is None:
            return {}
        _import_cipher()
        draft = cls.__new__(cls)
        draft.width, draft.key = width, key
        draft.protection = {
            "cipher": "AES-256-GCM",
            "transform": "orthogonal",
            "generation": generation,
            "salt": secrets.token_hex(_SALT_BYTES),
        }
        return {**draft.protection, "check": draft._derive("check", _DIGEST_BYTES).hex()}

    def digest(self, contents: bytes) -> str:
        """Return a digest of 32 hexadecimal digits; with a key nobody else can compute it."""
        return hashlib.blake2b(contents, digest_size=_DIGEST_BYTES, key=self._digest_key).hexdigest()

    def sum_row(self, *fields: bytes) -> bytes:
        """Return the checksum of a row's fields, 16 bytes; with a key it shows tampering too, not only damage."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=self._sum_key)
        for part in fields:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    def seal(self, contents: bytes, context: str) -> bytes:
        """Encrypt: nonce, ciphertext and tag; without a key the bytes as they are.

        Args:
            contents: what to hide.
            context: where it belongs; the bytes open in this place only.
        """
        if not self.is_protected:
            return contents
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + bytes(self._cipher.encrypt(nonce, contents, context.encode()))

    def open(self, sealed: bytes, context: str) -> bytes:
        """Undo `seal`.

        Raises:
            GalleryError: the bytes are damaged, or belong to another place.
        """
        if not self.is_protected:
            return sealed
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()))
        except (InvalidTag, ValueError):
            raise GalleryError(
                f"The sealed bytes of {context} are damaged. Restore the collection from a backup."
            ) from None

    def turn(self, vectors: Vector) -> Vector:
        """Turn the model's vectors into the collection's.

        Args:
            vectors: float32 (N, D), unit norm.

        Returns:
            float32 (N, D); all cosines among them as they were, to rounding.
        """
        return vectors if not self.is_protected else np.asarray(vectors @ self._transform.T, dtype=np.float32)

    def turn_back(self, vectors: Vector) -> Vector:
        """Undo `turn`."""
        return vectors if not self.is_protected else np.asarray(vectors @ self._transform, dtype=np.float32)

    @cached_property
    def _transform(self) -> Matrix:
        return draw_orthogonal(self._derive("transform", 64), self.width)

    @cached_property
    def _cipher(self) -> Any:
        return _import_cipher()(self._derive("cipher", KEY_BYTES))

    @cached_property
    def _digest_key(self) -> bytes:
        return self._derive("digest", 32) if self.is_protected else b""

    @cached_property
    def _sum_key(self) -> bytes:
        return self._derive("sum", 32) if self.is_protected else b""

    def _derive(self, purpose: str, num_bytes: int) -> bytes:
        """Derive a key of its own for each purpose (BLAKE2b as HKDF-Expand: RFC 7693, 2.9; RFC 5869, 2.3)."""
        assert self.key is not None, "only protected collections derive keys"
        salt = bytes.fromhex(str(self.protection["salt"]))
        return hashlib.blake2b(
            purpose.encode(), digest_size=num_bytes, key=self.key.secret, salt=salt, person=b"handnet gallery"
        ).digest()


def digest_contents(contents: bytes) -> str:
    """Return the digest by which a photo is known again: 32 hexadecimal digits. Stored only as a codec seals it."""
    return hashlib.blake2b(contents, digest_size=_DIGEST_BYTES).hexdigest()


def draw_orthogonal(seed: bytes, width: int) -> Matrix:
    """Draw an orthogonal matrix, uniformly, from a seed: the same on every machine and with every version of NumPy.

    Args:
        seed: secret bytes.
        width: D.

    Returns:
        float64 (D, D).

    Reference:
        Mezzadri, How to generate random matrices from the classical compact groups, 2007, section 5.
    """
    raw = np.frombuffer(hashlib.shake_256(seed).digest(2 * 8 * width * width), dtype=">u8")
    # 53 bits each, in (0, 1]: a logarithm is taken. Box and Muller, 1958.
    uniform = ((raw >> 11).astype(np.float64) + 1) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(uniform[::2])), 2 * np.pi * uniform[1::2]
    normal = (radius * np.cos(angle)).reshape(width, width)
    q, r = np.linalg.qr(normal)
    # Without the signs the matrix would not be uniform, nor the same for every LAPACK.
    return np.asarray(q * np.sign(np.diagonal(r)))


def read_key(file: Path | None = None, variable: str = KEY_VARIABLE) -> Key | None:
    """Read a key from a file, or else from the environment, where there is one.

    The text is 64 hexadecimal digits. There is no way to give a key as an argument: others could read it there.

    Args:
        file: the key file; None: look in the environment.
        variable: name of the environment's variable.

    Returns:
        The key; None where neither is given.

    Raises:
        ConfigError: it cannot be read or is no key.
    """
    if file is None:
        text = os.environ.get(variable, "")
        return _parse_key(text, f"The variable {variable}") if text else None
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigError(f"Cannot read the key file {str(file)!r}: {error.strerror}.") from None
    return _parse_key(text, f"The key file {str(file)!r}")


def write_new_key(file: Path) -> None:
    """Write a new random key to a new file that its owner alone can read.

    Raises:
        ConfigError: the file exists or cannot be written.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{str(file)!r} exists already; keys are never overwritten. Give a new file.") from None
    except OSError as error:
        raise ConfigError(f"Cannot write the key file {str(file)!r}: {error.strerror}.") from None
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(KEY_BYTES) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _parse_key(text: str, where: str) -> Key:
    stripped = text.strip()
    try:
        secret = bytes.fromhex(stripped)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        # The text itself must not be shown.
        raise ConfigError(
            f"{where} must hold {2 * KEY_BYTES} hexadecimal digits. Received: {len(stripped)} characters. "
            "Make a key with handnet gallery make-key FILE."
        )
    return Key(secret)


def _import_cipher() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ConfigError(
            "A protected collection needs the package cryptography: pip install 'handnet[gallery]'."
        ) from None
    return AESGCM
