"""What a client may ask for."""

import pytest

pytest.importorskip("fastapi", reason="FastAPI is not installed: pip install 'handnet[serve]'")

from handnet.serving.api.limits import Limits, RateLimit
from handnet.serving.api.problems import Problem
from tests.photos import UNUSABLE, write_jpeg


def test_a_photo_is_measured_by_its_bytes_and_its_header(tmp_path) -> None:
    contents = write_jpeg(tmp_path / "a.jpg").read_bytes()
    Limits().check_photo(contents, 1)
    with pytest.raises(Problem, match=r"Photo 2 has [\d,]+ bytes; at most 100 are accepted") as caught:
        Limits(max_photo_bytes=100).check_photo(contents, 2)
    assert caught.value.status_code == 413
    with pytest.raises(Problem, match="Photo 3 has 64 × 48 pixels; at most 3,000 are accepted"):
        Limits(max_photo_pixels=3000).check_photo(contents, 3)


@pytest.mark.parametrize("kind", ["text", "zero-byte"])
def test_what_is_no_photo_is_left_to_the_encoder(kind: str, tmp_path) -> None:
    UNUSABLE[kind](tmp_path / "x")
    Limits(max_photo_pixels=1).check_photo((tmp_path / "x").read_bytes(), 1)


def test_each_client_has_a_bucket_that_fills_again() -> None:
    now = 0.0
    limit = RateLimit(2.0, 3, clock=lambda: now)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Problem, match="Too many requests: 2 a second are answered") as caught:
        limit.take("a")
    assert (caught.value.status_code, caught.value.headers["Retry-After"]) == (429, "1")
    limit.take("b")
    now = 0.5
    limit.take("a")
    with pytest.raises(Problem, match="Too many"):
        limit.take("a")
