"""The error browser: what was confused with what."""

from handnet.evaluation.report.error_browser import show_look_alikes, show_searches, show_worst_queries
from handnet.metrics.all_figures import evaluate_part
from tests.metrics.test_protocols import draw_hands


def test_each_bad_query_has_its_match_and_nearer_people() -> None:
    part = draw_hands(num_people=8, noise=2.0)
    worst = evaluate_part(part, num_replicates=20)["worst_queries"]["dorsal_to_palmar"]
    rows = show_worst_queries(part, worst, {})
    assert len(rows) == len(worst) > 0
    for (query, true, wrong, _), confusion in zip(rows, worst, strict=True):
        assert (query.kind, true.kind, {photo.kind for photo in wrong}) == ("query", "right", {"wrong"})
        assert query.caption.startswith(f"rank {confusion['rank']:,} of ")
        person = part.identities[confusion["row"]]
        assert person in query.caption.split("\n")[1]
        assert person in true.caption.split("\n")[1]
        assert all(person not in photo.caption.split("\n")[1] for photo in wrong)


def test_look_alikes_are_two_people() -> None:
    for one, other in show_look_alikes(draw_hands(num_people=8), num_pairs=3):
        assert one.caption.startswith("templates ")
        assert one.caption.split("\n")[1] != other.caption.split("\n")[1]


def test_random_searches_show_the_right_person_wherever_it_came() -> None:
    part = draw_hands(num_people=12, noise=1.0)
    strips = show_searches(part, seed=0)
    assert len(strips) == 8
    assert {strip.kind for strip in strips} == {"right", "wrong"}
    for strip in strips:
        kinds = [photo.kind for photo in strip.photos]
        assert kinds[0] == "query"
        assert kinds.count("right") == 1
        assert (kinds[1] == "right") == (strip.kind == "right") == (strip.words == "Right person first")
        assert len(kinds) == (7 if kinds[-1] == "right" and kinds.index("right") == 6 else 6)
    assert [strip.words for strip in show_searches(part, seed=0)] == [strip.words for strip in strips]
    assert [strip.photos for strip in show_searches(part, seed=1)] != [strip.photos for strip in strips]
