"""Vectors that an engine has computed before, kept in the cache by the pixels that they are of."""

import numpy as np
import numpy.typing as npt

from handnet.data.cache import digest_bytes, find_feature_folder, use_folder
from handnet.embedding.engines import Engine
from handnet.embedding.frozen_encoder import digest_code
from handnet.files import write_bytes

_VERSION = 1
Floats = npt.NDArray[np.float32]


def remember_vectors(engine: Engine, weights: str) -> Engine:
    """Return an engine that computes the vector of a picture once, and reads it from the cache ever after.

    Args:
        engine: what computes the vectors.
        weights: digest of the encoder's weights, `digest_weights`.
    """
    described = {
        "kind": f"vectors {_VERSION}",
        "weights": weights,
        "engine": engine.name,
        "precision": engine.precision,
    }
    known = find_feature_folder({**described, "code": digest_code()})
    use_folder(known)

    def embed(images: npt.NDArray[np.uint8]) -> Floats:
        files = [known / digest[:2] / digest for digest in (digest_bytes(image.tobytes()) for image in images)]
        rows: dict[int, Floats] = {}
        for row, file in enumerate(files):
            # A power cut can leave a file that was renamed and never filled.
            if file.exists() and len(vector := np.fromfile(file, np.float32)):
                rows[row] = vector
        missing = [row for row in range(len(files)) if row not in rows]
        if missing:
            for row, vector in zip(missing, engine.embed(images[missing]), strict=True):
                rows[row] = vector
                write_bytes(files[row], vector.tobytes())
        return np.stack([rows[row] for row in range(len(files))])

    return engine._replace(embed=embed)
