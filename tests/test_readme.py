"""The ```sh blocks of README and docs are run as written, in order, in a copy of the repository.

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


def copy_repository(target: Path) -> Path:
    """Copy what git would commit, and put an environment beside it that is this interpreter under bin/setup's names."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    programs = target / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("handnet", " -m handnet")):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"PATH={shlex.quote(str(programs))}:$PATH\nexport PATH\n")
    stamp = subprocess.run(["cksum", "setup.cfg", "pyproject.toml"], cwd=target, capture_output=True, check=True)
    (target / ".venv" / ".installed-plain").write_bytes(stamp.stdout.rstrip(b"\n"))
    return target


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if find_blocks(path.read_text(), "sh")], ids=lambda path: path.name
)
def test_the_commands_of_the_document_run_as_written(document: Path, tmp_path: Path) -> None:
    copy = copy_repository(tmp_path / "handnet")
    # No handnet is on the path: the document has to activate the environment.
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "handnet").exists()]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), "PYTHONPATH": str(copy)}
    for block in find_blocks(document.read_text(encoding="utf-8"), "sh"):
        result = subprocess.run(
            ["sh", "-eu", "-c", block],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, f"{block}\nprinted:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
