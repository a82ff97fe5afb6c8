"""The image of the API, as far as it can be read without Docker: what it holds, its health check, the compose file."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT

DOCKERFILE = (ROOT / "serving" / "Dockerfile").read_text(encoding="utf-8")
# https://github.com/compose-spec/compose-spec/blob/main/05-services.md, those in use.
SERVICE_FIELDS = {
    *("build", "command", "ports", "volumes", "stop_grace_period", "read_only", "tmpfs", "cap_drop", "security_opt"),
    *("deploy", "restart"),
}


def read_health_command() -> list[str]:
    (found,) = re.findall(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE, re.M)
    return [str(word) for word in json.loads(found)]


def test_everything_that_the_image_copies_is_there() -> None:
    sources = [word for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.M) for word in line.split()[:-1]]
    assert {"setup.cfg", "pyproject.toml", "handnet"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_what_it_installs_are_extras_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (named,) = re.findall(r'pip install --no-cache-dir "\.\[(.+)\]"', DOCKERFILE)
    assert set(named.split(",")) <= set(setup["options.extras_require"])
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)-slim$", DOCKERFILE, re.M)
    lowest = setup["options"]["python_requires"].partition(">=")[2].partition(",")[0]
    assert tuple(map(int, version.split("."))) >= tuple(map(int, lowest.split(".")))


def test_its_command_and_the_compose_files_are_commands_of_handnet() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is absent")
    from handnet.cli.serve import serve

    tree = yaml.safe_load((ROOT / "serving" / "gallery-compose.yml").read_text(encoding="utf-8"))
    service = tree["services"]["gallery"]
    assert set(service) <= SERVICE_FIELDS
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "not open to the network"
    context = (ROOT / "serving" / service["build"]["context"]).resolve()
    assert (context / service["build"]["dockerfile"]).is_file()
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.M)
    for words in (json.loads(command), service["command"]):
        assert words[0] == "serve"
        serve.make_context("serve", [str(word) for word in words[1:]])
    accepted_s = int(service["stop_grace_period"].removesuffix("s"))
    pytest.importorskip("fastapi")
    from handnet.serving.api.limits import Limits

    assert accepted_s > Limits().stop_timeout_s


def test_the_health_check_succeeds_at_a_running_server_and_fails_without_one(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    from tests.serving.api.hands import make_service
    from tests.serving.api.site import Site

    site = Site(make_service(tmp_path, people=1))
    program, *words = read_health_command()
    assert program == "python"
    (port,) = re.findall(r":(\d+)/$", site.address)
    command = [sys.executable, *(word.replace(":8080/", f":{port}/") for word in words)]
    assert command[1:] != words, "the port was not found in the command"
    try:
        assert subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    finally:
        site.stop()
    assert subprocess.run(command, capture_output=True, timeout=30).returncode != 0
