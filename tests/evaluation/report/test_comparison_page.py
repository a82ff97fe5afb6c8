"""The pages of compared runs and of a cross-validation."""

from pathlib import Path

import pytest

from handnet.evaluation.folds import merge_folds
from handnet.evaluation.report.comparison_page import write_comparison, write_folds
from handnet.metrics.run_comparison import ComparedRun, compare_runs
from tests.evaluation.report.hostile import HOSTILE, read
from tests.metrics.test_protocols import draw_hands


@pytest.mark.parametrize(("noise", "said"), [(0.3, "no difference is clear"), (6.0, "is worse than")])
def test_the_page_says_which_run_is_better_or_that_none_is(tmp_path: Path, noise: float, said: str) -> None:
    runs = [
        ComparedRun(HOSTILE, "net", "loss", draw_hands(num_people=12, noise=0.3)),
        ComparedRun("other", "net", "loss", draw_hands(num_people=12, noise=noise)),
    ]
    write_comparison(tmp_path / "page.html", compare_runs(runs, num_replicates=60))
    reader = read((tmp_path / "page.html").read_text(encoding="utf-8"))
    text = "".join(reader.text)
    assert said in text
    assert f"other minus {HOSTILE}" in text
    assert reader.tags.count("script") == 3, "two charts and the page's own"


def test_the_page_of_folds_has_pooled_figures_and_curves(tmp_path: Path) -> None:
    part = draw_hands(num_people=8)
    metrics = merge_folds([part.select(part.identities < "p04"), part.select(part.identities >= "p04")], 40)
    page = tmp_path / HOSTILE.replace("/", "-")[:20] / "page.html"
    write_folds(page, metrics)
    text = "".join(read(page.read_text(encoding="utf-8")).text)
    assert f"{page.parent.name}: cross-validation" in text, "which of several it is"
    assert "Each of 8 people was tested once, in 2 folds" in text
    assert "Person template, dorsal → palmar" in text
