"""The key of all that is kept of pixels changes with the code that makes them."""

import shutil
import sys
from pathlib import Path
from types import FrameType

import pytest

from handnet.config.image import ImageConfig
from handnet.images import pixel_rules
from handnet.images.photo_store import build_decoder, prepare_photos
from handnet.images.pixel_rules import describe_rules, digest_report_rules
from tests.photos import write_jpeg

PACKAGE = Path(pixel_rules.__file__).parents[1]
WHOLE, HAND = ImageConfig(size_px=32, crop="none"), ImageConfig(size_px=32, crop="hand-canonical")
KEYS = {
    "whole photo": lambda: describe_rules(WHOLE)["rules"],
    "hand": lambda: describe_rules(HAND)["rules"],
    "report": digest_report_rules,
}


# Of the copy before it is changed: always the same.
BEFORE: dict[str, str] = {}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package whose code can be changed; the digests are those of the copy."""
    copy = tmp_path / "handnet"
    shutil.copytree(PACKAGE / "images", copy / "images", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").mkdir()
    for name in ("data/checks.py", "data/blank_rule.py", "data/photo_headers.py"):
        shutil.copy(PACKAGE / name, copy / name)
    monkeypatch.setattr(pixel_rules, "_PACKAGE", copy)
    monkeypatch.setattr(pixel_rules, "_digest_code", pixel_rules._digest_code.__wrapped__)
    return copy


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        # A rule of the crop, and with it the least hand that a photo must show.
        ("images/hand/mask.py", " as tf\n", " as tf\n\nprint()\n", {"hand", "report"}),
        ("images/decode.py", "_LEAST_HAND_FRACTION = 0.05", "_LEAST_HAND_FRACTION = 0.06", set(KEYS)),
        ("data/checks.py", "MAX_PIXELS = ", "MAX_PIXELS = 1 + ", set(KEYS)),
        ("data/blank_rule.py", "LEAST_CONTRAST = ", "LEAST_CONTRAST = 1 + ", set(KEYS)),
        # Comments and docstrings make no pixels, and neither do augmentation and drawings.
        ("images/decode.py", "# ", "# It is said otherwise: ", set()),
        ("images/hand/mask.py", '"""Return the mask', '"""Give the mask', set()),
        ("images/augment.py", "import math", "import math, os", set()),
    ],
)
def test_what_changes_the_key(package: Path, name: str, old: str, new: str, changed: set[str]) -> None:
    before = BEFORE or {kind: key() for kind, key in KEYS.items()}
    BEFORE.update(before)
    edit(package / name, old, new)
    assert {kind for kind, key in KEYS.items() if key() != before[kind]} == changed


def test_the_arrays_of_a_rule_are_part_of_the_key(package: Path) -> None:
    before = KEYS["hand"]()
    (package / "images/hand/side_and_view.npz").write_bytes(b"others")
    assert KEYS["hand"]() != before


@pytest.mark.slow
def test_all_code_that_runs_as_a_photo_is_decoded_is_part_of_the_key(tmp_path: Path) -> None:
    ran = set[str]()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            ran.add(frame.f_code.co_filename)

    contents = write_jpeg(tmp_path / "photo.jpg").read_bytes()
    sys.setprofile(note)
    try:
        build_decoder(HAND)(contents)
    finally:
        sys.setprofile(None)
    ran = {name for name in ran if name.startswith((str(PACKAGE / "images"), str(PACKAGE / "data")))}
    assert str(PACKAGE / "images/hand/mask.py") in ran
    assert ran <= {str(file) for file in pixel_rules.read_code(PACKAGE, ("images.photo_store",))}


def test_a_photo_that_a_new_rule_decodes_otherwise_is_not_served_from_the_cache(package: Path, tmp_path: Path) -> None:
    path = str(write_jpeg(tmp_path / "photo.jpg"))
    kept = prepare_photos([path], WHOLE).files[0]
    assert prepare_photos([path], WHOLE).files == [kept]
    edit(package / "images/decode.py", "_OVERSAMPLING = 1.5", "_OVERSAMPLING = 1.25")
    assert prepare_photos([path], WHOLE).files != [kept]
