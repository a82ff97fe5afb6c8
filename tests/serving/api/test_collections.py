"""Collections over the API: made like another one, and deleted for good."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from handnet.errors import ConfigError, GalleryError
from handnet.gallery import Gallery
from handnet.gallery.protection import Key
from handnet.serving.api.app import build_app
from handnet.serving.api.batching import BatchingEncoder
from handnet.serving.api.keys import KeyFile
from handnet.serving.api.limits import Limits
from handnet.serving.api.service import Collection, Service
from tests.serving.api.hands import PhotoEncoder, calibrate, draw
from tests.serving.api.test_routes import HANDS, check_problem, find_id, send

COLLECTIONS = "/v1/collections"


@pytest.fixture
def service(service: Service, tmp_path: Path) -> Service:
    service.root = tmp_path / "root"
    service.root.mkdir()
    return service


def make(client: TestClient, name: str = "lab", **more: object) -> Any:
    return client.post(COLLECTIONS, json={"name": name, "like": "hands", **more})


def delete(client: TestClient, name: str, confirm: str) -> Any:
    return client.delete(f"{COLLECTIONS}/{name}", params={"confirm": confirm})


def list_names(client: TestClient) -> list[str]:
    return [row["name"] for row in client.get(COLLECTIONS).json()]


def test_a_new_collection_has_the_model_of_another_and_nobody_in_it(client: TestClient, tmp_path: Path) -> None:
    made = make(client, keep_photos=False, review="strict")
    assert made.status_code == 201, made.text
    old = client.get(HANDS).json()
    assert made.json() == {**old, "name": "lab", "num_people": 0, "keeps_photos": False, "review": "strict"} | {
        "created": made.json()["created"]
    }
    assert list_names(client) == ["hands", "lab"]
    url = f"{COLLECTIONS}/lab"
    files = [("photos", ("1.jpg", draw(7, "palmar")))]
    assert client.post(f"{url}/people", files=files, data={"name": "Ada"}).status_code == 201
    found = client.post(f"{url}/identify", files=[("photos", ("2.jpg", draw(7)))]).json()["answers"][0]
    assert found["matches"][0]["name"] == "Ada"
    assert client.get(HANDS).json()["num_people"] == old["num_people"]
    with Gallery.open(tmp_path / "root" / "lab") as gallery:
        assert [row.name for row in gallery.list()] == ["Ada"]


@pytest.mark.parametrize("name", ["..", "a/b", "a.b", ".hidden", "-x", "", " ", "é", "x" * 65, "a\n"])
def test_a_name_that_could_leave_the_folder_is_refused(client: TestClient, tmp_path: Path, name: str) -> None:
    check_problem(make(client, name), 422)
    assert list((tmp_path / "root").iterdir()) == []


def test_names_are_given_once_and_an_unknown_model_is_refused(client: TestClient, tmp_path: Path) -> None:
    assert make(client).status_code == 201
    for name in ("lab", "LAB", "hands"):
        check_problem(make(client, name), 409)
    (tmp_path / "root" / "other").mkdir()
    check_problem(make(client, "other"), 409)
    check_problem(make(client, "new", like="nobody"), 404)
    check_problem(make(client, "new", model="x"), 422)


def test_a_server_without_a_root_folder_makes_none(service: Service, client: TestClient) -> None:
    service.root = None
    assert "--root" in check_problem(make(client), 409)["detail"]


def test_there_is_a_limit(service: Service, tmp_path: Path) -> None:
    service.limits = Limits(max_collections=2, rate_per_s=10_000, burst=10_000)
    with TestClient(build_app(service)) as client:
        assert make(client, "one").status_code == 201
        assert "At most 2" in check_problem(make(client, "two"), 409)["detail"]


def test_deletion_takes_the_name_once_more_and_leaves_nothing(client: TestClient, tmp_path: Path) -> None:
    make(client)
    url = f"{COLLECTIONS}/lab"
    client.post(f"{url}/people", files=[("photos", ("1.jpg", draw(7, "palmar")))], data={"name": "Ada"})
    assert 'collection="lab"' in client.get("/v1/metrics").text
    check_problem(client.delete(url), 422)
    check_problem(delete(client, "lab", "hands"), 422)
    assert list_names(client) == ["hands", "lab"]
    assert delete(client, "lab", "lab").status_code == 204
    assert list_names(client) == ["hands"]
    assert list((tmp_path / "root").iterdir()) == []
    check_problem(client.get(f"{url}/people"), 404)
    check_problem(delete(client, "lab", "lab"), 404)
    assert 'collection="lab"' not in client.get("/v1/metrics").text
    assert make(client).json()["num_people"] == 0, "the name is free again"


def test_the_last_collection_stays(client: TestClient) -> None:
    assert "last" in check_problem(delete(client, "hands", "hands"), 409)["detail"]
    assert find_id(client, "Ada Lovelace")


def test_a_collection_that_another_process_has_open_is_served_as_before(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handnet.gallery.stores.sqlite._DELETE_TIMEOUT_MS", 50)
    make(client)
    with Gallery.open(tmp_path / "root" / "lab"):
        problem = check_problem(delete(client, "lab", "lab"), 409)
    assert "Another process" in problem["detail"]
    assert str(tmp_path) not in problem["detail"]
    assert list_names(client) == ["hands", "lab"]
    assert client.get(f"{COLLECTIONS}/lab/people").json()["total"] == 0
    assert delete(client, "lab", "lab").status_code == 204


def test_deletion_waits_for_requests_that_work_with_it(service: Service, tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "lab", PhotoEncoder(), calibrate())
    lab = Collection("lab", gallery, service.collections["hands"].encoder)
    service.collections["lab"] = lab
    gate, order = threading.Event(), list[str]()

    def work() -> None:
        gate.wait(10)
        gallery.list()
        order.append("worked")

    async def run() -> None:
        first = asyncio.create_task(service.work(work, lab))
        await asyncio.sleep(0)
        last = asyncio.create_task(service.delete_collection(lab))
        await asyncio.sleep(0.1)
        assert (tmp_path / "lab").exists()
        with pytest.raises(Exception, match="no collection of this name"):
            service.find_collection("lab")
        gate.set()
        await asyncio.gather(first, last)

    asyncio.run(run())
    assert order == ["worked"]
    assert not (tmp_path / "lab").exists()
    service.stop()


def test_the_model_of_a_deleted_collection_is_let_go(client: TestClient, service: Service, tmp_path: Path) -> None:
    encoder = BatchingEncoder(PhotoEncoder())
    gallery = Gallery.create(tmp_path / "lab", encoder, calibrate())
    service.collections["lab"] = Collection("lab", gallery, encoder)
    assert delete(client, "lab", "lab").status_code == 204
    with pytest.raises(GalleryError, match="is stopping"):
        encoder.embed([draw(0)])
    assert send(client, "identify", draw(0)).status_code == 200


def test_a_collection_like_a_protected_one_is_protected_too(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    key = Key(b"k" * 32)
    encoder = service.collections["hands"].encoder
    sealed = Gallery.create(tmp_path / "sealed", encoder, calibrate(), key=key)
    service.collections["sealed"] = Collection("sealed", sealed, encoder)
    assert make(client, "lab", like="sealed").json()["protected"]
    with pytest.raises(GalleryError, match="protected"):
        Gallery.open(tmp_path / "root" / "lab")
    with Gallery.open(tmp_path / "root" / "lab", key=key) as gallery:
        assert gallery.header.protection["salt"] != sealed.header.protection["salt"]


def test_only_an_administrator_makes_and_deletes(service: Service, tmp_path: Path) -> None:
    service.keys = KeyFile(tmp_path / "keys.json")
    keys = {role: {"Authorization": f"Bearer {service.keys.add(role)}"} for role in ("enrol", "admin")}
    with TestClient(build_app(service)) as client:
        client.headers.update(keys["enrol"])
        check_problem(make(client), 403)
        check_problem(delete(client, "hands", "hands"), 403)
        client.headers.update(keys["admin"])
        assert make(client).status_code == 201


def test_a_level_that_is_none_is_refused(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "g", PhotoEncoder(), calibrate()) as gallery, pytest.raises(ConfigError):
        gallery.create_like(tmp_path / "h", review="lax")
