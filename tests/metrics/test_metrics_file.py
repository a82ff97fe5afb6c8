"""Metrics files: whole or not at all."""

import json

import numpy as np
import pytest

from handnet.errors import DiskError, EvaluationError
from handnet.metrics.all_figures import write_metrics


def test_metrics_are_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_metrics(path, {"retrieval": {"mean_rank": np.float32(2.5), "cmc": np.array([0.5, 1.0])}})
    write_metrics(path, {"retrieval": {"mean_rank": np.float64(1.5), "n": np.int64(3)}})
    assert json.loads(path.read_text()) == {"retrieval": {"mean_rank": 1.5, "n": 3}}
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), object()])
def test_what_is_no_figure_is_refused_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "metrics.json"
    write_metrics(path, {"a": 1})
    with pytest.raises(EvaluationError, match="must be finite numbers"):
        write_metrics(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": 1}


def test_unwritable_folder_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DiskError, match=r"Cannot write .*metrics.json': File exists\. Give a folder that can be written"
    ):
        write_metrics(tmp_path / "file" / "metrics.json", {"a": 1})
