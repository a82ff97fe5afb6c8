import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from handnet.config.image import ImageConfig
from handnet.data.cache import find_photo_folder
from handnet.data.checks import find_header_problem
from handnet.data.example import Example
from handnet.data.readers.hands11k import read_hands11k
from handnet.errors import DataError, DiskError
from handnet.images.decode import load_photo
from handnet.images.header_guard import load_photos
from handnet.images.photo_store import (
    build_decoder,
    build_hand_decoder,
    find_unusable,
    load_cached,
    prepare_photos,
    read_photos,
)
from handnet.images.pillow_decode import read_for_graph
from handnet.images.pixel_rules import describe_rules
from tests.photos import (
    BY_PILLOW,
    HEIGHT_PX,
    UNUSABLE,
    USABLE,
    WIDTH_PX,
    grey_picture,
    picture,
    write_jpeg,
    write_zeroed_jpeg,
)
from tests.tiny import write_tiny

SIZE_PX = 32


IMAGE = ImageConfig(size_px=SIZE_PX)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """10 people with a right and a left photo of each view."""
    return read_hands11k(write_tiny(tmp_path_factory.mktemp("data") / "hands", num_people=10)).examples


def read(path: Path, config: ImageConfig = IMAGE) -> np.ndarray:
    """Return a photo as training sees it."""
    return load_cached(prepare_photos([str(path)], config).files, config.size_px)[0]


@pytest.mark.parametrize("kind", ["jpeg", "exif-6-jpeg", "16-bit-png", "animated-gif", "bmp", "cmyk-adobe-jpeg"])
def test_a_cached_photo_is_the_decoded_one(kind: str, tmp_path: Path) -> None:
    path = USABLE[kind](tmp_path / "photo")
    expected = load_photo(tf.constant(path.read_bytes()), IMAGE).numpy()
    assert (read(path) == expected).all()
    assert (read(path) == expected).all(), "and the second time, from the cache"


@pytest.mark.parametrize("kind", sorted(BY_PILLOW))
def test_a_photo_that_pillow_decodes_is_upright_and_has_its_colours(kind: str, tmp_path: Path) -> None:
    config = ImageConfig(size_px=WIDTH_PX)
    stored = read(BY_PILLOW[kind](tmp_path / "photo"), config)
    expected = np.repeat(grey_picture()[..., None], 3, axis=2) if "grey" in kind else picture()
    top = (WIDTH_PX - HEIGHT_PX) // 2
    difference = np.abs(stored[top : top + HEIGHT_PX].astype(int) - expected)
    # A dim PGM says that its highest value is white; a palette of 256 colours loses some levels.
    assert difference.mean() < (20 if "palette" in kind else 4)


def test_both_decoders_are_one_graph_where_landmarks_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = []

    def fit(photo: tf.Tensor, config: ImageConfig) -> tuple[tf.Tensor, tf.Tensor, None]:
        traced.append(config)
        return tf.zeros((17, 17, 3), tf.uint8), tf.constant(True), None

    monkeypatch.setattr("handnet.images.photo_store.fit_with_facts", fit)
    # Of a size that no other test decodes with.
    config, contents = ImageConfig(size_px=17), write_jpeg(tmp_path / "photo").read_bytes()
    pixels, problem = build_decoder(config)(contents)
    decoded = build_hand_decoder(config)(contents)
    assert (problem, decoded.problem, decoded.hand, len(traced)) == ("", "", None, 1)
    assert pixels is not None
    np.testing.assert_array_equal(pixels, decoded.pixels)


@pytest.mark.slow
def test_photos_without_a_hand_are_named_where_hands_are_cropped(tmp_path: Path) -> None:
    # From light to dark across: something is there, and no hand.
    course = np.linspace(0, 60, 80).astype(np.uint8)[np.newaxis, :, np.newaxis].repeat(60, 0).repeat(3, 2)
    kinds = {"white": 190, "grey": 90, "black": 0}
    paths = [write_jpeg(tmp_path / name, course + np.uint8(least)) for name, least in kinds.items()]
    # The crop that needs a rule of its own; the others are in tests/images/test_bad_photos.py and test_hand_finder.py.
    config = ImageConfig(size_px=48, crop="hand-and-photo")
    problems = find_unusable([str(path) for path in paths], config)
    assert {Path(path).name for path in problems} == set(kinds)
    assert all("no hand was found in it" in problem for problem in problems.values())
    load = tf.function(lambda photos: load_photos(photos, config), autograph=False)
    _, ok = load(tf.constant([path.read_bytes() for path in paths]))
    assert not ok.numpy().any(), "in the exported model too"


def test_the_error_for_a_photo_without_a_hand_says_how_it_can_be_used(tmp_path: Path) -> None:
    course = np.linspace(190, 250, 80).astype(np.uint8)[np.newaxis, :, np.newaxis].repeat(60, 0).repeat(3, 2)
    path = write_jpeg(tmp_path / "empty.jpg", course)
    with pytest.raises(DataError, match="empty.jpg': no hand was found in it.* --crop none"):
        read(path, ImageConfig(size_px=48, crop="hand"))
    assert read(path, ImageConfig(size_px=48)).shape == (48, 48, 3), "a whole photo needs no hand"


def test_damage_inside_a_jpeg_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged: Corrupt JPEG data: 4563 extraneous bytes"):
        read(write_zeroed_jpeg(tmp_path / "photo"))


