from pathlib import Path

import numpy as np
import pytest

from handnet.data.example import Example
from handnet.metrics.embedded import load_part
from handnet.metrics.vectors import write_vectors

VECTORS = np.eye(3, 4, dtype=np.float32)
EXAMPLES = [
    Example("/a/é.jpg", "7", "dorsal", "left", {"gender": "female"}),
    Example("/a/2.jpg", "7", "palmar", "", {}),
    Example("/a/3.jpg", "8", "palmar", "right", {"age": "30"}),
]


def test_an_npz_file_is_what_evaluation_reads(tmp_path: Path) -> None:
    write_vectors(tmp_path / "x.npz", VECTORS, EXAMPLES, labelled=True)
    part = load_part(tmp_path / "x.npz")
    assert (part.embeddings == VECTORS).all()
    assert part.identities.tolist() == ["7", "7", "8"]
    assert part.sides.tolist() == ["left", "", "right"]
    assert part.attributes == ({"gender": "female"}, {}, {"age": "30"})
    assert part.paths == ("/a/é.jpg", "/a/2.jpg", "/a/3.jpg")


def test_a_parquet_file_has_a_row_for_each_photo(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    write_vectors(tmp_path / "x.parquet", VECTORS, EXAMPLES, labelled=True)
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert rows[0] == {
        "path": "/a/é.jpg",
        "identity": "7",
        "view": "dorsal",
        "side": "left",
        "attributes": '{"gender": "female"}',
        "embedding": [1.0, 0.0, 0.0, 0.0],
    }
    assert len(rows) == 3
    write_vectors(tmp_path / "y.parquet", VECTORS, EXAMPLES, labelled=False)
    assert parquet.read_table(tmp_path / "y.parquet").column_names == ["path", "embedding"]
