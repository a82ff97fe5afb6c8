"""Galleries of real models: a run and what was exported from it give the same vectors, and the evaluation's figures."""

import json
import shutil
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageFilter

from handnet.config.run_folder import read_run
from handnet.data.blank_rule import BLANK
from handnet.errors import GalleryError
from handnet.export.exported_model import FACTS_FILE
from handnet.gallery import Gallery
from handnet.gallery.bound_models import RunEncoder, calibrate, load_model
from handnet.gallery.exported_encoder import SavedModelEncoder
from handnet.gallery.hand_look import look_at_pixels
from handnet.gallery.photo_quality import Seen, look_at_photo
from handnet.gallery.records import UNKNOWN, HandKind
from handnet.images.hand.findings import SEVERAL
from handnet.images.hand.quality_rule import NOT_ONE
from handnet.images.seen_hand import UNREADABLE
from handnet.images.unusable_photos import NO_HAND
from handnet.metrics.open_set import search_open_set
from handnet.metrics.protocols import draw_rows, rank_one_shot
from tests.gallery.world import World

pytestmark = pytest.mark.usefixtures("without_graphs")


def see_all_alike(photos: Sequence[bytes]) -> list[Seen]:
    return [Seen() for _ in photos]


@pytest.mark.slow
def test_run_and_export_are_one_model(world: World) -> None:
    run, model = RunEncoder(read_run(world.run)), SavedModelEncoder(world.model)
    assert run.digest == model.digest
    assert run.width == model.width == 8
    paths = [Path(path) for path in world.part.paths[:40]]
    for encoder in (run, model, load_model(run.source), load_model(model.source)):
        vectors = np.stack([result.vector for result in encoder.embed(paths)])
        np.testing.assert_allclose(vectors, world.part.embeddings[:40], atol=1e-5)


def test_photos_that_cannot_be_used_have_a_reason(world: World) -> None:
    good = Path(world.part.paths[0]).read_bytes()
    pixels = np.asarray(Image.open(world.part.paths[0]))
    for encoder in (RunEncoder(read_run(world.run)), SavedModelEncoder(world.model)):
        results = encoder.embed([good[:700], good, b"", b"text", pixels, pixels[..., 0], world.run / "missing.jpg"])
        reasons = [result.reason for result in results]
        assert [bool(reason) for reason in reasons] == [True, False, True, True, False, True, True]
        assert "truncated" in reasons[0]
        assert reasons[2] == "empty file"
        assert "uint8 (H, W, 3)" in reasons[5]
        assert "No such file" in reasons[6]
        np.testing.assert_allclose(results[1].vector, world.part.embeddings[0], atol=1e-5)
        np.testing.assert_allclose(results[4].vector, results[1].vector, atol=1e-4)
        Image.fromarray(pixels).save(webp := BytesIO(), "WEBP", lossless=True)
        [result] = encoder.embed([webp.getvalue()])
        np.testing.assert_allclose(result.vector, results[4].vector, atol=1e-5)
        assert encoder.embed([]) == []
        [black, white] = encoder.embed([np.full((48, 64, 3), level, np.uint8) for level in (0, 255)])
        assert (black.vector, black.reason, white.vector, white.reason) == (None, BLANK, None, BLANK)


@pytest.mark.parametrize("kind", ["run", "saved_model"])
def test_a_model_that_is_gone_or_another_thing_is_one_line(world: World, tmp_path: Path, kind: str) -> None:
    with pytest.raises(GalleryError, match="Give the gallery's model"):
        load_model({"kind": kind, "path": str(tmp_path / "gone")})
    with pytest.raises(GalleryError, match="is not a run|is not a SavedModel of handnet"):
        load_model({"kind": kind, "path": str(world.data)})


def test_one_shot_ranks_are_the_evaluation_s(world: World, tmp_path: Path) -> None:
    part, encoder = world.part, RunEncoder(read_run(world.run), look=see_all_alike)
    outcome = rank_one_shot(part, "dorsal_to_palmar", seed=3, repetitions=1)
    rows = draw_rows(np.flatnonzero(part.views == "palmar"), part.identities, 1, np.random.default_rng(3))
    # The evaluation leaves the sides aside: so do photos of which nobody says it.
    with Gallery.create(tmp_path / "g", encoder, calibrate(encoder, world.val, ""), review="off") as gallery:
        for row in rows:
            gallery.add(str(part.identities[row]), Path(part.paths[row]), view="palmar")
        photos = [Path(part.paths[row]) for row in outcome.rows]
        answers = gallery.identify(photos, top=len(rows), view="dorsal")
    ranks = []
    for answer, person in zip(answers, outcome.people, strict=True):
        cosines = {match.name: match.similarity for match in answer.matches}
        # As the evaluation counts ties: against the query.
        ranks.append(sum(cosine > cosines[str(person)] - 1e-6 for cosine in cosines.values()))
        assert [match.rank for match in answer.matches] == list(range(1, len(rows) + 1))
    # One photo in a hundred may lie within float32's rounding of another.
    assert np.mean(np.array(ranks) == outcome.ranking.ranks) >= 0.99
    assert 1.0 < np.mean(ranks) < 6.0


