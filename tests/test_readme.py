"""The ```sh blocks of README and docs are run as written, in order, in a copy of the repository, by the code of this one.

```console blocks are not run, since they install, download or take long; tests/test_docs.py checks that what they name exists.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, ROOT, find_blocks
from tests.served_commands import ServedCommands


def list_files(*options: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    return list(filter(None, listed.stdout.split("\0")))


def copy_repository(target: Path, program: str) -> Path:
    """Copy what git would commit, and put an environment beside it that is this interpreter under bin/setup's names.

    Args:
        target: the copy.
        program: what is called as `handnet`.
    """
    for name in list_files("--cached", "--others", "--exclude-standard"):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    programs = target / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("python", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'), ("handnet", program)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"PATH={shlex.quote(str(programs))}:$PATH\nexport PATH\n")
    stamp = subprocess.run(["cksum", "setup.cfg", "pyproject.toml"], cwd=target, capture_output=True, check=True)
    (target / ".venv" / ".installed-plain").write_bytes(stamp.stdout.rstrip(b"\n"))
    return target


def test_nothing_that_the_package_needs_is_left_out_of_the_repository() -> None:
    ignored = list_files("--others", "--ignored", "--exclude-standard", "handnet", "configs")
    assert [name for name in ignored if "__pycache__" not in name] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if find_blocks(path.read_text(), "sh")], ids=lambda path: path.name
)
def test_the_commands_of_the_document_run_as_written(
    document: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = ServedCommands(capfd, monkeypatch)
    copy = copy_repository(tmp_path / "handnet", commands.program)
    # No handnet is on the path: the document has to activate the environment.
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "handnet").exists()]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    for number, block in enumerate(find_blocks(document.read_text(encoding="utf-8"), "sh")):
        printed = tmp_path / f"{number}.txt"
        with printed.open("w") as file:
            shell = subprocess.Popen(
                ["sh", "-eu", "-c", block],
                cwd=copy,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            commands.serve(lambda shell=shell: shell.poll() is not None)
        assert shell.returncode == 0, f"{block}\nprinted:\n{printed.read_text()[-6000:]}"
    commands.close()
