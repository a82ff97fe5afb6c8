"""Faults injected into every command that writes: killed at random, stopped, on a disk that is full or read-only.

    python tests/faults/inject.py --rounds 10 --work DIR [--command export]

Each round starts each command in a process of its own and sends SIGKILL or SIGTERM at a random moment; then the same command
(a training with --resume) must succeed. Printed: what was tried, how often, and what was lost. Disks are tmpfs mounts and need
root, or are left out.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "--set=model.arch=mini",
    "--set=loss.name=infonce",
    "--set=image.size_px=64",
    "--set=sampler.people_per_batch=2",
)
TRAIN = ("train", "--data=hands", "--run=run", *SMALL, "--epochs=4")


class Trial(NamedTuple):
    """A command, what is deleted before it begins, and how it goes on after a fault.

    Attributes:
        first: its arguments.
        again: its arguments after a fault.
        fresh: folders and files that are deleted before.
        written: what must be there when it has succeeded.
    """

    first: Sequence[str]
    again: Sequence[str]
    fresh: Sequence[str]
    written: str


_CV = ("cv", "--data=hands", "--run=cv", "--folds=2", *SMALL, "--set=train.epochs=1")
_EMBED = ("embed", "done", "hands", "--output=vectors.npz")
_EXPORT = ("export", "done", "models/hands")
_EVAL = ("eval", "done", "--output=report")
TRIALS = {
    "train": Trial(TRAIN, ("train", "--resume", "--run=run"), ("run",), "run/model.weights.h5"),
    "embed": Trial(_EMBED, _EMBED, ("vectors.npz", "vectors.npz.part"), "vectors.npz"),
    "export": Trial(_EXPORT, _EXPORT, ("models",), "models/hands/1/saved_model.pb"),
    "eval": Trial(_EVAL, _EVAL, ("report",), "report/report.html"),
    "cv": Trial(_CV, _CV, ("cv",), "cv/metrics.json"),
}


def start(arguments: Sequence[str], work: Path) -> "subprocess.Popen[str]":
    """Start a command in the folder `work`, with a cache of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HANDNET_CACHE": str(work / "cache")}
    command = [sys.executable, "-m", "handnet", *arguments]
    return subprocess.Popen(
        command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(arguments: Sequence[str], work: Path) -> tuple[int, str, float]:
    """Run a command to its end: exit code, standard error, seconds."""
    begin = time.monotonic()
    process = start(arguments, work)
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - begin


def prepare(work: Path) -> None:
    """Draw hands and train a run on them, where they are not there yet."""
    for needed, arguments in (
        ("hands", ("data", "synth", "hands", "--people=20", "--photos=2")),
        ("done/model.weights.h5", ("train", "--data=hands", "--run=done", *SMALL, "--epochs=1")),
    ):
        if not (work / needed).exists():
            code, err, _ = run(arguments, work)
            if code:
                raise SystemExit(err)


def disturb(trial: Trial, work: Path, stop: int, after_s: float) -> str:
    """Stop a command after a time and run it again: "" or what was lost."""
    for name in trial.fresh:
        path = work / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    process = start(trial.first, work)
    time.sleep(after_s)
    process.send_signal(stop)
    _, err = process.communicate()
    if "Traceback" in err:
        return f"a traceback after signal {stop}: {err.splitlines()[-1]}"
    # Before its first checkpoint a training has no run yet, and one that had ended needs no second.
    begun = trial.first[0] != "train" or (work / "run/config.toml").exists()
    code, err, _ = run(trial.again if begun else trial.first, work)
    if code:
        return f"could not be continued: {err.splitlines()[-1]}"
    if not (work / trial.written).exists():
        return f"{trial.written} is missing"
    # What another command would take for a result, or what stays for ever.
    left = [str(path.relative_to(work)) for name in trial.fresh for path in (work / name).rglob(".part-*")]
    return f"left {left[0]}" if left else ""


def fill_disk(arguments: Sequence[str], work: Path, size: str) -> str:
    """Run a command on a tmpfs of a size, mounted where it writes: "" or what was not one line."""
    script = f'mkdir -p disk && mount -t tmpfs -o size={size} none disk && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-m", "handnet", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HANDNET_CACHE": str(work / "cache")}
    result = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if line.startswith("handnet: ")]
    if "Traceback" in result.stderr or len(lines) != 1 or result.returncode != 1:
        return f"code {result.returncode}, {result.stderr.splitlines()[-1:]}"
    return ""


def main() -> None:
    """Inject, print the table, and end with 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--command", action="append", choices=TRIALS, help="Only these.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    prepare(given.work)
    draw, tried, lost = random.Random(given.seed), Counter[str](), list[str]()
    for name in given.command or TRIALS:
        trial = TRIALS[name]
        for path in trial.fresh:
            shutil.rmtree(given.work / path, ignore_errors=True)
        code, err, seconds = run(trial.first, given.work)
        if code:
            raise SystemExit(err)
        for _ in range(given.rounds):
            stop = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            after_s = draw.uniform(0.3, 1.0) * seconds
            tried[f"{name}: {stop.name}"] += 1
            if what := disturb(trial, given.work, stop, after_s):
                lost.append(f"{name}: {stop.name} after {after_s:.1f} s: {what}")
            print(f"{name}: {stop.name} after {after_s:.1f} s: {what or 'nothing lost'}", flush=True)
    if os.geteuid() == 0 and not given.command:
        for name, arguments in (
            ("export", ("export", "done", "disk/models/hands")),
            ("train", ("train", "--data=hands", "--run=disk/run", *SMALL)),
        ):
            tried[f"{name}: full disk"] += 1
            if what := fill_disk(arguments, given.work, "2m"):
                lost.append(f"{name} on a full disk: {what}")
    for what, count in tried.items():
        print(f"{count:4} {what}")
    print("\n".join(lost) or "nothing was lost")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
