"""A world of colours: a run of a tiny network that tells them apart, its export, and its data."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from handnet.data.example import Example

if TYPE_CHECKING:
    from handnet.metrics.embedded import EmbeddedPart

NUM_PEOPLE = 26


class World(NamedTuple):
    data: Path
    run: Path
    model: Path
    part: "EmbeddedPart"
    val: list[Example]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A run whose validation people are 12, the export of it, and 12 test people's vectors by the evaluation's way."""
    # Not above: most tests of the gallery need no TensorFlow.
    from handnet.config.run_folder import WEIGHTS_FILE, create_run
    from handnet.config.split import Split
    from handnet.data.readers import read_dataset
    from handnet.data.splits.rules import select_part
    from handnet.embedding.encode import embed_part
    from handnet.export.archive import export_encoder
    from handnet.networks.backbones import BACKBONES
    from handnet.networks.encoder import build_encoder, load_encoder
    from tests.tiny import tiny_backbone, tiny_config, write_tiny

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(BACKBONES, "tiny", tiny_backbone())
        folder = tmp_path_factory.mktemp("world")
        data = write_tiny(folder / "data", num_people=NUM_PEOPLE, photos_per_view=3)
        names = [f"{number:07d}" for number in range(NUM_PEOPLE)]
        facts = {
            "status": "finished",
            "data": {"directory": str(data), "fingerprint": "x", "reader": "hands11k"},
            "packages": {},
        }
        split = Split(train=tuple(names[:2]), val=tuple(names[2:14]), test=tuple(names[14:]))
        run = create_run(folder / "run", tiny_config(), facts, split)
        encoder = build_encoder(run.config)
        encoder.model.save_weights(run.folder / WEIGHTS_FILE)
        dataset = read_dataset("hands11k", data)
        paths = [example.path for example in dataset.examples[:4]]
        exported = export_encoder(load_encoder(run), run.config.image, folder / "saved_models" / "tiny", paths)
        part = embed_part(run.config, load_encoder(run), select_part(dataset, split, "test"))
        yield World(data, run.folder, exported.folder, part, select_part(dataset, split, "val"))
