"""Slices: the right queries, the whole gallery, the worst first."""

import numpy as np

from handnet.metrics.embedded import make_part
from handnet.metrics.protocols import rank_photos
from handnet.metrics.slices import band_ages, slice_outcome
from tests.metrics.oracles import draw_part


def draw():
    """Twelve people; those with an odd number are marked and much harder to find."""
    generator = np.random.default_rng(0)
    embeddings, identities, views = draw_part(generator, num_people=14, noise=0.2)
    hard = np.array([int(name[1:]) % 2 == 1 for name in identities])
    embeddings = embeddings + hard[:, None] * generator.normal(size=embeddings.shape)
    attributes = [
        {"ring": "1" if h else "0", "age": str(18 + int(i[1:])), "note": str(k), "same": "x"}
        for k, (h, i) in enumerate(zip(hard, identities, strict=True))
    ]
    return make_part(
        embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), identities, views, None, attributes
    )


def test_slices_hold_their_queries_and_the_worst_comes_first():
    part = draw()
    outcome = rank_photos(part, "dorsal_to_palmar")
    rows = slice_outcome(part, outcome, num_replicates=200)
    by_name = {(row["attribute"], row["value"]): row for row in rows}
    # Free text (too many values), constants and unknown sides make no slices.
    assert {attribute for attribute, _ in by_name} == {"ring", "age"}
    for value in ("0", "1"):
        kept = np.array([part.attributes[i]["ring"] == value for i in outcome.rows])
        row = by_name["ring", value]
        assert row["num_queries"] == kept.sum()
        assert row["recall_at_1"] == np.mean(outcome.ranking.ranks[kept] <= 1)
        assert row["num_gallery"] == (part.views == "palmar").sum()
        assert row["interval"]["recall_at_1"][0] <= row["recall_at_1"] <= row["interval"]["recall_at_1"][1]
        assert "cmc" not in row["chance"]
    assert by_name["ring", "1"]["recall_at_1"] < by_name["ring", "0"]["recall_at_1"]
    many = [row["recall_at_1"] for row in rows if not row["few_people"]]
    assert many == sorted(many)
    assert [row["few_people"] for row in rows] == sorted(row["few_people"] for row in rows)


def test_few_people_are_marked_and_one_person_has_no_interval():
    part = draw()
    attributes = [{"rare": "yes" if name == "p03" else "no"} for name in part.identities]
    part = make_part(part.embeddings, part.identities, part.views, None, attributes)
    rows = slice_outcome(part, rank_photos(part, "dorsal_to_palmar"), num_replicates=50)
    rare = next(row for row in rows if row["value"] == "yes")
    assert (rare["num_people"], rare["few_people"], "interval" in rare) == (1, True, False)
    assert rows[-1] is rare


def test_ages_are_banded():
    ages = np.array(["18", " 20", "21", "70", "x", "", "-3", "1e400", "25.0"])
    assert band_ages(ages).tolist() == ["18–20", "18–20", "21–25", "over 50", "", "", "", "", "21–25"]
