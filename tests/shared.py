"""What is costly to make is made once in a test session, also where several processes run it."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def build_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """Return a folder that the first of a session's processes fills; the others wait for it.

    Args:
        factory: pytest's.
        name: of the folder.
        build: fills the empty folder that it is given.
    """
    base = factory.getbasetemp()
    # Each worker of pytest-xdist has a folder of its own in that of the session.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / f"{name}-shared"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = base / f"{name}.done"
        if not done.exists():
            folder.mkdir()
            build(folder)
            done.touch()
    return folder
