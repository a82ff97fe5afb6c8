"""Faults injected into every command that writes: killed, stopped, refused by the disk, and two at a time.

    python tests/faults/inject.py --rounds 10 --work DIR [--command export] [--fault disk-full]

Each round starts each command on photos and runs of its own and disturbs it; then the same command (a training with --resume)
must succeed, with the same results as an undisturbed one and nothing left lying about. Printed: what was tried, how often, and
what was lost. TensorFlow is loaded once, and each command is a fork of that process. For Linux; mounts and other users need
root.
"""

import argparse
import ctypes
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OUT = "out"
SMALL = (
    "--set=model.arch=mini",
    "--set=loss.name=infonce",
    "--set=image.size_px=64",
    "--set=sampler.people_per_batch=8",
)
NOBODY = 65534
# Of Linux: a namespace of mounts, and the third version of its sets of rights.
_NEW_MOUNTS, _CAPABILITIES_3 = 0x00020000, 0x20080522
# What Python tells an audit hook as it makes, opens for writing or renames a file.
_WRITES = ("open", "os.rename", "os.mkdir")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EPERM, errno.EDQUOT)


class Trial(NamedTuple):
    """A command, what there is before it, and how it goes on after a fault. What it writes lies in the folder OUT.

    Attributes:
        first: its arguments.
        again: its arguments after a fault, where something was written.
        made: the file without which nothing was written yet, so that `first` comes again.
        given: what is copied into OUT before it begins.
        same: files whose contents are those of an undisturbed command.
        check: a command whose last line is the one after an undisturbed command.
        fresh_cache: whether it begins without a cache.
    """

    first: Sequence[str]
    again: Sequence[str] = ()
    made: str = ""
    given: Sequence[str] = ()
    same: Sequence[str] = ()
    check: Sequence[str] = ()
    fresh_cache: bool = False


_TRAIN = ("train", "--data=hands", "--run=out/run", *SMALL, "--epochs=2")
_RESUME = ("train", "--resume", "--run=out/run")
_PEOPLE = ("gallery", "list", "out/people")
TRIALS = {
    "data synth": Trial(
        ("data", "synth", "out/hands", "--people=5", "--photos=1"), same=("hands/HandInfo.csv", "hands/Hands")
    ),
    "data check": Trial(("data", "check", "hands", "--output=out/check"), same=("check/montage.png",)),
    "train": Trial(_TRAIN, _RESUME, "run/run.json", same=("run/model.weights.h5", "run/history.csv")),
    "train, no cache": Trial(_TRAIN, _RESUME, "run/run.json", same=("run/model.weights.h5",), fresh_cache=True),
    "train --resume": Trial(_RESUME, given=("begun",), same=("run/model.weights.h5", "run/history.csv")),
    "embed": Trial(("embed", "done", "hands", "--output=out/vectors.npz"), same=("vectors.npz",)),
    "eval": Trial(("eval", "done", "--output=out/report"), same=("report/metrics.json", "report/embeddings.npz")),
    "cv": Trial(
        ("cv", "--data=hands", "--run=out/cv", "--folds=2", *SMALL, "--set=train.epochs=1"),
        same=("cv/metrics.json",),
    ),
    "export": Trial(("export", "done", "out/models/hands")),
    "audit": Trial(("audit", "done", "--output=out/audit"), same=("audit/audit.json",)),
    "project": Trial(("project", "done", "--no-maps", "--output=out/projector")),
    "gallery create": Trial(("gallery", "create", "out/people", "--run=done"), check=_PEOPLE),
    "gallery import": Trial(("gallery", "import", "out/people", "folders"), given=("people",), check=_PEOPLE),
    "gallery remove": Trial(("gallery", "remove", "out/people", "p3"), given=("people", "filled"), check=_PEOPLE),
    "gallery forget": Trial(("gallery", "forget", "out/people", "p3"), given=("people", "filled"), check=_PEOPLE),
    "gallery backup": Trial(
        ("gallery", "backup", "out/people", "out/copy"),
        given=("people", "filled"),
        check=("gallery", "list", "out/copy"),
    ),
}


class Ended(NamedTuple):
    """How a command ended: exit code (negative: killed by that signal), standard output and error."""

    code: int
    out: str
    err: str


