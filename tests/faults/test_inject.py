"""A few of the faults of tests/faults/inject.py, in processes without TensorFlow: killed, stopped, and no room to write."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.inject import ROOT, run, start

SYNTH = ("data", "synth", "hands", "--people=12", "--photos=2")


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_data_set_that_was_stopped_half_drawn_is_never_taken_for_a_whole_one(stop: int, tmp_path: Path) -> None:
    process = start(SYNTH, tmp_path)
    while not list(tmp_path.rglob("*.jpg")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(stop)
    _, err = process.communicate()
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130), err
    assert "Traceback" not in err
    code, err, _ = run(("data", "check", "hands"), tmp_path)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert err.startswith("handnet: ")


@pytest.mark.slow
def test_faults_in_every_kind_of_write_lose_nothing(tmp_path: Path) -> None:
    # The command that needs no TensorFlow; the others take minutes.
    faults = [f"--fault={fault}" for fault in ("killed-at-write", "write-refused", "two-processes", "chmod-refused")]
    command = [sys.executable, str(ROOT / "tests/faults/inject.py"), "--rounds=1", f"--work={tmp_path}", *faults]
    result = subprocess.run([*command, "--command=data synth"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("4 faults\nnothing was lost\n")


@pytest.mark.slow
def test_no_room_for_a_photo_is_one_line(tmp_path: Path) -> None:
    # As on a full disk: no file may grow beyond so many blocks of 512 bytes.
    command = ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", sys.executable, "-m", "handnet", *SYNTH]
    # Python 3.11 itself leaves half a .pyc file behind where it has no room.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("handnet: Cannot write"), result.stderr
    assert not list(tmp_path.rglob(".part-*"))
