"""`handnet cache`: info, clear."""

from pathlib import Path

from tests.cli.command_line import CommandLine


def test_the_cache_is_counted_and_deleted(command: CommandLine, monkeypatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE", "cache")
    monkeypatch.setenv("HANDNET_CACHE_GB", "3")
    for name in ("photos", "features"):
        Path("cache", name).mkdir(parents=True)
        Path("cache", name, "a").write_bytes(bytes(1_500_000))
    lines = command.run("cache", "info").out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["photos:", "1", "files", "1.5", "MB"],
        ["features:", "1", "files", "1.5", "MB"],
        ["models:", "0", "files", "0.0", "MB"],
        ["drawn:", "0", "files", "0.0", "MB"],
    ]
    assert "kept below 3 GB" in lines[4]
    assert command.run("cache", "clear").out == "deleted 2 files, 3.0 MB, of cache\n"
    assert not list(Path("cache").iterdir())


def test_a_limit_that_is_no_number_is_said(command: CommandLine, monkeypatch) -> None:
    monkeypatch.setenv("HANDNET_CACHE_GB", "much")
    assert "$HANDNET_CACHE_GB must be a number of gigabytes" in command.fail("cache", "info", code=2)