class Started(NamedTuple):
    """A command that runs: its process and where its output goes."""

    pid: int
    output: Path

    def wait(self) -> Ended:
        """Wait for its end."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        out, err = (self.output.with_suffix(end).read_text(errors="replace") for end in (".out", ".err"))
        return Ended(code, out, err)


def start(arguments: Sequence[str], work: Path) -> "subprocess.Popen[str]":
    """Start a command in the folder `work` as a program of its own, with a cache of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HANDNET_CACHE": str(work / "cache")}
    command = [sys.executable, "-m", "handnet", *arguments]
    return subprocess.Popen(
        command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(arguments: Sequence[str], work: Path) -> tuple[int, str, float]:
    """Run a program to its end: exit code, standard error, seconds."""
    begin = time.monotonic()
    process = start(arguments, work)
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - begin


def fork(arguments: Sequence[str], work: Path, before: Callable[[], None] | None = None) -> Started:
    """Start a command as a fork of this process, which has loaded what commands need; `before` runs in it first."""
    output = work / f"command-{time.monotonic_ns()}"
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Started(pid, output)
    try:
        os.chdir(work)
        os.environ["HANDNET_CACHE"] = str(work / "cache")
        for stream, end in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(output.with_suffix(end), os.O_WRONLY | os.O_CREAT), stream)
        if before:
            before()
        from handnet.cli.main import main

        sys.argv = ["handnet", *arguments]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def watch_writes(folder: Path, act: Callable[[int], None]) -> None:
    """Call `act` with 1, 2, … as this process makes a file or folder under `folder`, opens it to write, or renames it."""
    prefix, count = str(folder), 0

    def hook(event: str, given: tuple[object, ...]) -> None:
        nonlocal count
        if event not in _WRITES or not isinstance(given[0], str | bytes | os.PathLike):
            return
        flags = given[2] if event == "open" else os.O_WRONLY
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and os.path.abspath(os.fsdecode(given[0])).startswith(prefix):
            count += 1
            act(count)

    sys.addaudithook(hook)


def prepare(work: Path) -> None:
    """Make what the commands need, where it is not there yet: hands, a finished run, one that has begun, galleries."""
    (work / OUT).mkdir(exist_ok=True)
    for needed, arguments in (
        ("hands", ("data", "synth", "hands", "--people=48", "--photos=2")),
        ("done/model.weights.h5", ("train", "--data=hands", "--run=done", *SMALL, "--epochs=1")),
        ("people", ("gallery", "create", "people", "--run=done")),
    ):
        if not (work / needed).exists() and (ended := fork(arguments, work).wait()).code:
            raise SystemExit(ended.err)
    if not (work / "folders").exists():
        for number, photo in enumerate(sorted((work / "hands/Hands").iterdir())[:24]):
            folder = work / "folders" / f"p{number // 4}"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder)
    if not (work / "filled").exists():
        shutil.copytree(work / "people", work / "filled")
        if (ended := fork(("gallery", "import", "filled", "folders"), work).wait()).code:
            raise SystemExit(ended.err)
    if not (work / "begun").exists():
        begun = fork(_TRAIN, work)
        while not (work / "out/run/checkpoint/state.json").exists():
            time.sleep(0.01)
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
        (work / "out/run").rename(work / "begun")


def lay_out(trial: Trial, work: Path) -> None:
    """Empty OUT, and put there what the command begins with."""
    for path in (work / OUT).iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if trial.fresh_cache:
        shutil.rmtree(work / "cache", ignore_errors=True)
    if trial.given:
        # The name that commands know it by, and what it is a copy of.
        name = "run" if trial.given[-1] == "begun" else trial.given[0]
        shutil.copytree(work / trial.given[-1], work / OUT / name)


def list_names(work: Path) -> set[str]:
    """Return the names under OUT: files and folders, without TensorBoard's own, which hold the time."""
    found = (path.relative_to(work / OUT) for path in (work / OUT).rglob("*"))
    return {str(path) for path in found if "events.out" not in path.name}


def digest(path: Path) -> str:
    """Digest a file or all files of a folder; of arrays, their contents."""
    import h5py
    import numpy as np

    if path.is_dir():
        return " ".join(digest(file) for file in sorted(path.rglob("*")) if file.is_file())
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            parts = [(name, arrays[name].tobytes()) for name in sorted(arrays)]
    elif path.suffix == ".h5":
        parts = []
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: parts.append((name, item[()].tobytes())) if isinstance(item, h5py.Dataset) else None
            )
    else:
        parts = [("", path.read_bytes())]
    return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()


class Whole(NamedTuple):
    """An undisturbed command: what it wrote, how long it took, how many files it opened to write, how much it wrote."""

    names: set[str]
    digests: list[str]
    checked: str
    seconds: float
    num_writes: int
    num_bytes: int


