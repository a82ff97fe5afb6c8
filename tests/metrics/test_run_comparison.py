"""Comparisons in pairs and pooled folds."""

from dataclasses import replace

import numpy as np
import pytest

from handnet.errors import EvaluationError
from handnet.metrics.embedded import load_part, make_part
from handnet.metrics.figures import list_means
from handnet.metrics.protocols import rank_templates
from handnet.metrics.run_comparison import ComparedRun, compare_runs

FIGURES = list_means()


def make_runs(noise, num_people=30, seed=0):
    """One set of people seen by models of differing noise: what is hard for one is hard for the others."""
    generator = np.random.default_rng(seed)
    people = np.repeat([f"p{i:02d}" for i in range(num_people)], 4)
    views = np.tile(["dorsal", "palmar"], 2 * num_people)
    centres = np.repeat(generator.normal(size=(num_people, 8)), 4, axis=0)
    shared = np.repeat(np.exp(0.6 * generator.normal(size=(num_people, 1))), 4, axis=0) * generator.normal(
        size=centres.shape
    )
    runs = []
    for k, amount in enumerate(noise):
        vectors = centres + amount * shared + 0.3 * generator.normal(size=centres.shape)
        part = make_part(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), people, views)
        runs.append(ComparedRun(f"run{k}", "net", f"loss{k}", part))
    return runs


def test_differences_are_those_of_the_figures():
    runs = make_runs([1.0, 0.4, 1.0], num_people=60)
    result = compare_runs(runs, num_replicates=300)
    assert [row["name"] for row in result["differences"]] == ["run1", "run2"]
    for row, run in zip(result["differences"], result["runs"][1:], strict=True):
        for name in FIGURES:
            assert row[name]["difference"] == pytest.approx(run[name] - result["runs"][0][name])
            low, high = row[name]["interval"]
            assert low <= row[name]["difference"] <= high
            assert row[name]["clear"] == (low > 0 or high < 0)
    better = result["differences"][0]
    assert better["recall_at_1"]["clear"]
    before, after = result["runs"][0]["mean_rank"], result["runs"][1]["mean_rank"]
    assert better["mean_rank"]["improvement"] == pytest.approx((before - after) / before)
    assert better["recall_at_1"]["improvement"] > 0
    ranks = rank_templates(runs[1].part, "dorsal_to_palmar").ranking.ranks
    assert result["runs"][1]["mean_rank"] == ranks.mean()


def test_pairing_narrows_the_interval():
    runs = make_runs([0.8, 0.8], num_people=60)
    result = compare_runs(runs, protocol="photo", num_replicates=400)
    low, high = result["differences"][0]["mean_rank"]["interval"]
    apart = [run["interval"]["mean_rank"] for run in result["runs"]]
    assert high - low < sum(b - a for a, b in apart)
    assert not result["differences"][0]["mean_rank"]["clear"]


def test_equal_runs_differ_by_nothing_and_no_certainty_is_claimed():
    run = make_runs([0.5])[0]
    change = compare_runs([run, run], num_replicates=300)["differences"][0]
    for name in FIGURES:
        assert change[name]["difference"] == 0
        assert change[name]["interval"][0] < 0 < change[name]["interval"][1]


@pytest.mark.slow
def test_coverage_of_differences_on_simulated_people():
    points, bounds = [], []
    for trial in range(300):
        result = compare_runs(make_runs([0.9, 0.7], seed=trial + 1), num_replicates=200, seed=trial)["differences"][0]
        points.append([result[name]["difference"] for name in FIGURES])
        bounds.append([result[name]["interval"] for name in FIGURES])
    truth, limits = np.mean(points, axis=0), np.array(bounds)
    coverage = np.mean((limits[:, :, 0] <= truth) & (truth <= limits[:, :, 1]), axis=0)
    # Recall at 10 of 30 is nearly always 1 for both: there is little to vary, and the interval errs on the wide side.
    highest = [1.0 if name == "recall_at_10" else 0.97 for name in FIGURES]
    assert ((coverage >= 0.93) & (coverage <= highest)).all(), dict(zip(FIGURES, coverage, strict=True))


def test_runs_on_other_photos_are_refused():
    one = make_runs([0.5])[0]
    other = one._replace(name="other", part=one.part.select(one.part.identities != "p03"))
    with pytest.raises(
        EvaluationError, match=r"run0 with 120 photos of 30 people, other with 116 of 29 \(people in one only: p03"
    ):
        compare_runs([one, other])
    flipped = one._replace(part=one.part.select(np.arange(120)[::-1]))
    with pytest.raises(EvaluationError, match="another order"):
        compare_runs([one, flipped])
    labelled = [
        one._replace(part=make_part(one.part.embeddings, one.part.identities, one.part.views, None, None, names))
        for names in ([f"/data/{i}.jpg" for i in range(120)], [f"C:\\d\\{i}.png" for i in range(120)])
    ]
    with pytest.raises(EvaluationError, match=r"other file names, e\.g\. 0\.jpg and 0\.png"):
        compare_runs(labelled)
    with pytest.raises(EvaluationError, match="at least two runs. Received: 1"):
        compare_runs([one])


def test_other_photos_of_the_same_names_are_refused(tmp_path):
    one, other = make_runs([1.0, 1.0])
    for run, photos in ((one, "f00d"), (other, "beef")):
        replace(run.part, photos=photos).save(tmp_path / f"{run.name}.npz")
    first, second = (run._replace(part=load_part(tmp_path / f"{run.name}.npz")) for run in (one, other))
    with pytest.raises(
        EvaluationError, match="run0 and run1 with the same names of photos and other contents or labels"
    ):
        compare_runs([first, second])
    compare_runs([first, second._replace(part=first.part)], num_replicates=20)
    compare_runs([first, other], num_replicates=20)