def test_open_set_scores_are_the_evaluation_s(world: World, tmp_path: Path) -> None:
    part, encoder = world.part, RunEncoder(read_run(world.run), look=see_all_alike)
    searches = search_open_set(part, seed=0, repetitions=1)
    enrolled = sorted(set(searches.people[searches.enrolled]))
    with Gallery.create(tmp_path / "g", encoder, calibrate(encoder, world.val, ""), review="off") as gallery:
        for name in enrolled:
            rows = np.flatnonzero((part.identities == name) & (part.views == "palmar"))
            gallery.add(str(name), [Path(part.paths[row]) for row in rows], view="palmar")
        photos = [Path(part.paths[row]) for row in np.flatnonzero(part.views == "dorsal")]
        answers = gallery.identify(photos, top=1, view="dorsal")
    assert answers[0].num_people == searches.num_gallery == len(enrolled)
    np.testing.assert_allclose([answer.matches[0].similarity for answer in answers], searches.scores, atol=1e-5)
    found = [answer.matches[0].name == person for answer, person in zip(answers, searches.people, strict=True)]
    assert np.mean(np.array(found) == searches.found) >= 0.99
    assert np.mean(searches.found[searches.enrolled]) > 0.3


def test_blur_is_seen(world: World) -> None:
    generator = np.random.default_rng(0)
    # Noise at several scales, as of skin.
    picture = sum(
        np.kron(generator.normal(size=(192 // step, 256 // step)), np.ones((step, step))) * 12 * step**0.5
        for step in (1, 2, 4, 8)
    )
    sharp = Image.fromarray(np.clip(128 + picture, 0, 255).astype(np.uint8))

    def look(image: Image.Image) -> Seen:
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "PNG")
        return look_at_photo(buffer.getvalue())

    qualities = [look(sharp.filter(ImageFilter.GaussianBlur(sigma))).quality for sigma in (0, 2, 3, 5)]
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[0] > 0.9
    assert qualities[-1] < 0.1
    assert look(sharp.filter(ImageFilter.GaussianBlur(5))).remarks == ("blurred",)
    assert "low contrast" in look(sharp.point(lambda value: 120 + value // 32)).remarks
    assert look(Image.new("RGB", (300, 200), "white")).quality == 0.0
    assert look(Image.new("RGB", (4, 4), "white")).remarks == ("blurred", "low contrast")


def test_without_the_models_that_find_hands_an_exported_model_says_what_it_sees_itself(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "1"
    shutil.copytree(world.model, folder)
    facts = json.loads((folder / FACTS_FILE).read_text())
    facts["image"] |= {"crop": "hand", "hand_finder": "landmarks"}
    (folder / FACTS_FILE).write_text(json.dumps(facts))
    seen = {
        "embeddings": np.eye(5, 8, dtype=np.float32),
        "ok": np.array([True, True, False, True, True]),
        "hand_score": np.array([1.0, 0.9, 0.0, 1.0, 1.0]),
        "view": np.array([b"dorsal", b"palmar", b"", b"palmar", b"palmar"], object),
        "side": np.array([b"left", b"right", b"", b"left", b"left"], object),
        "view_confidence": np.array([0.99, 0.6, 0.0, 0.99, 0.99]),
        "quality": np.array([1.0, 0.25, 0.0, 1.0, 0.0]),
        "finding": np.array([b"one hand", b"one hand", b"no hand", b"several hands", b"one hand"], object),
    }
    signatures = SimpleNamespace(run=lambda signature, **inputs: seen)
    encoder = SavedModelEncoder(folder, look_at_pixels, cast(Any, signatures))
    sure, unsure, none, several, unfit = encoder.embed([Path(path) for path in world.part.paths[:5]])
    assert (sure.kind, sure.quality, sure.reason) == (HandKind("dorsal", "left"), 1.0, "")
    assert (unsure.kind, unsure.quality, unsure.reason) == (UNKNOWN, 0.25, "")
    assert (none.vector, none.kind, none.reason) == (None, UNKNOWN, NO_HAND["landmarks"])
    assert (several.vector, several.reason) == (None, NOT_ONE[SEVERAL])
    assert (unfit.vector, unfit.reason) == (None, UNREADABLE)
    # Where the models are, what looks at photos has said more already.
    encoder = SavedModelEncoder(folder, see_all_alike, cast(Any, signatures))
    assert encoder.embed([Path(path) for path in world.part.paths[:5]])[0].kind == UNKNOWN