def observe(trial: Trial, work: Path) -> Whole:
    """Run a command undisturbed."""
    lay_out(trial, work)
    count = work / "num_writes"
    count.unlink(missing_ok=True)
    begin = time.monotonic()
    ended = fork(trial.first, work, lambda: watch_writes(work / OUT, lambda n: _note(count, n))).wait()
    seconds = time.monotonic() - begin
    if ended.code:
        raise SystemExit(f"{' '.join(trial.first)}: {ended.err}")
    files = [path for path in (work / OUT).rglob("*") if path.is_file()]
    return Whole(
        list_names(work),
        [digest(work / OUT / name) for name in trial.same],
        _check(trial, work),
        seconds,
        # Python sees nothing of what SQLite opens.
        int(count.read_text()) if count.exists() else 0,
        sum(path.stat().st_size for path in files),
    )


def _note(file: Path, number: int) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(handle, str(number).encode())
    os.close(handle)


def _check(trial: Trial, work: Path) -> str:
    if not trial.check:
        return ""
    ended = fork(trial.check, work).wait()
    return ended.out.strip().splitlines()[-1] if ended.code == 0 else f"{trial.check}: {ended.err}"


def describe_end(ended: Ended) -> str:
    """Return "" where a command ended well, by a kill, or by one line that says why, else what was wrong."""
    if "Traceback" in ended.err:
        return f"a traceback: {ended.err.strip().splitlines()[-1]}"
    lines = [line for line in ended.err.splitlines() if line.startswith("handnet: ")]
    if ended.code in (1, 130) and len(lines) == 1 and ended.err.strip().splitlines()[-1] == lines[0]:
        return ""
    return "" if ended.code in (0, -signal.SIGKILL) else f"code {ended.code}: {ended.err.strip()[-200:]}"


def go_on(trial: Trial, work: Path, whole: Whole) -> str:
    """Run a command again after a fault: "" or what was lost, against an undisturbed one."""
    begun = bool(trial.again) and (work / OUT / trial.made).exists()
    ended = fork(trial.again if begun else trial.first, work).wait()
    # What was finished before the fault is not made twice, and says so.
    finished = ended.code == 1 and any(
        word in ended.err
        for word in ("exists already", "No photo was", "is finished", "is not empty", "Nobody is enrolled")
    )
    if ended.code and not finished:
        return f"could not be continued: {ended.err.strip()[-300:]}"
    if "Traceback" in ended.err:
        return f"a traceback in the second command: {ended.err.strip().splitlines()[-1]}"
    names = list_names(work)
    # An export that had appeared before the kill is a version of its own.
    left = {name for name in names - whole.names if not name.startswith("models/hands/2")}
    if left or whole.names - names:
        return f"left: {sorted(left)[:3]}; missing: {sorted(whole.names - names)[:3]}"
    if [digest(work / OUT / name) for name in trial.same] != whole.digests:
        return f"other results than an undisturbed command: {', '.join(trial.same)}"
    checked = _check(trial, work)
    return "" if checked == whole.checked else f"{checked!r} instead of {whole.checked!r}"


