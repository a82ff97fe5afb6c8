"""Photos decoded operation by operation are those of the store, and are refused for its reasons."""

from pathlib import Path

import numpy as np

from handnet.config.image import ImageConfig
from handnet.embedding.few_photos import decode_few
from handnet.images.photo_store import build_decoder
from tests.photos import write_jpeg


def test_the_pixels_and_the_reasons_are_the_stores(working_folder: Path) -> None:
    write_jpeg(Path("good.jpg"))
    whole = Path("good.jpg").read_bytes()
    for name, contents in (("empty.jpg", b""), ("text.jpg", b"no photo"), ("half.jpg", whole[: len(whole) // 2])):
        Path(name).write_bytes(contents)
    paths, image = ["good.jpg", "empty.jpg", "text.jpg", "half.jpg"], ImageConfig(size_px=32)
    decode = build_decoder(image)
    for path, found in zip(paths, decode_few([*paths, "gone.jpg"], image), strict=False):
        pixels, problem = decode(Path(path).read_bytes())
        assert bool(found.problem) == (path != "good.jpg")
        assert found.problem == problem
        if pixels is not None:
            np.testing.assert_array_equal(found.pixels, pixels)
    assert "No such file" in decode_few(["gone.jpg"], image)[0].problem