def test_a_padded_jpeg_has_its_pixels_and_no_line_of_the_decoder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_jpeg(tmp_path / "photo")
    plain = path.read_bytes()
    # With a small picture in its header, as phones write it.
    inner = b"Exif\0\0" + plain[:20_000]
    header = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    padded = plain[:2] + header + plain[2:-2] + bytes(20) + plain[-2:]
    expected = read(path)
    tf.io.decode_jpeg(padded)
    assert "Corrupt JPEG data: 19 extraneous bytes" in capfd.readouterr().err, "what TensorFlow writes of it"
    path.write_bytes(padded)
    np.testing.assert_array_equal(read(path), expected)
    assert read_for_graph(str(path)) == padded[:-21] + padded[-2:], "one of the 20 bytes ends the picture"
    assert capfd.readouterr().err == ""


def test_a_photo_is_decoded_once_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jpeg(tmp_path / "a.jpg")
    first = prepare_photos([str(path)], IMAGE)
    path.rename(tmp_path / "b.jpg")
    monkeypatch.setattr("handnet.images.photo_store.write_cached", lambda *_: pytest.fail("decoded again"))
    assert prepare_photos([str(tmp_path / "b.jpg")], IMAGE) == first


@pytest.mark.slow
def test_a_changed_photo_or_setting_is_never_served_stale(tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "photo")
    before, digest = read(path), prepare_photos([str(path)], IMAGE).digests
    times = path.stat()
    write_jpeg(path, 255 - picture())
    # Neither the size nor the time of a file says that it is the same.
    path.write_bytes(path.read_bytes().ljust(times.st_size, b"\0"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert np.abs(read(path).astype(int) - before).mean() > 20
    assert prepare_photos([str(path)], IMAGE).digests != digest
    write_jpeg(path)
    assert (read(path) == before).all()
    assert read(path, replace(IMAGE, size_px=48)).shape == (48, 48, 3)
    assert (read(path, replace(IMAGE, background=0))[0] == 0).all()
    assert (read(path)[0] == 255).all()
    assert (read(path, replace(IMAGE, fit="stretch"))[0] != 255).any()


@pytest.mark.parametrize("damage", [b"", b"half of it"])
def test_a_cached_file_that_was_cut_is_made_again(damage: bytes, tmp_path: Path) -> None:
    path = write_jpeg(tmp_path / "photo")
    expected = read(path)
    Path(prepare_photos([str(path)], IMAGE).files[0]).write_bytes(damage)
    assert (read(path) == expected).all()


def test_many_at_once_write_one_whole_file(tmp_path: Path) -> None:
    paths = []
    for number in range(60):
        paths.append(str(write_jpeg(tmp_path / f"{number}.jpg", np.roll(picture(), number % 3, axis=1))))
    prepared = prepare_photos(paths, IMAGE)
    assert len(set(prepared.files)) == len(set(prepared.digests)) == 3
    assert len([path for path in find_photo_folder(describe_rules(IMAGE)).rglob("*") if path.is_file()]) == 3
    assert (load_cached(prepared.files[:3], SIZE_PX) == load_cached(prepared.files[57:], SIZE_PX)).all()


def test_a_write_that_is_cut_short_leaves_nothing_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_jpeg(tmp_path / "photo")

    def fail(temporary: Path, contents: bytes) -> int:
        with temporary.open("wb") as file:
            file.write(contents[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fail)
        with pytest.raises(DiskError, match=r"No space left on device\. Is the disk full\?"):
            prepare_photos([str(path)], IMAGE)
    assert not [item for item in find_photo_folder(describe_rules(IMAGE)).rglob("*") if item.is_file()]


def test_progress_counts_to_the_end(examples: list[Example]) -> None:
    seen: list[tuple[int, int]] = []
    prepare_photos([e.path for e in examples[:7]], IMAGE, lambda name: lambda done, total: seen.append((done, total)))
    assert seen == [(k, 7) for k in range(1, 8)]


def test_bad_photos_are_named_five_at_most(tmp_path: Path) -> None:
    kinds = ["zero-byte", "png-bomb", "text", "truncated-jpeg", "truncated-tiff", "gif-bomb", "truncated-png"]
    bad = [str(UNUSABLE[kind](tmp_path / f"{number}-{kind}")) for number, kind in enumerate(kinds)]
    good = str(write_jpeg(tmp_path / "good.jpg"))
    with pytest.raises(DataError) as caught:
        prepare_photos([*reversed(bad), good, str(tmp_path / "3-absent")], IMAGE)
    message = str(caught.value)
    assert message.startswith("8 of 9 photos cannot be used: ")
    assert f"{bad[0]!r}: empty file; {bad[1]!r}: too large: 30,000 × 30,000 pixels" in message
    assert f"{bad[2]!r}: not an image that can be read" in message
    assert f"'{tmp_path / '3-absent'}': No such file or directory" in message
    assert f"{bad[3]!r}: truncated: the file ends before the picture does and 3 more. Repair or remove them" in message
    assert "tiff" not in message
    with pytest.raises(DataError, match="^1 of 2 photos cannot be used: "):
        prepare_photos([bad[0], good], IMAGE)


def test_a_header_cut_anywhere_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    for kind in ("jpeg", "png", "animated-gif", "bmp"):
        contents = USABLE[kind](tmp_path / kind).read_bytes()
        reasons = {find_header_problem(contents[:length]) for length in range(min(80, len(contents)))}
        assert "empty file" in reasons
        assert any(reason.startswith("truncated: ") for reason in reasons)


def test_photos_are_read_in_order_in_batches(examples: list[Example]) -> None:
    files = prepare_photos([example.path for example in examples], IMAGE).files
    batches = list(read_photos(files, SIZE_PX, 16).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert (np.concatenate(batches) == load_cached(files, SIZE_PX)).all()