def _kill_at_time(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    started = fork(trial.first, work)
    time.sleep(draw.uniform(0.02, 1.0) * whole.seconds)
    os.kill(started.pid, draw.choice([signal.SIGKILL, signal.SIGTERM]))
    return describe_end(started.wait()) or go_on(trial, work, whole)


def _kill_at_write(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    number = draw.randint(1, whole.num_writes)

    def act(count: int) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    ended = fork(trial.first, work, lambda: watch_writes(work / OUT, act)).wait()
    what = describe_end(ended) or go_on(trial, work, whole)
    return what and f"at write {number} of {whole.num_writes}: {what}"


def _refuse_write(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    number, code = draw.randint(1, whole.num_writes), draw.choice(ERRORS)

    def act(count: int) -> None:
        # A disk that refuses once goes on refusing.
        if count >= number:
            raise OSError(code, os.strerror(code))

    ended = fork(trial.first, work, lambda: watch_writes(work / OUT, act)).wait()
    what = describe_end(ended) or go_on(trial, work, whole)
    return what and f"{errno.errorcode[code]} at write {number} of {whole.num_writes}: {what}"


def _fill_disk(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    size = int(draw.uniform(0.0, 1.0) * whole.num_bytes) // 4096 * 4096 + 4096
    given = work / OUT
    keep = work / "keep"
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(given, keep)

    def test() -> str:
        # A page more than what lies there already.
        held = sum(path.stat().st_size + 8192 for path in keep.rglob("*"))
        _mount("-t", "tmpfs", "-o", f"size={size + held}", "none", str(given))
        shutil.copytree(keep, given, dirs_exist_ok=True)
        what = describe_end(fork(trial.first, work).wait())
        _mount("-o", "remount,size=200m", str(given))
        return what or go_on(trial, work, whole)

    what = _in_own_mounts(test, work)
    return what and f"{size} bytes free: {what}"


def _make_read_only(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    del draw
    given = str(work / OUT)

    def test() -> str:
        _mount("--bind", given, given)
        _mount("-o", "remount,bind,ro", given)
        ended = fork(trial.first, work).wait()
        _mount("-o", "remount,bind,rw", given)
        what = describe_end(ended) if ended.code else "it says that it went well"
        return what or go_on(trial, work, whole)

    return _in_own_mounts(test, work)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _in_own_mounts(test: Callable[[], str], work: Path) -> str:
    """Run a test in a process whose mounts nobody else sees."""
    result = work / "result"
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return result.read_text()
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "unshare")
        _mount("--make-rprivate", "/")
        result.write_text(test())
    except BaseException as error:
        result.write_text(f"the test itself failed: {error!r}")
    os._exit(0)


def _deny(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    """Run without the rights of root where the files are another user's: everything can be read and nothing written."""
    del draw
    paths = [work / OUT, *(work / OUT).rglob("*")]
    for path in paths:
        os.chown(path, NOBODY, NOBODY)
    ended = fork(trial.first, work, _drop_rights).wait()
    for path in paths:
        os.chown(path, 0, 0)
    what = describe_end(ended) if ended.code else "it says that it went well"
    return what or go_on(trial, work, whole)


def _drop_rights() -> None:
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def _refuse_chmod(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    """Refuse permissions, as SMB and exFAT do: the command goes on."""
    del draw

    def patch() -> None:
        def refuse(*arguments: object, **options: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        os.chmod = os.fchmod = refuse  # type: ignore[assignment]

    ended = fork(trial.first, work, patch).wait()
    if ended.code or "Traceback" in ended.err:
        return f"code {ended.code}: {ended.err.strip()[-300:]}"
    return "" if list_names(work) == whole.names else "other files than an undisturbed command"


def _run_two(trial: Trial, work: Path, whole: Whole, draw: random.Random) -> str:
    """Start it twice: one succeeds; the other too, or it is told why not."""
    first = fork(trial.first, work)
    time.sleep(draw.uniform(0.0, 0.8) * whole.seconds)
    second = fork(trial.first, work)
    ends = [first.wait(), second.wait()]
    if what := describe_end(ends[0]) or describe_end(ends[1]):
        return what
    if all(ended.code for ended in ends):
        return f"neither succeeded: {[ended.err.strip()[-200:] for ended in ends]}"
    return go_on(trial, work, whole)


FAULTS: dict[str, Callable[[Trial, Path, Whole, random.Random], str]] = {
    "killed-any-time": _kill_at_time,
    "killed-at-write": _kill_at_write,
    "write-refused": _refuse_write,
    "two-processes": _run_two,
    "disk-full": _fill_disk,
    "read-only": _make_read_only,
    "no-permission": _deny,
    "chmod-refused": _refuse_chmod,
}
# Nothing is drawn for these, so that each is tried once.
ONCE = ("read-only", "no-permission", "chmod-refused")
AT_WRITES = ("killed-at-write", "write-refused")
FOR_ROOT = ("disk-full", "read-only", "no-permission")


def main() -> None:
    """Inject, print the table, and end with 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--command", action="append", choices=TRIALS, help="Only these.")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="Only these.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    work = given.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    names = given.command or list(TRIALS)
    if set(names) != {"data synth"}:
        _load()
        prepare(work)
    (work / OUT).mkdir(exist_ok=True)
    faults = [fault for fault in given.fault or FAULTS if fault not in FOR_ROOT or os.geteuid() == 0]
    draw, tried, lost, whole = random.Random(given.seed), Counter[str](), list[str](), dict[str, Whole]()
    try:
        for number in range(given.rounds):
            for name in names:
                trial = TRIALS[name]
                if name not in whole:
                    whole[name] = observe(trial, work)
                for fault in faults:
                    if (number and fault in ONCE) or (not whole[name].num_writes and fault in AT_WRITES):
                        continue
                    lay_out(trial, work)
                    what = FAULTS[fault](trial, work, whole[name], draw)
                    tried[f"{name}: {fault}"] += 1
                    lost += [f"{name}: {fault}: {what}"] if what else []
                    print(f"{name}: {fault}: {what or 'nothing lost'}", flush=True)
                    for file in work.glob("command-*"):
                        file.unlink()
    except KeyboardInterrupt:
        print("stopped")
    for what, count in tried.items():
        print(f"{count:4} {what}")
    print(f"{sum(tried.values())} faults")
    print("\n".join(lost) or "nothing was lost")
    sys.exit(1 if lost else 0)


def _load() -> None:
    """Load what commands need, but start nothing: threads would not live on in a fork."""
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401


if __name__ == "__main__":
    # Found before an installed handnet.
    sys.path.insert(0, str(ROOT))
    main()
