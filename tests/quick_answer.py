"""A command's answer by a process of its own, which must come without TensorFlow."""

import json
import subprocess
import sys
from typing import Any

from tests.test_imports import ROOT


def answer_without_tensorflow(*arguments: str) -> Any:
    """Return what a command prints as JSON; its process must load neither TensorFlow, Keras nor SciPy, and print no error."""
    code = (
        "import sys; from handnet.cli.main import cli; "
        f"cli([*{arguments!r}, '--json'], standalone_mode=False); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    answer, loaded = ran.stdout.splitlines()[-2:]
    assert not {"tensorflow", "keras", "scipy"} & set(loaded.split())
    assert ran.stderr == ""
    return json.loads(answer)
