"""A picture's vector is computed once, and never taken for another picture's or another engine's."""

import numpy as np
import numpy.typing as npt

from handnet.embedding.engines import Engine
from handnet.embedding.known_vectors import remember_vectors


def test_a_picture_is_computed_once_and_rows_stay_in_order() -> None:
    computed: list[int] = []

    def embed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        computed.append(len(images))
        return images.reshape(len(images), -1)[:, :4].astype(np.float32)

    engine = Engine("tensorflow", "float32", embed)
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    remembering = remember_vectors(engine, "weights of this test")
    np.testing.assert_array_equal(remembering.embed(images[[3, 1]]), embed(images[[3, 1]]))
    computed.clear()
    np.testing.assert_array_equal(remembering.embed(images), images.reshape(5, -1)[:, :4])
    np.testing.assert_array_equal(remembering.embed(images[::-1]), images[::-1].reshape(5, -1)[:, :4])
    assert computed == [3], "two were known, then all"
    for other in (engine._replace(precision="bf16"), engine._replace(name="openvino")):
        remember_vectors(other, "weights of this test").embed(images[:1])
    remember_vectors(engine, "other weights").embed(images[:1])
    assert computed == [3, 1, 1, 1]
