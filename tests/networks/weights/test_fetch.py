"""Fetching over HTTP from a server of this test, and the catalogue."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from handnet.errors import ConfigError, WeightsError
from handnet.networks.backbones import BACKBONES
from handnet.networks.backbones.entry import Published
from handnet.networks.weights import fetch
from handnet.networks.weights.catalogue import SHIPPED, Listed, collect_published, list_published
from handnet.networks.weights.fetch import fetch_weights
from handnet.networks.weights.manifest import read_manifest
from handnet.networks.weights.source import read_pretrained
from tests.networks.backbones.sources import write_pth


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve a state dict as two published weights: "good" and, cut short, "cut"."""
    write_pth(tmp_path / "x.pth", {"conv1.weight": np.ones((1, 3, 1, 1), np.float32)})
    contents = (tmp_path / "x.pth").read_bytes()
    digits = hashlib.sha256(contents).hexdigest()[:8]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if "missing" in self.path:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(contents)))
            self.end_headers()
            self.wfile.write(contents[:-5] if "cut" in self.path else contents)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    names = {
        "good": f"{address}/net-{digits}.pth",
        "cut": f"{address}/cut.pth",
        "swapped": f"{address}/net-00000000.pth",
        "missing": f"{address}/missing.pth",
        "unreachable": "http://127.0.0.1:9/x.pth",
    }
    entries = {name: Listed("resnet50", Published(3, 1, 224, "BSD", url, page="a page")) for name, url in names.items()}
    monkeypatch.setattr(fetch, "collect_published", lambda: entries)
    yield contents
    server.shutdown()
    server.server_close()


def test_what_is_fetched_is_recorded_and_readable(served, tmp_path):
    seen = []
    folder = fetch_weights("good", tmp_path / "a" / "b", lambda _: lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(served), len(served))
    manifest = read_manifest(folder)
    assert (manifest.arch, manifest.licence, manifest.num_bytes) == ("resnet50", "BSD", len(served))
    assert manifest.sha256 == hashlib.sha256(served).hexdigest()
    assert manifest.source.startswith("http://127.0.0.1:")
    assert read_pretrained(folder).arch == "resnet50"
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut", "broke off after"),
        ("swapped", "SHA-256 begins with"),
        ("missing", r"answered 404 Not Found\. See a page"),
        ("unreachable", "cannot be reached"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(name, message, served, tmp_path):
    with pytest.raises(WeightsError, match=message) as caught:
        fetch_weights(name, tmp_path / "folder" / "weights")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "folder").exists()


def test_names_and_folders_that_will_not_do(tmp_path):
    with pytest.raises(ConfigError, match="Unknown weights 'dino-smal'. Did you mean 'dino-small'"):
        fetch_weights("dino-smal", tmp_path / "x")
    with pytest.raises(WeightsError, match=r"licence is accepted at https://huggingface.co/facebook/dinov3-vits16"):
        fetch_weights("dino3-small", tmp_path / "x")
    with pytest.raises(WeightsError, match="exists. Give another folder"):
        fetch_weights("dino-small", tmp_path)


def test_the_catalogue_is_whole():
    rows = list_published()
    # The header, what comes with the package, the networks that find hands, their rule, the mask's, and what is published.
    assert len(rows) == 1 + len(SHIPPED) + 3 + len(collect_published())
    assert {len(row) for row in rows} == {8}
    for name, (_, published) in collect_published().items():
        assert published.licence, name
        assert published.page.startswith("https://"), name
        assert re.fullmatch(r"https://[\w./-]+\.(pth|pt|h5)|", published.url), name
    # The network of the published baseline: torchvision's first weights.
    assert (
        BACKBONES["resnet50"].published["resnet50"].url == "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    )
    assert BACKBONES["dino"].published["dino"].url.endswith("/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth")
    assert BACKBONES["dino-giant-reg"].preset == "dinov2_with_registers_giant"
    assert BACKBONES["dino3-small-plus"].preset == "dinov3_vit_small_plus_lvd1689m"
    assert BACKBONES["small"].preset == ""
    assert json.dumps(rows)
