"""Programs in processes of their own that begin with TensorFlow, Keras and handnet imported.

Each is a copy of one process that has imported them, once for each Keras backend: the imports take four seconds of a core,
longer than most of these programs. Nothing has been computed in that process, so that a program still decides about devices.
"""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Program:
    """A running program, as `subprocess.Popen` describes one whose output is collected as text."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.returncode: int | None = None
        self._pid, self._folder = pid, folder

    def poll(self) -> int | None:
        """Return how it ended, minus a signal's number where that ended it; None while it runs."""
        file = self._folder / "status"
        if self.returncode is None and file.exists():
            self.returncode = os.waitstatus_to_exitcode(int(file.read_text()))
        return self.returncode

    def communicate(self, timeout: float = 300.0) -> tuple[str, str]:
        """Wait for its end; return what it wrote to the standard output and the standard error."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(f"process {self._pid}", timeout)
            time.sleep(0.01)
        written = (self._folder / "out").read_text(), (self._folder / "err").read_text()
        shutil.rmtree(self._folder)
        return written

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._pid, number)


def start_program(
    code: str, *arguments: str, backend: str = "tensorflow", devices: int = 1, **variables: str
) -> Program:
    """Start Python code in the current folder and with this process's environment.

    Args:
        code: as for `python -c`.
        arguments: of the program.
        backend: Keras's.
        devices: as how many devices JAX takes the processor.
        variables: of the environment, besides those of this process.
    """
    server = _start_server(backend)
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, **_choose(backend), **({"XLA_FLAGS": flags} if backend == "jax" else {}), **variables}
    folder = Path(tempfile.mkdtemp())
    request = {
        "code": code,
        "arguments": arguments,
        "environment": environment,
        "cwd": os.getcwd(),
        "folder": str(folder),
    }
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return Program(int(server.stdout.readline()), folder)


def run_program(code: str, *arguments: str, backend: str = "tensorflow", devices: int = 1, **variables: str) -> str:
    """Run a program as `start_program` does and return what it wrote to the standard output.

    Raises:
        AssertionError: it failed; with what it wrote to the standard error.
    """
    program = start_program(code, *arguments, backend=backend, devices=devices, **variables)
    out, errors = program.communicate()
    assert program.returncode == 0, errors[-3000:]
    return out


def _choose(backend: str) -> dict[str, str]:
    return {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}


@cache
def _start_server(backend: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.forked"]
    environment = {**os.environ, **_choose(backend)}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    # It ends when its input does.
    atexit.register(server.communicate)
    return server


def _serve() -> str | None:
    """Become a copy of this process for each request; return the code that it is to run, and None at the end of the input."""
    import gc

    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import tensorflow  # noqa: F401

    import handnet.cli.main
    import handnet.training.train  # noqa: F401

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    while line := os.read(0, 1 << 20):
        while not line.endswith(b"\n"):
            line += os.read(0, 1 << 20)
        if os.fork() == 0:
            return _become(json.loads(line))
    return None


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _become(request: dict) -> str:
    """Fork once more, so that somebody waits for the program; return its code in its own process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = Path(request["folder"])
    if pid := os.fork():
        os.write(1, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        (folder / "part").write_text(str(status))
        (folder / "part").rename(folder / "status")
        os._exit(0)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.argv = ["-c", *request["arguments"]]
    return request["code"]


if __name__ == "__main__" and (program_code := _serve()) is not None:
    exec(compile(program_code, "<program>", "exec"), {"__name__": "__main__"})
