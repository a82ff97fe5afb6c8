"""What the API answers: people, questions, explorer, and how it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from handnet.errors import GalleryError
from handnet.serving.api.app import build_app
from handnet.serving.api.problems import hide_paths, to_problem
from handnet.serving.api.service import Service
from tests.gallery.simulated import draw_vector
from tests.serving.api.hands import NAMES, draw, make_service

HANDS = "/v1/collections/hands"


def send(client: TestClient, path: str, *photos: bytes, **fields: object) -> Any:
    files = [("photos", (f"{number}.jpg", photo)) for number, photo in enumerate(photos, 1)]
    return client.post(f"{HANDS}/{path}", files=files, data={name: str(value) for name, value in fields.items()})


def find_id(client: TestClient, name: str) -> str:
    return str(next(row["id"] for row in client.get(f"{HANDS}/people").json()["people"] if row["name"] == name))


def check_problem(response: Any, status: int) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    return response.json()


def test_a_back_finds_the_enrolled_palm_and_a_stranger_nobody(client: TestClient) -> None:
    answers = send(client, "identify", draw(0), draw(40), top=3).json()["answers"]
    assert [answer["name"] for answer in answers] == ["Ada Lovelace", ""]
    assert [answer["photo"] for answer in answers] == ["1.jpg", "2.jpg"]
    first = answers[0]
    assert len(first["matches"]) == 3
    assert first["matches"][0]["probability"] > 0.9
    assert first["hand"] == {"view": "dorsal", "side": "left"}
    assert first["matches"][0]["picture"]
    assert answers[1]["nobody"] > 0.9


def test_the_probability_of_the_threshold_is_where_the_first_match_is_named(client: TestClient) -> None:
    for photo in (draw(0), draw(40), draw(2, shot=1)):
        answer = send(client, "identify", photo).json()["answers"][0]
        best = answer["matches"][0]
        assert (best["probability"] >= answer["threshold"]["probability"]) == best["accepted"]


def test_what_is_no_photo_has_a_problem_and_does_not_spoil_the_others(client: TestClient) -> None:
    answers = send(client, "identify", b"text", draw(1)).json()["answers"]
    assert answers[0]["problem"]
    assert answers[1]["name"] == NAMES[1]


def test_verify_says_yes_to_the_person_and_no_to_another(client: TestClient) -> None:
    person = find_id(client, "Ada Lovelace")
    answers = send(client, "verify", draw(0), draw(1), person=person).json()["answers"]
    assert [answer["same"] for answer in answers] == [True, False]


def test_a_photo_without_an_answer_has_no_numbers(client: TestClient) -> None:
    person = find_id(client, "Ada Lovelace")
    identified = send(client, "identify", draw(0), b"text").json()["answers"][1]
    assert (identified["nobody"], identified["matches"]) == (None, [])
    verified = send(client, "verify", b"text", person=person).json()["answers"][0]
    compared = send(client, "compare", draw(0), b"text").json()
    for answer in (verified, compared):
        assert answer["problem"]
        assert {answer[name] for name in ("same", "probability", "log_ratio", "similarity", "threshold")} == {None}


def test_compare_gives_the_pair_and_the_distributions(client: TestClient) -> None:
    same = send(client, "compare", draw(0), draw(0, "palmar")).json()
    other = send(client, "compare", draw(0), draw(1, "palmar")).json()
    assert (same["same"], other["same"]) == (True, False)
    assert same["similarity"] == pytest.approx(float(draw_vector(0) @ draw_vector(0, "palmar")), abs=1e-6)
    spread = same["distributions"]
    assert len(spread["edges"]) == len(spread["genuine"]) + 1
    assert sum(spread["genuine"]) == pytest.approx(1)
    assert sum(spread["impostor"]) == pytest.approx(1)
    middles = np.add(spread["edges"][1:], spread["edges"][:-1]) / 2
    assert middles @ spread["genuine"] > middles @ spread["impostor"] + 0.3
    check_problem(send(client, "compare", draw(0)), 422)


def test_embed_gives_the_encoders_vectors(client: TestClient) -> None:
    rows = send(client, "embed", draw(3), b"text").json()["embeddings"]
    assert np.allclose(rows[0]["vector"], draw_vector(3), atol=1e-6)
    assert rows[1]["vector"] == []
    assert rows[1]["problem"]


def test_a_person_is_enrolled_shown_renamed_and_removed(client: TestClient) -> None:
    response = send(client, "people", draw(9), draw(9, "palmar"), name="  Rosalind   Franklin ")
    assert response.status_code == 201
    done = response.json()
    assert (done["name"], done["is_new"], len(done["accepted"])) == ("Rosalind Franklin", True, 2)
    person = f"{HANDS}/people/{done['person']}"
    shown = client.get(person).json()
    assert [photo["hand"]["view"] for photo in shown["photos"]] == ["dorsal", "palmar"]
    photo = f"{person}/photos/{shown['photos'][0]['id']}"
    picture = client.get(f"{photo}/picture")
    assert (picture.content, picture.headers["content-type"]) == (draw(9), "image/jpeg")
    assert client.delete(photo).status_code == 204
    check_problem(client.delete(photo), 404)
    assert client.patch(person, json={"name": "R. Franklin"}).status_code == 204
    assert client.get(person).json()["name"] == "R. Franklin"
    check_problem(client.patch(person, json={"name": "ada lovelace"}), 409)
    assert client.delete(person).status_code == 204
    check_problem(client.get(person), 404)
    assert client.get(f"{HANDS}/people").json()["total"] == 6


def test_refused_photos_have_their_reasons_and_nobody_is_enrolled(client: TestClient) -> None:
    response = send(client, "people", draw(0, "palmar"), b"text", name="Impostor")
    assert response.status_code == 200
    assert len(response.json()["refused"]) == 2
    assert client.get(f"{HANDS}/people", params={"search": "impostor"}).json()["total"] == 0


def test_two_people_are_merged_and_photos_added(client: TestClient) -> None:
    first, second = find_id(client, NAMES[0]), find_id(client, NAMES[1])
    assert client.post(f"{HANDS}/people/{first}/merge", json={"other": second}).json() == {"num_photos": 1}
    added = send(client, f"people/{first}/photos", draw(0))
    assert added.status_code == 201
    assert len(client.get(f"{HANDS}/people/{first}").json()["photos"]) == 3


def test_people_are_listed_by_pages(client: TestClient) -> None:
    page = client.get(f"{HANDS}/people", params={"offset": 2, "limit": 2}).json()
    assert [row["name"] for row in page["people"]] == list(NAMES[2:4])
    assert page["total"] == 6


def test_pictures_are_not_there_where_photos_are_not_kept(tmp_path: Path) -> None:
    with TestClient(build_app(make_service(tmp_path, keep_photos=False))) as client:
        person = find_id(client, NAMES[0])
        photo = client.get(f"{HANDS}/people/{person}").json()["photos"][0]
        assert not photo["has_picture"]
        check_problem(client.get(f"{HANDS}/people/{person}/photos/{photo['id']}/picture"), 404)
        assert send(client, "identify", draw(0)).json()["answers"][0]["matches"][0]["picture"] == ""


def test_the_explorer_ranks_the_other_view(client: TestClient) -> None:
    part = client.get("/v1/explorer").json()
    assert (part["num_people"], part["num_dorsal"], part["num_palmar"]) == (8, 8, 8)
    row = part["people"][2]["photos"][0]
    found = client.get(f"/v1/explorer/photos/{row}", params={"top": 5}).json()
    assert len(found["neighbours"]) == 5
    assert found["neighbours"][found["rank"] - 1]["right"]
    similarities = [near["similarity"] for near in found["neighbours"]]
    assert similarities == sorted(similarities, reverse=True)
    assert client.get(f"/v1/explorer/photos/{row}/picture").headers["content-type"] == "image/jpeg"
    check_problem(client.get("/v1/explorer/photos/999"), 404)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"top": 0}, "top"),
        ({"top": "many"}, "top"),
        ({"fpir": 2}, "fpir"),
        ({"fpir": "nan"}, "fpir"),
        ({"view": "front"}, "view"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_fields_that_are_unknown_or_out_of_range_are_named(
    client: TestClient, fields: dict[str, object], at: str
) -> None:
    problem = check_problem(send(client, "identify", draw(0), **fields), 422)
    assert [error["at"] for error in problem["errors"]] == [at]


def test_unknown_json_fields_are_refused(client: TestClient) -> None:
    person = find_id(client, NAMES[0])
    problem = check_problem(client.patch(f"{HANDS}/people/{person}", json={"name": "B", "id": "x"}), 422)
    assert problem["errors"][0]["at"] == "body.id"


def test_a_rate_that_the_calibration_cannot_carry_is_refused_in_words(client: TestClient) -> None:
    assert "calibration people" in check_problem(send(client, "identify", draw(0), fpir=0.0001), 422)["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/v1/collections/none", 404),
        (f"{HANDS}/people/xyz", 422),
        (f"{HANDS}/people/{'0' * 32}", 404),
    ],
)
def test_what_is_not_there_is_a_problem(client: TestClient, path: str, status: int) -> None:
    check_problem(client.get(path), status)


def test_other_content_is_refused(client: TestClient) -> None:
    check_problem(client.post(f"{HANDS}/identify", json={}), 415)
    form = {"content-type": "multipart/form-data"}
    check_problem(client.post(f"{HANDS}/identify", content=b"x", headers=form), 400)
    form = {"content-type": "multipart/form-data; boundary=b"}
    check_problem(client.post(f"{HANDS}/identify", content=b"--b\r\nbroken", headers=form), 422)
    check_problem(client.put(f"{HANDS}/people"), 405)
    check_problem(client.post(f"{HANDS}/identify", files=[("pictures", draw(0))]), 422)


def test_a_defect_says_nothing_of_the_inside(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    def fail(photos: object) -> None:
        raise RuntimeError("secret /home/somebody/photo.jpg")

    with TestClient(build_app(service), raise_server_exceptions=False) as client:
        service.collections["hands"].encoder._encoder.embed = fail  # type: ignore[method-assign, assignment]
        problem = check_problem(send(client, "identify", draw(0)), 500)
    assert "secret" not in str(problem)
    assert "secret" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_errors_of_the_gallery_hide_paths() -> None:
    message = "The gallery '/srv/data/people' is damaged: page 3 of /srv/data/people/gallery.sqlite. See http://a/b."
    assert hide_paths(message) == "The gallery '…' is damaged: page 3 of …. See http://a/b."
    assert "/srv" not in to_problem(GalleryError(message)).detail


def test_health_ready_and_metrics(client: TestClient) -> None:
    assert client.get("/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/ready").json() == {"status": "ready"}
    send(client, "identify", draw(0))
    text = client.get("/v1/metrics").text
    route = 'route="/v1/collections/{collection}/identify"'
    assert f'handnet_requests_total{{method="POST",{route},status="200"}} 1.0' in text
    assert 'handnet_people{collection="hands"} 6.0' in text


def test_the_schema_describes_every_route(client: TestClient) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert len(paths) >= 15
    form = paths["/v1/collections/{collection}/people"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    assert form["required"] == ["photos", "name"]
    assert form["additionalProperties"] is False
