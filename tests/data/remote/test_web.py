"""Files on a web server."""

import ipaddress
from collections.abc import Iterator

import pytest

import handnet.data.remote.addresses
import handnet.data.remote.web
from handnet.data.remote.web import read_from_web
from handnet.errors import DataError
from tests.web_server import Web, serve_web


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serve_web() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handnet.data.remote.web, "_FIRST_WAIT_S", 0.0)


def test_a_file_is_read_whole_or_not_at_all(web: Web) -> None:
    web.files["/a.jpg"] = b"12345"
    assert read_from_web(f"{web.address}/a.jpg", 5) == (b"12345", "")
    assert read_from_web(f"{web.address}/a.jpg", 4) == (b"", "more than 4 bytes: larger than any photo")
    assert read_from_web(f"{web.address}/b.jpg", 5) == (b"", "the server has no such file (404)")


def test_a_busy_server_is_asked_again_and_one_that_refuses_is_not_the_photos_fault(web: Web) -> None:
    web.files["/busy.jpg"] = b"1"
    web.answers["/busy.jpg"] = [503, 500, 429]
    assert read_from_web(f"{web.address}/busy.jpg", 5) == (b"1", "")
    web.answers["/busy.jpg"] = [503] * 4
    with pytest.raises(DataError, match="busy.jpg' cannot be read: the server answers 503"):
        read_from_web(f"{web.address}/busy.jpg?token=SECRET".replace("?token=SECRET", ""), 5)
    web.answers["/no.jpg?sig=SECRET"] = [403]
    web.asked.clear()
    with pytest.raises(DataError, match="no.jpg' cannot be read: the server answers 403") as refusal:
        read_from_web(f"{web.address}/no.jpg?sig=SECRET", 5)
    assert "SECRET" not in str(refusal.value)
    assert len(web.asked) == 1, "no second try mends it"
    with pytest.raises(DataError, match="'http://127.0.0.1:1/a.jpg' cannot be read"):
        read_from_web("http://127.0.0.1:1/a.jpg", 5)


def test_redirects_stay_on_the_web(web: Web) -> None:
    web.files["/a.jpg"] = b"1"
    web.redirects["/moved.jpg"] = f"{web.address}/a.jpg"
    assert read_from_web(f"{web.address}/moved.jpg", 5) == (b"1", "")
    for hostile in ("file:///etc/passwd", "ftp://127.0.0.1/a", "s3://bucket/a", "http://169.254.169.254/latest"):
        web.redirects["/hostile.jpg"] = hostile
        with pytest.raises(DataError):
            read_from_web(f"{web.address}/hostile.jpg", 5)


def test_a_connection_that_breaks_off_is_no_damaged_photo(web: Web) -> None:
    web.files["/cut.jpg"] = b"12345"
    web.cut.add("/cut.jpg")
    web.asked.clear()
    with pytest.raises(DataError, match="cut.jpg' cannot be read: IncompleteRead"):
        read_from_web(f"{web.address}/cut.jpg", 5)
    assert len(web.asked) == 4, "it is asked again"


def test_an_answer_without_an_end_is_left(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.endless.add("/endless.jpg")
    monkeypatch.setattr(handnet.data.remote.web, "_LONGEST_S", 0.2)
    with pytest.raises(DataError, match=r"has not come to the end of its answer within 0\.2 s"):
        read_from_web(f"{web.address}/endless.jpg", 1_000_000)


def test_letters_of_all_scripts_are_asked_for_as_utf_8(web: Web) -> None:
    web.files["/h%C3%A4nd%201.jpg"] = b"1"
    assert read_from_web(f"{web.address}/h\u00e4nd%201.jpg", 5) == (b"1", "")


def test_a_name_that_leads_to_the_machines_credentials_is_not_asked(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.asked.clear()
    monkeypatch.setattr(handnet.data.remote.addresses, "_OWN_MACHINE_IPS", {ipaddress.ip_address("127.0.0.1")})
    with pytest.raises(DataError, match="The host 'localhost' is where a machine asks for its own credentials"):
        read_from_web(f"{web.address.replace('127.0.0.1', 'localhost')}/a.jpg", 5)
    assert not web.asked
