"""Embeddings files: written, read, and every way of being wrong."""

import dataclasses

import numpy as np
import pytest

from handnet.data.example import Example
from handnet.errors import ConfigError, EvaluationError
from handnet.metrics.embedded import (
    VECTOR_FORMATS,
    check_disjoint,
    check_same_model,
    label_embeddings,
    load_part,
    make_part,
)
from tests.metrics.oracles import draw_part


def draw():
    embeddings, identities, views = draw_part(np.random.default_rng(0))
    attributes = [{"age": "21", "note": '<script>"é'}] * len(views)
    return make_part(
        embeddings, identities, views, ["left"] * len(views), attributes, [f"{i}.jpg" for i in range(len(views))], "x"
    )


@pytest.fixture(params=VECTOR_FORMATS)
def suffix(request):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return request.param


def test_a_part_survives_saving(tmp_path, suffix):
    part = dataclasses.replace(draw(), model="a1b2")
    part.save(tmp_path / "out" / f"embeddings{suffix}")
    again = load_part(tmp_path / "out" / f"embeddings{suffix}")
    np.testing.assert_array_equal(again.embeddings, part.embeddings)
    assert again.embeddings.dtype == np.float32
    assert again.identities.tolist() == part.identities.tolist()
    assert again.views.tolist() == part.views.tolist()
    assert (again.attributes, again.paths, again.name, again.model) == (part.attributes, part.paths, "x", "a1b2")
    assert again.hands[0] == f"{part.identities[0]} left"
    assert again.select(np.arange(2)).model == "a1b2"


def test_photos_without_labels_are_written_and_not_evaluated(tmp_path, suffix):
    examples = [Example("/a/é.jpg", ""), Example("/a/2.jpg", "")]
    label_embeddings(np.eye(2, 4, dtype=np.float32), examples).save(tmp_path / f"x{suffix}")
    found = VECTOR_FORMATS[suffix].read(tmp_path / f"x{suffix}")
    assert sorted(found) == ["embeddings", "model", "name", "paths"]
    assert found["paths"].tolist() == ["/a/é.jpg", "/a/2.jpg"]
    with pytest.raises(
        EvaluationError, match=r"Missing: identities, views\..*embed a folder whose photos have a table"
    ):
        load_part(tmp_path / f"x{suffix}")


def test_a_parquet_file_has_a_row_for_each_photo(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    examples = [Example("/a/é.jpg", "7", "dorsal", "left", {"gender": "female"}), Example("/a/2.jpg", "7", "palmar")]
    label_embeddings(np.eye(2, 4), examples).save(tmp_path / "x.parquet")
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert len(rows) == 2
    assert rows[0] == {
        "path": "/a/é.jpg",
        "identity": "7",
        "view": "dorsal",
        "side": "left",
        "attributes": '{"gender": "female"}',
        "embedding": [1.0, 0.0, 0.0, 0.0],
    }


def test_what_was_seen_is_a_column_of_its_own_type(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    seen = {"seen_views": np.array(["palmar", "dorsal"]), "hand_scores": np.array([0.5, 1.0])}
    label_embeddings(np.eye(2, 4), [Example("a", ""), Example("b", "")]).save(tmp_path / "x.parquet", seen)
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert [(row["seen_view"], row["hand_score"]) for row in rows] == [("palmar", 0.5), ("dorsal", 1.0)]


def test_parquet_files_of_other_programs_are_read_or_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as parquet

    file = tmp_path / "e.parquet"
    labels = {"identity": ["a", "b"], "view": ["dorsal", "palmar"]}
    parquet.write_table(pyarrow.table({**labels, "embedding": [[1.0, 0.0], [0.0, 1.0]]}), file)
    assert load_part(file).embeddings.tolist() == [[1, 0], [0, 1]]
    for bad in ([[1.0, 0.0, 0.0], [1.0]], [[1.0, 0.0], None], ["x", "y"]):
        parquet.write_table(pyarrow.table({**labels, "embedding": bad}), file)
        with pytest.raises(EvaluationError, match=r"is not an \.parquet file of plain arrays, or is damaged"):
            load_part(file)
    file.write_bytes(b"PAR1")
    with pytest.raises(EvaluationError, match="or is damaged"):
        load_part(file)


def test_other_kinds_of_files_are_named(tmp_path):
    for act in (draw().save, load_part):
        with pytest.raises(ConfigError, match=r"ends with \.npz or \.parquet\. Received: '.*e\.csv'"):
            act(tmp_path / "e.csv")
    with pytest.raises(EvaluationError, match=r"no vectors at '.*parts'\. Expected a file .* or the folder"):
        load_part(tmp_path / "parts")
    assert not list(tmp_path.iterdir())


def test_vectors_of_two_models_are_refused():
    one, other = (
        make_part(np.eye(2, width), ["a", "b"], ["dorsal", "palmar"], model=model)
        for width, model in ((4, "1" * 64), (4, "2" * 64))
    )
    check_same_model(one, one)
    check_same_model(one, dataclasses.replace(other, model=""))
    with pytest.raises(
        EvaluationError, match=r"same model\. Received: those of the weights 111111111111… and 222222222222…"
    ):
        check_same_model(one, other)
    wide = make_part(np.eye(2, 512), ["a", "b"], ["dorsal", "palmar"])
    with pytest.raises(EvaluationError, match=r"vectors of 512 numbers for validation and of 4 for the test"):
        check_same_model(wide, one)


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


def test_an_id_that_became_a_number_does_not_hide_an_overlap():
    one, other = (make_part(np.eye(2), ids, ["dorsal", "palmar"]) for ids in ([1, 2], [1.0, 3.0]))
    with pytest.raises(EvaluationError, match=r"1 people in both \(0000001\)"):
        check_disjoint(one, other)


def test_a_row_without_a_person_is_refused_and_a_column_of_labels_is_read(tmp_path):
    file, views = tmp_path / "e.npz", np.array([["dorsal"], ["palmar"]])
    np.savez(file, embeddings=np.eye(2), identities=np.array([1.0, np.nan]), views=views)
    with pytest.raises(EvaluationError, match=r"must name the person of each row. Received: 'nan' in row 1"):
        load_part(file)
    np.savez(file, embeddings=np.eye(2), identities=np.array([["a"], ["b"]]), views=views)
    assert load_part(file).identities.tolist() == ["a", "b"]
