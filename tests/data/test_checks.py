import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handnet.data import checks
from handnet.data.checks import (
    FORMATS,
    MAX_PIXELS,
    check_photo,
    check_photos,
    find_duplicates,
    find_header_problem,
    read_photo,
)
from tests.photos import (
    BY_PILLOW,
    DAMAGED_INSIDE,
    HOSTILE_NAME,
    UNUSABLE,
    USABLE,
    find_real_data,
    write_bytes,
    write_image,
    write_jpeg,
    write_truncated,
)

REASONS = {
    "zero-byte": "empty file",
    "one-byte": "not an image that can be read: expected " + FORMATS,
    "text": "not an image that can be read: expected " + FORMATS,
    "web-page": "not an image that can be read: expected " + FORMATS,
    "jpeg-magic-alone": "truncated: the JPEG ends within its header",
    "png-magic-alone": "truncated: the PNG ends within its header",
    "gif-magic-alone": "truncated: the GIF ends within its header",
    "bmp-magic-alone": "truncated: the BMP ends within its header",
    "truncated-jpeg": "truncated: the file ends before the picture does",
    "truncated-png": "truncated: the file ends before the picture does",
    "truncated-gif": "truncated: the file ends before the picture does",
    "truncated-bmp": "truncated: the file ends before the picture does",
    "truncated-pgm": "truncated: the file ends before the picture does",
    "jpeg-without-end": "truncated: the file ends before the picture does",
    "zeroed-jpeg": "damaged: Corrupt JPEG data: 4563 extraneous bytes before marker 0xd9",
    "truncated-webp": "damaged: could not create decoder object",
    "truncated-tiff": "truncated: the file ends before the picture does",
    "pgm-magic-alone": "damaged: Reached EOF while reading header",
    "pgm-bomb": "too large: more pixels than Pillow decodes, above the limit of 89 million",
    "png-bomb": "too large: 30,000 × 30,000 pixels, above the limit of 89 million",
    "jpeg-bomb": "too large: 65,000 × 65,000 pixels, above the limit of 89 million",
    "gif-bomb": "too large: 360,000,000,000 pixels in 100 frames, above the limit of 89 million",
}
REMARKS = {
    "cmyk-jpeg": "CMYK: colours are converted without its colour profile",
    "cmyk-adobe-jpeg": "CMYK: colours are converted without its colour profile",
    "16-bit-png": "16 bits per channel: read as 8",
    "16-bit-grey-png": "16 bits per channel: read as 8",
    "alpha-png": "transparent: transparency is dropped, what lies under it shows",
    "grey-alpha-png": "transparent: transparency is dropped, what lies under it shows",
    "animated-png": "several pictures in one file: only the first is used",
    "grey-16-bit-pgm": "16 bits per channel: read as 8",
    "animated-gif": "animated: the first of 2 frames is used",
}


@pytest.mark.parametrize("name", sorted(UNUSABLE | DAMAGED_INSIDE))
def test_unusable_photos_have_a_reason(name: str, tmp_path: Path) -> None:
    problem = check_photo(str((UNUSABLE | DAMAGED_INSIDE)[name](tmp_path / "photo.jpg")))
    assert problem is not None
    assert (problem.reason, problem.usable) == (REASONS[name], False)


@pytest.mark.parametrize("name", sorted(USABLE | BY_PILLOW))
def test_usable_photos_pass_with_a_remark_where_one_is_due(name: str, tmp_path: Path) -> None:
    path = (USABLE | BY_PILLOW)[name](tmp_path / "photo.jpg")
    problem = check_photo(str(path))
    assert (problem.reason if problem else None) == REMARKS.get(name)
    assert problem is None or problem.usable
    assert find_header_problem(path.read_bytes()) == ""


