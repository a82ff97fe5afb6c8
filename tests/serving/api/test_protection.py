"""Keys, roles, limits, hosts, origins, headers."""

from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from handnet.errors import ConfigError, GalleryError
from handnet.serving.api.app import build_app
from handnet.serving.api.keys import KeyFile
from handnet.serving.api.limits import Limits, RateLimit
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Service
from tests.serving.api.hands import draw, make_service
from tests.serving.api.test_routes import HANDS, check_problem, find_id, send


def test_a_key_file_is_private_holds_no_key_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = KeyFile(path)
    key = keys.add("enrol")
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.split("_")[2] not in path.read_text()
    other = KeyFile(path)
    found = other.find(key)
    assert found is not None
    assert found.role == "enrol"
    for wrong in ("", key[:-1], key[:-1] + ("0" if key[-1] != "0" else "1"), "hn_000000000000_" + key.split("_")[2]):
        assert other.find(wrong) is None
    keys.revoke(found.id)
    assert other.find(key) is None
    with pytest.raises(ConfigError, match="role"):
        keys.add("owner")


def test_a_key_file_that_others_may_read_or_that_is_malformed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyFile(path).add("read")
    path.chmod(0o644)
    with pytest.raises(GalleryError, match="chmod 600"):
        KeyFile(path)
    path.write_text("{}")
    path.chmod(0o600)
    with pytest.raises(GalleryError, match="cannot be read"):
        KeyFile(path)


def test_each_role_may_do_its_own(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    made = {role: {"authorization": f"Bearer {keys.add(role)}"} for role in ("read", "enrol", "admin")}
    with TestClient(build_app(make_service(tmp_path, keys=keys))) as client:
        assert client.get("/v1/health").status_code == 200
        answer = client.get(f"{HANDS}/people")
        check_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        check_problem(client.get(f"{HANDS}/people", headers={"authorization": "Bearer no"}), 401)
        client.headers.update(made["read"])
        person = find_id(client, "Ada Lovelace")
        assert send(client, "identify", draw(0)).status_code == 200
        check_problem(send(client, "people", draw(9), name="X"), 403)
        check_problem(send(client, "embed", draw(9)), 403)
        client.headers.update(made["enrol"])
        assert send(client, "people", draw(9), name="X").status_code == 201
        check_problem(client.delete(f"{HANDS}/people/{person}"), 403)
        client.headers.update(made["admin"])
        assert client.delete(f"{HANDS}/people/{person}").status_code == 204
        # A key that was revoked counts no more, at once.
        for key in keys.list():
            keys.revoke(key.id)
        check_problem(client.get(f"{HANDS}/people"), 401)


def test_photos_that_are_too_many_or_too_large_are_refused(tmp_path: Path) -> None:
    limits = Limits(max_photo_bytes=30_000, max_photo_pixels=100_000, max_photos=2, max_body_bytes=90_000)
    wide = BytesIO()
    Image.new("L", (1000, 101)).save(wide, "PNG")
    with TestClient(build_app(make_service(tmp_path, limits=limits))) as client:
        assert send(client, "identify", draw(0), draw(1)).status_code == 200
        assert "pixels" in check_problem(send(client, "identify", draw(0), wide.getvalue()), 413)["detail"]
        assert "bytes" in check_problem(send(client, "identify", b"x" * 30_001), 413)["detail"]
        check_problem(send(client, "identify", draw(0), draw(1), draw(2)), 413)
        check_problem(send(client, "identify", *[b"x" * 90_000] * 2), 413)

        def stream() -> "list[bytes]":
            # Chunks say nothing of their number beforehand.
            return [b"--b\r\ncontent-disposition: form-data; name=photos; filename=a\r\n\r\n", *[b"x" * 10_000] * 10]

        form = {"content-type": "multipart/form-data; boundary=b"}
        check_problem(client.post(f"{HANDS}/identify", content=iter(stream()), headers=form), 413)


def test_the_rate_comes_back_with_time() -> None:
    now = [0.0]
    limit = RateLimit(2.0, 3, lambda: now[0])
    for _ in range(3):
        limit.take("a")
    with pytest.raises(Problem) as refused:
        limit.take("a")
    assert refused.value.status_code == 429
    limit.take("b")
    now[0] = 0.5
    limit.take("a")
    with pytest.raises(Problem):
        limit.take("a")


def test_too_many_requests_of_one_client_are_told_to_wait(tmp_path: Path) -> None:
    with TestClient(build_app(make_service(tmp_path, limits=Limits(rate_per_s=0.01, burst=3)))) as client:
        codes = [client.get("/v1/collections").status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        assert int(client.get("/v1/collections").headers["retry-after"]) > 1
        assert client.get("/v1/health").status_code == 200


def test_names_and_pages_of_others_are_refused(service: Service) -> None:
    service.hosts = frozenset({"localhost", "127.0.0.1"})
    with TestClient(build_app(service), base_url="http://127.0.0.1:8080") as client:
        assert client.get("/").status_code == 200
        check_problem(client.get("/", headers={"host": "evil.example"}), 421)
        check_problem(client.get("/v1/collections", headers={"origin": "http://evil.example"}), 403)
        check_problem(client.get("/v1/collections", headers={"origin": "null"}), 403)
        assert client.get("/v1/collections", headers={"origin": "http://127.0.0.1:8080"}).status_code == 200


def test_the_page_has_a_strict_policy_and_nothing_of_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    folder = Path("handnet/serving/page")
    for file in (row for row in folder.iterdir() if row.suffix in (".html", ".css", ".js")):
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file
        assert "https:" not in text, file
        assert "innerHTML" not in text, file
        assert client.get(f"/page/{file.name}").status_code == 200
    check_problem(client.get("/page/../api/app.py"), 404)
    check_problem(client.get("/page/%2e%2e/api/app.py"), 404)
