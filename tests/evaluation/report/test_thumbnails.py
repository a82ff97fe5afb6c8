"""Small copies of photos."""

import pytest
from PIL import Image

from handnet.evaluation.report.thumbnails import read_thumbnail


def test_thumbnails_are_small_and_upright(tmp_path):
    photo = Image.new("RGB", (800, 400), "white")
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(tmp_path / "x.jpg", exif=exif)
    assert 0 < len(read_thumbnail(str(tmp_path / "x.jpg"))) < 4000
    import base64
    import io

    small = Image.open(io.BytesIO(base64.b64decode(read_thumbnail(str(tmp_path / "x.jpg")).split(",")[1])))
    assert small.size == (132, 264)


def test_photos_of_a_phone_have_thumbnails(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(tmp_path / "x.heic")
    assert read_thumbnail(str(tmp_path / "x.heic")).startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_damaged_photos_leave_a_gap(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)
    assert read_thumbnail(str(tmp_path / "x.jpg")) == ""
    assert read_thumbnail("") == ""
    assert read_thumbnail(str(tmp_path)) == ""
