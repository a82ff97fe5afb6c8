"""What an administrator does over the API: check, log, backup, forget; and a file of keys that is damaged meanwhile."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from handnet.errors import ConfigError, GalleryServerError
from handnet.gallery import Gallery
from handnet.serving.api.app import build_app
from handnet.serving.api.keys import KeyFile
from handnet.serving.api.problems import to_problem
from handnet.serving.api.service import Service
from tests.serving.api.hands import NAMES, draw
from tests.serving.api.test_routes import HANDS, check_problem, find_id, send


def test_forget_proves_that_nothing_is_left(client: TestClient) -> None:
    person = find_id(client, NAMES[0])
    done = client.post(f"{HANDS}/people/{person}/forget").json()
    assert done["num_photos"] == 1
    assert done["num_traces"] > 3
    assert done["unsearched"] == ""
    check_problem(client.get(f"{HANDS}/people/{person}"), 404)
    check_problem(client.post(f"{HANDS}/people/{person}/forget"), 404)


def test_check_names_people_who_may_be_one(client: TestClient) -> None:
    clean = client.get(f"{HANDS}/check").json()
    assert clean == {"damage": [], "same_people": [], "misplaced": [], "duplicates": []}
    send(client, "people", draw(0, "palmar", shot=1), name="Ada again", review="off")
    found = client.get(f"{HANDS}/check").json()["same_people"]
    assert {found[0]["first"], found[0]["second"]} == {"Ada again", NAMES[0]}


def test_log_is_paged_the_newest_first(client: TestClient) -> None:
    client.patch(f"{HANDS}/people/{find_id(client, NAMES[1])}", json={"name": "E. Noether"})
    log = client.get(f"{HANDS}/log", params={"limit": 2}).json()
    assert [row["action"] for row in log["entries"]] == ["rename", "add"]
    assert log["total"] == 7
    assert "Noether" not in str(log)
    rest = client.get(f"{HANDS}/log", params={"offset": 2}).json()["entries"]
    assert len(rest) == 5


def test_backup_lies_where_the_server_keeps_them(service: Service, client: TestClient, tmp_path: Path) -> None:
    assert "--backups" in check_problem(client.post(f"{HANDS}/backup"), 409)["detail"]
    service.backups = tmp_path / "backups"
    name = client.post(f"{HANDS}/backup").json()["name"]
    with Gallery.open(tmp_path / "backups" / name) as copy:
        assert [row.name for row in copy.list()] == sorted(NAMES)


def test_administration_takes_the_role(service: Service, tmp_path: Path) -> None:
    service.keys = KeyFile(tmp_path / "keys.json")
    keys = {role: {"Authorization": f"Bearer {service.keys.add(role)}"} for role in ("enrol", "admin")}
    with TestClient(build_app(service)) as client:
        for method, path in (
            ("get", "check"),
            ("get", "log"),
            ("post", "backup"),
            ("post", f"people/{'0' * 32}/forget"),
        ):
            check_problem(client.request(method, f"{HANDS}/{path}", headers=keys["enrol"]), 403)
        assert client.get(f"{HANDS}/log", headers=keys["admin"]).status_code == 200


def test_a_file_of_keys_that_is_damaged_meanwhile_lets_nobody_in(service: Service, tmp_path: Path) -> None:
    service.keys = KeyFile(tmp_path / "keys.json")
    admin = {"Authorization": f"Bearer {service.keys.add('admin')}"}
    with TestClient(build_app(service)) as client:
        assert client.get(f"{HANDS}/people", headers=admin).status_code == 200
        (tmp_path / "keys.json").write_text("{")
        problem = check_problem(client.get(f"{HANDS}/people", headers=admin), 503)
        assert "keys.json" not in problem["detail"]
        assert client.get("/v1/health").status_code == 200


def test_a_key_is_not_revoked_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"There is no API key '3f2a': this server has none\. Make one with --add-key"
    ):
        KeyFile(tmp_path / "keys.json").revoke("3f2a")


def test_a_store_that_is_gone_is_unavailable_and_its_address_is_not_told() -> None:
    problem = to_problem(GalleryServerError("The server milvus+http://10.0.0.7:19530 does not answer."))
    assert problem.status_code == 503
    assert "10.0.0.7" not in problem.detail
