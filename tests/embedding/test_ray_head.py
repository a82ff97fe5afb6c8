"""A local Ray cluster that does not start is one line; one that does: tests/embedding/test_ray_cluster.py."""

import sys

import pytest

from handnet.embedding.ray_head import start_ray
from handnet.errors import ClusterError


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-token-of-the-tests-that-is-long-enough")


def fail(**settings: object) -> str:
    with pytest.raises(ClusterError) as caught, start_ray(settings):
        pass
    return str(caught.value)


def test_what_ray_says_is_one_line() -> None:
    pytest.importorskip("ray", reason="pip install 'handnet[cluster]'")
    line = fail(no_setting=1)
    assert line.startswith("A local cluster cannot be started: ")
    assert "no_setting" in line
    assert "Then repeat later, or leave out --cluster." in line
    assert "\n" not in line


def test_a_process_that_ends_at_once_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert fail().startswith("A local cluster cannot be started: its process ended. ")
