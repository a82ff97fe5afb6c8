"""Which addresses are allowed, and that no secret is printed."""

import pytest

from handnet.data.remote.addresses import check_address, hide_secrets, is_address, record_place
from handnet.errors import DataError


@pytest.mark.parametrize(
    "address", ["s3://bucket/a/b.jpg", "gs://bucket/a", "https://host/a.jpg?size=large", "http://127.0.0.1:8000/a.jpg"]
)
def test_allowed_addresses_are_shown_as_they_are(address: str) -> None:
    check_address(address)
    assert is_address(address)
    assert hide_secrets(address) == address
    assert record_place(address) == address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("file:///etc/passwd", "scheme 'file'"),
        ("ftp://host/a.jpg", "scheme 'ftp'"),
        ("s3://key:PASSWORD@bucket/a", "has a user or a password in it"),
        ("https://PASSWORD@host/a.jpg", "has a user or a password in it"),
        ("s3://bucket/a?secret_key=PASSWORD", "and nothing else. Another server is named by"),
        ("s3://bucket/../other/a", "and nothing else"),
        ("s3:///a", "is no address"),
        ("https://host/a b.jpg", "is no address"),
        ("https://host\\@other/a.jpg", "is no address|has a user"),
        ("https://host/\x1b[31m", "is no address"),
        ("https://[::1/a", "is no address"),
        ("https://host:port/a", "is no address"),
        ("http://169.254.169.254/latest/meta-data", "asks for its own credentials"),
        ("http://[fe80::1]/a", "asks for its own credentials"),
        ("http://metadata.google.internal./a", "asks for its own credentials"),
        ("http://2852039166/a", "asks for its own credentials"),
        ("http://0xA9FEA9FE/a", "asks for its own credentials"),
        ("http://0251.0376.0251.0376/a", "asks for its own credentials"),
        ("http://169.254.43518/a", "asks for its own credentials"),
        ("http://169.254.169.254./a", "asks for its own credentials"),
        ("http://[::ffff:169.254.169.254]/a", "asks for its own credentials"),
        ("http://[fd00:ec2::254]/a", "asks for its own credentials"),
        ("http://169\u3002254\u3002169\u3002254/a", "asks for its own credentials"),
        ("http://\u2460\u2465\u2468.254.169.254/a", "asks for its own credentials"),
    ],
)
def test_others_are_refused_in_one_line_without_their_secrets(address: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected) as refusal:
        check_address(address)
    message = str(refusal.value)
    assert "PASSWORD" not in message
    assert message.isprintable()


def test_signatures_are_not_shown() -> None:
    signed = "https://b.s3.amazonaws.com/a.jpg?X-Amz-Credential=AKIA&X-Amz-Signature=SECRET&versionId=3"
    check_address(signed)
    assert record_place(signed) == "https://b.s3.amazonaws.com/a.jpg?versionId=3"
    assert hide_secrets("https://h/a.jpg?sv=2&sig=SECRET#SECRET") == "https://h/a.jpg"
    assert hide_secrets("https://user:SECRET@h:1/a") == "https://h:1/a"
    assert hide_secrets("https://[SECRET") == "https://…"
    assert record_place("/a/\x1b.jpg") == "/a/\x1b.jpg", "a path stays what it is"
