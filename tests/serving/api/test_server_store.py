"""The API over a gallery on a Milvus server, and what a client is told when that server goes away."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from handnet.gallery import Gallery
from handnet.serving.api.app import build_app
from handnet.serving.api.batching import BatchingEncoder
from handnet.serving.api.limits import Limits
from handnet.serving.api.service import Collection, Service
from tests.gallery.conftest import find_port, need_milvus, start_server
from tests.serving.api.hands import PhotoEncoder, calibrate, draw
from tests.serving.api.test_routes import HANDS, check_problem, find_id, send


@pytest.mark.slow
def test_the_api_works_over_a_server_and_says_when_it_is_gone(tmp_path: Path) -> None:
    need_milvus()
    port = find_port()
    server = start_server(tmp_path / "milvus", port)
    try:
        encoder = BatchingEncoder(PhotoEncoder())
        address = f"milvus+http://127.0.0.1:{port}"
        gallery = Gallery.create("hands", encoder, calibrate(), store=address)
        service = Service({"hands": Collection("hands", gallery, encoder)}, Limits(rate_per_s=10_000, burst=10_000))
        with TestClient(build_app(service)) as client:
            for number, name in enumerate(("Ada", "Emmy")):
                assert send(client, "people", draw(number, "palmar"), name=name).status_code == 201
            assert [row["name"] for row in send(client, "identify", draw(0), draw(1)).json()["answers"]] == [
                "Ada",
                "Emmy",
            ]
            person = find_id(client, "Ada")
            assert client.get(f"{HANDS}/people/{person}").json()["name"] == "Ada"
            assert send(client, "verify", draw(0), person=person).json()["answers"][0]["same"]
            assert client.patch(f"{HANDS}/people/{person}", json={"name": "Ada L."}).status_code == 204
            assert client.post(f"{HANDS}/people/{person}/forget").json()["unsearched"]
            check_problem(client.get(f"{HANDS}/people/{person}"), 404)
            assert client.get(f"{HANDS}/people").json()["total"] == 1
            server.kill()
            server.wait()
            for response in (
                send(client, "identify", draw(1)),
                send(client, "people", draw(2, "palmar"), name="Grace"),
                client.get(f"{HANDS}/people"),
            ):
                problem = check_problem(response, 503)
                assert "Traceback" not in problem["detail"]
    finally:
        server.kill()
        server.wait()
