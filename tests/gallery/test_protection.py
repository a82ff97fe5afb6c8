"""Keys, sealing, digests, the secret rotation, and whether templates under two keys can be linked."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from handnet.errors import ConfigError, GalleryError
from handnet.gallery.linkability import compute_linkability
from handnet.gallery.protection import Codec, Key, draw_orthogonal, read_key, write_new_key
from tests.gallery.simulated import draw_vector

KEY = Key(bytes(range(32)))
WIDTH = 24


def make_codec(key: Key | None = KEY, width: int = WIDTH) -> Codec:
    return Codec(width, key, Codec.describe_new(width, key))


def test_key_file_is_private_and_read_back(tmp_path: Path) -> None:
    write_new_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    key = read_key(tmp_path / "key")
    assert key is not None
    assert len(key.secret) == 32
    with pytest.raises(ConfigError, match="exists already"):
        write_new_key(tmp_path / "key")


def test_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDNET_GALLERY_KEY", raising=False)
    assert read_key() is None
    monkeypatch.setenv("HANDNET_GALLERY_KEY", KEY.secret.hex())
    assert read_key() == KEY


@pytest.mark.parametrize("text", ["", "12", "zz" * 32, "00" * 31, "00" * 33, "é" * 64])
def test_malformed_key_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="64 hexadecimal digits") as raised:
        read_key(tmp_path / "key")
    assert len(text) < 3 or text not in str(raised.value)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY) == str(KEY) == "Key(…)"


def test_sealed_bytes_open_in_their_place_only() -> None:
    codec = make_codec()
    sealed = codec.seal(b"secret vector", "photo 1")
    assert b"secret" not in sealed
    assert codec.open(sealed, "photo 1") == b"secret vector"
    with pytest.raises(GalleryError, match="damaged"):
        codec.open(sealed, "photo 2")
    for place in (0, 15, len(sealed) - 1):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with pytest.raises(GalleryError, match="damaged"):
            codec.open(bytes(broken), "photo 1")
    with pytest.raises(GalleryError, match="damaged"):
        codec.open(b"", "photo 1")


def test_the_same_bytes_are_sealed_differently_each_time() -> None:
    codec = make_codec()
    assert len({codec.seal(b"x", "a") for _ in range(100)}) == 100


def test_only_the_own_key_opens_a_collection() -> None:
    protection = Codec.describe_new(WIDTH, KEY)
    with pytest.raises(GalleryError, match="is protected"):
        Codec(WIDTH, None, protection)
    with pytest.raises(GalleryError, match="not the collection's key"):
        Codec(WIDTH, Key(os.urandom(32)), protection)
    with pytest.raises(GalleryError, match="not protected"):
        Codec(WIDTH, KEY, {})


def test_nothing_in_the_header_tells_the_key() -> None:
    text = repr(Codec.describe_new(WIDTH, KEY))
    assert KEY.secret.hex() not in text
    # A salt of its own: two collections under one key have nothing in common.
    assert Codec.describe_new(WIDTH, KEY)["check"] != Codec.describe_new(WIDTH, KEY)["check"]


def test_digests_cannot_be_computed_without_the_key() -> None:
    contents = b"a photo"
    plain = hashlib.blake2b(contents, digest_size=16).hexdigest()
    assert make_codec(None).digest(contents) == plain
    first, second = make_codec(), make_codec()
    assert len({plain, first.digest(contents), second.digest(contents)}) == 3
    assert first.sum_row(b"a", b"bc") != first.sum_row(b"ab", b"c")


def test_transform_is_orthogonal_and_keeps_cosines() -> None:
    codec = make_codec()
    vectors = np.stack([draw_vector(person, width=WIDTH) for person in range(20)])
    turned = codec.turn(vectors)
    assert turned.dtype == np.float32
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=2e-6)
    np.testing.assert_allclose(codec.turn_back(turned), vectors, atol=2e-6)
    assert np.abs((turned * vectors).sum(axis=1)).max() < 0.9


def test_transform_is_the_same_on_every_machine() -> None:
    # Computed independently, with math.log and math.cos and a Gram-Schmidt by hand.
    matrix = draw_orthogonal(b"seed", 3)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    expected = _draw_by_hand(b"seed", 3)
    np.testing.assert_allclose(matrix, expected, atol=1e-10)


def _draw_by_hand(seed: bytes, width: int) -> np.ndarray:
    import math

    raw = hashlib.shake_256(seed).digest(16 * width * width)
    uniform = [((int.from_bytes(raw[8 * i : 8 * i + 8], "big") >> 11) + 1) / 2**53 for i in range(2 * width * width)]
    normal = [
        math.sqrt(-2 * math.log(uniform[2 * i])) * math.cos(2 * math.pi * uniform[2 * i + 1])
        for i in range(width * width)
    ]
    columns = [[normal[width * row + column] for row in range(width)] for column in range(width)]
    done: list[list[float]] = []
    for column in columns:
        for other in done:
            along = sum(a * b for a, b in zip(column, other, strict=True))
            column = [a - along * b for a, b in zip(column, other, strict=True)]
        norm = math.sqrt(sum(a * a for a in column))
        done.append([a / norm for a in column])
    return np.array(done).T


def test_linkability_of_scores_that_part_and_that_do_not() -> None:
    generator = np.random.default_rng(0)
    same, other = generator.normal(size=5000), generator.normal(size=50_000)
    assert compute_linkability(same, other) < 0.05
    assert compute_linkability(same + 100, other) == 1.0
    # Half of the mated scores lie where no other does, the others where all do: 0.5 · 1 + 0.5 · 0.
    assert compute_linkability([0.0] * 50 + [1.0] * 50, [0.0] * 100) == pytest.approx(0.5)


def test_templates_under_two_keys_cannot_be_linked() -> None:
    width, num_people = 64, 400
    first = np.stack([draw_vector(person, shot=0, width=width) for person in range(num_people)])
    second = np.stack([draw_vector(person, shot=1, width=width) for person in range(num_people)])
    off = ~np.eye(num_people, dtype=bool)

    def measure(one: Codec, two: Codec) -> float:
        scores = one.turn(first) @ two.turn(second).T
        return compute_linkability(np.diagonal(scores), scores[off])

    codec = make_codec(width=width)
    assert measure(codec, codec) > 0.95, "under one key they are linked: that is what a gallery is for"
    across = measure(codec, make_codec(Key(os.urandom(32)), width))
    shuffled = compute_linkability(
        *np.split(np.random.default_rng(1).normal(size=num_people * num_people), [num_people])
    )
    assert across < 0.15
    assert across < shuffled + 0.1


def test_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigError, match=r"pip install 'handnet\[gallery\]'"):
        Codec.describe_new(WIDTH, KEY)
