"""How far the ports are from their reference implementations at published sizes, on real photos and drawn weights.

    python benchmarks/backbone_parity.py [--data ../shared/data] [CASE …]

The reference features come from tests/goldens/make_backbones.py --full (PyTorch); here the same weights are written in
the layout of each source, read back and run. keras.applications runs here too (cases vgg16/keras, inception-v3/keras).
Prints the rows of the table in docs/measurements/backbones.md: the largest absolute difference of any feature over three
photos, at the size of pretraining first, and for scale the largest difference between two of the photos; parameters at the
size of pretraining; the licence of the published weights. One case after the other, 4 to 40 seconds each on two cores.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, os.fspath(ROOT))

from handnet.networks.backbones import BACKBONES  # noqa: E402
from handnet.networks.backbones.build import build_backbone  # noqa: E402
from handnet.networks.backbones.parameters import count_parameters  # noqa: E402
from tests.goldens.drawn import draw_state, load_photos  # noqa: E402
from tests.networks.backbones.sources import write_source  # noqa: E402
from tests.networks.backbones.test_applications import build_theirs, write_keras_2  # noqa: E402


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    goldens = np.load(ROOT / "tests" / "goldens" / "backbones_full.npz")
    print(
        "| backbone | weights from | reference | max error (image px) | photos differ by | parameters | width | licence |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for key in goldens.files:
        case = key.removesuffix("/about")
        if not key.endswith("/about") or (arguments.cases and case not in arguments.cases):
            continue
        about = json.loads(str(goldens[key]))
        errors, spreads, totals = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            path = write_source(Path(folder), about["source"], draw_state(about["shapes"]))
            for side_px in about["sizes"]:
                model = build_backbone(
                    about["arch"], image_size_px=side_px, weights=os.fspath(path), position_rule=about["rule"]
                )
                expected = goldens[f"{case}/{side_px}/photos"]
                images = load_photos(arguments.data, side_px)
                features = [keras.ops.convert_to_numpy(model(images[i : i + 1])) for i in range(len(images))]
                errors.append(f"{np.abs(np.concatenate(features) - expected).max():.1e} ({side_px})")
                spreads.append(max(np.abs(expected[i] - expected[i - 1]).max() for i in range(len(expected))))
                totals.append(count_parameters(model)[0] - 6)
                del model
        print_row(about["arch"], about["source"], about["peer"], errors, min(spreads), totals[0], expected.shape[1])
    for arch, sizes in (("vgg16", (224,)), ("inception-v3", (299, 224))):
        if not arguments.cases or f"{arch}/keras" in arguments.cases:
            compare_with_keras(arch, sizes, arguments.data)


def compare_with_keras(arch: str, sizes: tuple[int, ...], data: Path) -> None:
    """Print the row of a network of keras.applications, which is run next to ours."""
    errors, spreads, totals = [], [], []
    for side_px in sizes:
        network, theirs = build_theirs(arch, side_px)
        with tempfile.TemporaryDirectory() as folder:
            write_keras_2(network, Path(folder) / "notop.h5")
            model = build_backbone(arch, image_size_px=side_px, weights=os.fspath(Path(folder) / "notop.h5"))
        images = load_photos(data, side_px)
        expected = keras.ops.convert_to_numpy(theirs(images.astype("float32")))
        errors.append(f"{np.abs(keras.ops.convert_to_numpy(model(images)) - expected).max():.1e} ({side_px})")
        spreads.append(max(np.abs(expected[i] - expected[i - 1]).max() for i in range(len(expected))))
        totals.append(count_parameters(model)[0] - 6)
    print_row(
        arch, "keras", f"keras.applications {keras.version()}", errors, min(spreads), totals[0], expected.shape[1]
    )


def print_row(arch: str, source: str, peer: str, errors: list[str], spread: float, total: int, width: int) -> None:
    """Print one row of the table."""
    # VGG16 was published twice, under two licences.
    licence = next(p.licence for p in BACKBONES[arch].published.values() if source != "keras" or "keras" in p.url)
    print(
        f"| {arch} | {source} | {peer} | {', '.join(errors)} | {spread:.2g} | {total:,} | {width} | {licence} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