def test_a_bomb_is_never_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_find_decoding_problem", lambda contents: pytest.fail("decoded"))
    for name in ("png-bomb", "jpeg-bomb", "gif-bomb", "pgm-bomb"):
        assert check_photo(str(UNUSABLE[name](tmp_path / name)))


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    contents = bytearray(USABLE["png"](tmp_path / "a").read_bytes())
    contents[16:24] = (10_000).to_bytes(4, "big") + (MAX_PIXELS // 10_000).to_bytes(4, "big")
    assert find_header_problem(bytes(contents)) == ""
    contents[20:24] = (MAX_PIXELS // 10_000 + 1).to_bytes(4, "big")
    assert find_header_problem(bytes(contents)).startswith("too large")


def test_a_picture_without_pixels_is_refused(tmp_path: Path) -> None:
    contents = bytearray(USABLE["png"](tmp_path / "a").read_bytes())
    contents[16:20] = bytes(4)
    assert find_header_problem(bytes(contents)) == "damaged: the PNG has no pixels"


def test_a_jpeg_cut_anywhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for percent in range(2, 99, 8):
        problem = check_photo(str(write_truncated(path, "JPEG", percent / 100)))
        assert problem is not None
        assert problem.reason.startswith(("truncated", "damaged")), percent
    assert check_photo(str(write_truncated(path, "JPEG", 1.0))) is None


@pytest.mark.parametrize(
    "name",
    ["jpeg", "png", "palette-png", "animated-gif", "animated-png", "bmp", "grey-pgm", "webp", "tiff", "avif", "heic"],
)
def test_damage_of_any_kind_is_judged_and_never_raises(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = (USABLE | BY_PILLOW)[name](tmp_path / "whole").read_bytes()
    num_unusable = 0
    for _ in range(60):
        contents = bytearray(whole)
        for position in (*rng.integers(len(contents), size=2), rng.integers(64)):
            contents[position] = rng.integers(256)
        problem = check_photo(str(write_bytes(tmp_path / "damaged", bytes(contents))))
        assert problem is None or problem.reason.isprintable()
        num_unusable += problem is not None and not problem.usable
    # A PNG has checksums; in the others damage beyond the header often shows as wrong pixels only.
    assert num_unusable >= (50 if "png" in name else 10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    paths = [str(tmp_path / "none.jpg"), str(tmp_path), str(tmp_path / "pipe.jpg"), "a\0b"]
    reasons = [problem.reason for problem in check_photos(paths)]
    assert reasons == ["No such file or directory", "not a regular file", "not a regular file", "not a valid file name"]


def test_problems_come_in_the_order_of_the_paths_with_progress(tmp_path: Path) -> None:
    paths = [str(write_bytes(tmp_path / f"{number}.jpg", b"" if number % 3 else b"x")) for number in range(20)]
    paths.insert(5, str(write_jpeg(tmp_path / HOSTILE_NAME)))
    seen: list[tuple[int, int]] = []
    problems = check_photos(paths, lambda name: lambda done, total: seen.append((done, total)))
    assert [problem.path for problem in problems] == paths[:5] + paths[6:]
    assert seen == [(done, 21) for done in range(1, 22)]
    assert all(problem.reason.isprintable() for problem in problems)


def test_an_interrupt_in_the_middle_stops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def work(path: str) -> None:
        started.append(path)
        time.sleep(0.002)

    monkeypatch.setattr(checks, "check_photo", work)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_photos([str(number) for number in range(2_000)], lambda name: interrupt)
    assert len(started) < 1_000


def test_duplicates_are_found_by_content(tmp_path: Path) -> None:
    def write(name: str, contents: bytes) -> str:
        return str(write_bytes(tmp_path / name, contents))

    paths = [
        write("c", b"same"),
        write("b", b"else"),
        write("a", b"same"),
        write("d", b"longer"),
        write("e", b"longer"),
    ]
    paths += [str(tmp_path / "absent"), paths[0], write("f", b"same")]
    assert find_duplicates(paths) == [(paths[0], paths[2], paths[-1]), (paths[3], paths[4])]


def test_empty_files_are_duplicates_too(tmp_path: Path) -> None:
    paths = [str(write_bytes(tmp_path / name, b"")) for name in "ab"]
    assert find_duplicates(paths) == [tuple(paths)]


def test_real_photos_are_healthy() -> None:
    paths = sorted(str(path) for path in (find_real_data("hands11k-fullres") / "Hands").iterdir())
    assert len(paths) == 101
    assert check_photos(paths) == []
    assert find_duplicates(paths) == []


def test_a_file_larger_than_any_photo_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(checks.MAX_FILE_BYTES + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("read"))
    assert read_photo(str(tmp_path / "huge.jpg")) == (b"", "1,000,000,001 bytes: larger than any photo")


@pytest.mark.parametrize("kind", ["zTXt", "iCCP"])
def test_large_texts_in_a_png_are_no_fault(kind: str, tmp_path: Path) -> None:
    photo = USABLE["png"](tmp_path / "photo.png").read_bytes()
    text = {"zTXt": b"Comment\0\0", "iCCP": b"profile\0\0"}[kind] + zlib.compress(bytes(100_000_000))
    body = kind.encode() + text
    chunk = len(text).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    path = write_bytes(tmp_path / "large.png", photo[:33] + chunk + photo[33:])
    assert check_photo(str(path)) is None
    # The check of the chunks that are kept is as strict as before.
    assert check_photo(str(write_bytes(path, photo[:33] + chunk + photo[33:-20]))) is not None


@pytest.mark.parametrize(
    ("change", "reason"), [(3, "damaged: 3 bytes after the end of the picture"), (-3, "truncated: ")]
)
def test_a_bitmap_longer_or_shorter_than_its_header_says_is_refused_as_tensorflow_does(
    change: int, reason: str, tmp_path: Path
) -> None:
    file = write_image(tmp_path / "photo.bmp", "BMP", "RGB")
    assert check_photo(str(file)) is None
    contents = file.read_bytes()
    file.write_bytes(contents + b"abc" if change > 0 else contents[:change])
    problem = check_photo(str(file))
    assert problem is not None
    assert not problem.usable
    assert problem.reason.startswith(reason)


@pytest.mark.parametrize("at", [14, 30])
def test_a_bitmap_of_a_kind_that_there_is_not_is_refused_by_its_header(at: int, tmp_path: Path) -> None:
    # TensorFlow reads neither the size of the header nor the compression.
    Image.new("RGB", (5, 4)).save(tmp_path / "photo.bmp")
    contents = bytearray((tmp_path / "photo.bmp").read_bytes())
    assert find_header_problem(bytes(contents)) == ""
    contents[at] += 1
    assert find_header_problem(bytes(contents)) == "damaged: its header makes no sense"
