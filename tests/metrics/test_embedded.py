"""Embeddings files: written, read, and every way of being wrong."""

import numpy as np
import pytest

from handnet.data.example import Example
from handnet.errors import EvaluationError
from handnet.metrics.embedded import check_disjoint, label_embeddings, load_part, make_part
from tests.metrics.oracles import draw_part


def draw():
    embeddings, identities, views = draw_part(np.random.default_rng(0))
    attributes = [{"age": "21", "note": '<script>"é'}] * len(views)
    return make_part(
        embeddings, identities, views, ["left"] * len(views), attributes, [f"{i}.jpg" for i in range(len(views))], "x"
    )


def test_a_part_survives_saving(tmp_path):
    part = draw()
    part.save(tmp_path / "out" / "embeddings.npz")
    again = load_part(tmp_path / "out" / "embeddings.npz")
    np.testing.assert_array_equal(again.embeddings, part.embeddings)
    assert again.identities.tolist() == part.identities.tolist()
    assert (again.attributes, again.paths, again.name) == (part.attributes, part.paths, "x")
    assert again.hands[0] == f"{part.identities[0]} left"
    np.load(tmp_path / "out" / "embeddings.npz", allow_pickle=False)["attributes"]


def test_only_embeddings_identities_and_views_are_needed(tmp_path):
    embeddings, _, views = draw_part(np.random.default_rng(0))
    np.savez(tmp_path / "e.npz", embeddings=embeddings * 3, identities=np.arange(len(views)), views=views)
    with pytest.raises(EvaluationError, match=r"unit norm.*--normalize"):
        load_part(tmp_path / "e.npz")
    part = load_part(tmp_path / "e.npz", normalize=True)
    np.testing.assert_allclose(part.embeddings, embeddings, atol=1e-6)
    assert (part.identities[3], part.sides[0], part.name) == ("3", "", "e")


def test_select_keeps_rows_together():
    part = draw()
    some = part.select(part.views == "palmar")
    assert set(some.views) == {"palmar"}
    assert [int(p.split(".")[0]) for p in some.paths] == np.flatnonzero(part.views == "palmar").tolist()


def test_examples_label_the_embeddings():
    examples = [Example("/a.jpg", "p", "dorsal", "left", {"age": "3"}), Example("/b.jpg", "q", "palmar")]
    part = label_embeddings(np.eye(2), examples, "test")
    assert part.identities.tolist() == ["p", "q"]
    assert part.sides.tolist() == ["left", ""]
    assert part.attributes == ({"age": "3"}, {})


def write_bad(path, what):
    embeddings, identities, views = draw_part(np.random.default_rng(0))
    arrays = {"embeddings": embeddings, "identities": identities, "views": views}
    match what:
        case "absent":
            return
        case "text":
            path.write_text("no archive")
            return
        case "truncated":
            np.savez(path, **arrays)
            path.write_bytes(path.read_bytes()[:-100])
            return
        case "single":
            np.save(path.with_suffix(".npy"), embeddings)
            path.with_suffix(".npy").rename(path)
            return
        case "pickle":
            arrays["identities"] = identities.astype(object)
        case "missing":
            del arrays["views"]
        case "short":
            arrays["paths"] = np.array(["a"])
        case "side":
            arrays["sides"] = np.array(["up"] * len(views))
        case "attributes":
            arrays["attributes"] = np.array(["{"] * len(views))
        case "list":
            arrays["attributes"] = np.array(["[]"] * len(views))
        case "nan":
            arrays["embeddings"] = embeddings * np.nan
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("absent", r"e\.npz' cannot be read: No such file or directory\."),
        ("text", r"is not an \.npz file of plain arrays.*numpy\.savez"),
        ("truncated", "is not an .npz file of plain arrays, or is damaged"),
        ("single", "must be an .npz file with named arrays"),
        ("pickle", "text as str arrays and not as objects"),
        ("missing", r"Missing: views\. Found: embeddings, identities"),
        ("short", r"`paths` must have one entry per embedding.*Received: 1 entries"),
        ("side", "A side must be one of: left, right, or \"\" where unknown. Received: 'up'"),
        ("attributes", "must be the text of JSON objects"),
        ("list", "must be the text of JSON objects. Received: an entry is no object"),
        ("nan", "must be finite"),
    ],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_bad_files_are_named(tmp_path, what, message, normalize):
    write_bad(tmp_path / "e.npz", what)
    with pytest.raises(EvaluationError, match=message):
        load_part(tmp_path / "e.npz", normalize=normalize)


def test_people_of_another_part_or_data_set_are_named():
    part = draw()
    with pytest.raises(EvaluationError, match=r"Received: 9 people in both \(p00, p01"):
        check_disjoint(part, part)
