"""What is published, as the backbones' entries say it."""

import re
from pathlib import Path

from handnet.networks.backbones import BACKBONES
from handnet.networks.weights.catalogue import collect_published, list_published


def test_every_published_backbone_exists_and_says_where_its_weights_are():
    trial = {
        "hand",
        "hand-photo",
        "hand-landmarks",
        "photo-colours",
        "mini",
        "small",
        "dino-tiny",
        "dino-tiny-reg",
        "dino3-tiny",
        "dino3-tiny-plus",
    }
    joined = {arch for arch, backbone in BACKBONES.items() if backbone.joins_sources}
    # Other tests of the same process may have put a backbone of their own there.
    assert set(BACKBONES) - {"tiny"} - {listed.arch for listed in collect_published().values()} - joined == trial


def test_weights_of_packages_are_shipped_or_published_with_their_package():
    names = {backbone.pip for backbone in BACKBONES.values() if backbone.pip}
    assert names
    published = collect_published()
    assert all(published[name].weights.package for name in names)


def test_the_document_lists_what_is_published():
    docs = Path(__file__).parents[3] / "docs"
    document = (docs / "backbones.md").read_text(encoding="utf-8")
    for name, arch, parameters, _size, width, trained_at, licence, _source in list_published()[1:]:
        assert f"| {name} | {arch} | {parameters} | {width} | {trained_at} | {licence} |\n" in document
    # The table of parity counts parameters at the size of pretraining too.
    document = (docs / "measurements" / "backbones.md").read_text(encoding="utf-8")
    compared = re.findall(
        r"^\| ([\w-]+) \| \w+ \| .* e?[\d.]+ \| ([\d,]+) \| (\d+) \| (.+) \|$", document, re.MULTILINE
    )
    assert len(compared) == 15
    for arch, parameters, width, licence in compared:
        figures = {(p.num_parameters, p.width, p.licence) for p in BACKBONES[arch].published.values()}
        assert (int(parameters.replace(",", "")), int(width), licence) in figures
