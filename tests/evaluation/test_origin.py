from dataclasses import replace
from pathlib import Path

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.data.readers.hands11k import read_hands11k
from handnet.evaluation.origin import describe_origin, find_difference
from tests.photos import write_jpeg
from tests.tiny import tiny_config, write_tiny


def test_figures_are_known_by_their_weights_photos_and_labels(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS_FILE).write_bytes(b"weights")
    run = Run(tmp_path, tiny_config(), {})
    dataset = read_hands11k(write_tiny(tmp_path / "d", num_people=4))
    kept = {"seed": 0, **describe_origin(run, dataset, dataset.examples)}
    assert kept["data"]["num_photos"] == len(dataset.examples)
    assert find_difference(kept, describe_origin(run, dataset, dataset.examples)) == ""

    (tmp_path / "d").rename(tmp_path / "moved")
    moved = read_hands11k(tmp_path / "moved")
    assert find_difference(kept, describe_origin(run, moved, moved.examples)) == "", "the same photos elsewhere"

    corrected = [replace(moved.examples[0], identity="somebody else"), *moved.examples[1:]]
    difference = find_difference(kept, describe_origin(run, moved, corrected))
    assert difference == f"it was computed on other photos or labels, those in {str(tmp_path / 'd')!r}"
    write_jpeg(Path(moved.examples[0].path))
    assert "other photos" in find_difference(kept, describe_origin(run, moved, moved.examples))
    (tmp_path / WEIGHTS_FILE).write_bytes(b"trained further")
    assert find_difference(kept, describe_origin(run, moved, corrected)) == "it was computed with other weights"
    assert find_difference({"weights": kept["weights"]}, kept).startswith("it does not say from which photos")
