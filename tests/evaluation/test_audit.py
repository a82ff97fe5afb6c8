"""The audit on photos whose hand and whose background are known."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from handnet.config.image import ImageConfig
from handnet.errors import EvaluationError
from handnet.evaluation.alterations import ALTERATIONS, Alteration, read_altered
from handnet.evaluation.audit import audit_part, format_audit
from handnet.images.decode import read_photo
from handnet.images.photo_store import build_decoder
from handnet.metrics.embedded import make_part

CONFIG = ImageConfig(size_px=48)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """Eight people whose photos share a background tint of their own; their hands are all alike."""
    folder, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    rows = []
    for person in range(8):
        tint = np.array([200 + 7 * person, 255 - 6 * person, 215 + 5 * (person * 3 % 8)])
        for view in ("dorsal", "palmar"):
            for k in range(2):
                photo = np.tile(tint, (60, 80, 1)) + generator.normal(0, 1, (60, 80, 3))
                top, left = generator.integers(0, 6), generator.integers(25, 32)
                photo[: 34 + top, left : left + 22] = (150, 95, 70)
                for finger in range(4):
                    photo[34 + top : 50 + top, left + 6 * finger : left + 6 * finger + 4] = (150, 95, 70)
                path = folder / f"{person}{view}{k}.png"
                Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(path)
                rows.append((str(path), f"p{person}", view, {"accessories": str(int(person == 0)), "nailPolish": "0"}))
    paths, people, views, attributes = map(list, zip(*rows, strict=True))
    return make_part(np.tile(np.eye(1, 4), (len(rows), 1)), people, views, None, attributes, paths)


def embed_background(batches):
    """A model that looks at nothing but the colour of the corner."""
    images = np.concatenate(list(batches)).astype(np.float32)
    vectors = images[:, 12:16, 2:6].mean(axis=(1, 2)) - 128.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def quick(monkeypatch):
    """Two alterations in place of the segmentation's: as it is, and nothing but white."""
    white = Alteration("White", "Nothing.", lambda photo, config: 0 * ALTERATIONS["whole"].apply(photo, config) + 255.0)
    monkeypatch.setattr("handnet.evaluation.audit.ALTERATIONS", {"whole": ALTERATIONS["whole"], "white": white})
    monkeypatch.setitem(ALTERATIONS, "white", white)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_an_audit_evaluates_each_alteration(part):
    steps = []
    audit = audit_part(
        embed_background,
        part,
        CONFIG,
        num_replicates=50,
        progress=lambda title: lambda done, total: steps.append((title, done, total)),
    )
    found = {
        name: condition["person_template"]["dorsal_to_palmar"]["recall_at_1"]
        for name, condition in audit["conditions"].items()
    }
    assert found == {"whole": 1, "white": 0, "bare": 1}  # all white alike: ties count against the query
    assert ("Whole photo", 32, 32) in steps
    bare = audit["conditions"]["bare"]["person_template"]["dorsal_to_palmar"]
    assert bare["num_people"] == 7
    assert bare["chance"]["recall_at_1"] == pytest.approx(1 / 7)
    json.dumps(audit, allow_nan=False)
    table = format_audit(audit)
    assert "No rings, no nail polish" in table
    assert "12.5" in table  # chance of eight people


@pytest.fixture(scope="module")
def audited(part):
    """An audit of a model of the background, and what it was shown: the first two photos of each alteration."""
    seen = []

    def embed(batches):
        images = np.concatenate(list(batches))
        seen.append(images[:2].astype(int))
        return embed_background([images])

    audit = audit_part(embed, part, CONFIG, num_replicates=20)
    assert list(audit["conditions"]) == [*ALTERATIONS, "bare"]
    return audit, dict(zip(ALTERATIONS, seen, strict=True))


@pytest.mark.slow
def test_a_model_of_the_background_is_found_out(audited):
    audit, _ = audited
    found = {n: c["person_template"]["dorsal_to_palmar"]["recall_at_1"] for n, c in audit["conditions"].items()}
    assert found["whole"] == found["background"] == 1
    assert found["hand"] == found["silhouette"] == 0


@pytest.mark.slow
def test_alterations_take_away_what_they_say(audited):
    _, seen = audited
    whole, grey, silhouette, background = (seen[name] for name in ("whole", "grey", "silhouette", "background"))
    assert whole.shape == (2, 48, 48, 3)
    assert np.ptp(grey, axis=-1).max() == 0
    skin = np.abs(whole - (150, 95, 70)).max(axis=-1) < 12
    assert skin.mean() > 0.1
    assert (silhouette[skin].mean(axis=-1) < 128).mean() > 0.9
    assert (background[skin].min(axis=-1) > 190).all()
    hand = seen["hand"]
    assert hand[:, 0, 0].min() == 255
    assert (np.abs(hand - (150, 95, 70)).max(axis=-1) < 25).mean() > 0.15


@pytest.mark.slow
@pytest.mark.parametrize("crop", ["none", "middle"])
def test_the_whole_photo_is_what_the_run_sees(crop, tmp_path):
    """A photo large enough that the JPEG library scales it down, by another ratio for the middle than for the whole."""
    path, generator = tmp_path / "noise.jpg", np.random.default_rng(3)
    Image.fromarray(generator.integers(0, 256, (400, 300, 3), np.uint8)).save(path, quality=95)
    config = ImageConfig(size_px=48, crop=crop)
    seen, problem = build_decoder(config)(path.read_bytes())
    assert problem == ""
    (altered,) = np.concatenate(list(read_altered([str(path)], config, "whole")))
    np.testing.assert_array_equal(altered, seen)


def test_a_run_that_crops_is_audited_as_it_crops(part):
    config = ImageConfig(size_px=48, crop="hand")
    # Not as graphs, which take seconds to trace each; the others are made of the same parts: grey of the whole, e.g.
    photo = read_photo(tf.io.read_file(part.paths[0]), config)
    images = {name: ALTERATIONS[name].apply(photo, config).numpy() for name in ("whole", "hand", "background")}
    np.testing.assert_array_equal(images["whole"], np.round(images["hand"]))
    assert not np.array_equal(images["background"], images["whole"])


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_an_audit_needs_files_and_says_what_data_do_not(part):
    nameless = make_part(part.embeddings, part.identities, part.views)
    with pytest.raises(EvaluationError, match="needs their files. Received: 32 of 32 photos without a path"):
        audit_part(embed_background, nameless, CONFIG)
    silent = make_part(part.embeddings, part.identities, part.views, None, None, part.paths)
    audit = audit_part(embed_background, silent, CONFIG, num_replicates=20)
    assert "does not say who wears what" in audit["conditions"]["bare"]["refused"]
    assert "does not say who wears what" in format_audit(audit)
