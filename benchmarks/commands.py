"""Processor seconds of handnet's commands, each in a process of its own: the first time, again, and by another revision.

    python benchmarks/commands.py RUN PHOTO PHOTO [--photos FOLDER] [--other CHECKOUT] [--only verify,eval]

RUN is a trained run whose data is where it was; the two photos are compared, and up to 160 of FOLDER embedded. CHECKOUT is a work
tree of another revision: both run each command in turn, so that a busy machine slows both. Each has a cache of its own that is
empty in the beginning. Seconds are user and system time of the process and of those that it started, the start of Python
included. The first `verify` of a run also keeps its encoder for later ones.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import ROOT, describe_machine

from handnet.data.cache import find_cache_folder

NUM_PHOTOS = 160


def list_commands(run: str, photos: list[str], folder: str, work: Path) -> dict[str, list[str]]:
    """Return the words of each command by its name; what they write goes to a new folder."""
    commands = {
        "help": ["--help"],
        "verify": ["verify", run, *photos],
        "embed of two": ["embed", run, *photos, "-o", str(work / "two.npz")],
        "eval": ["eval", run, "--output", str(work / "eval")],
        "project": ["project", run, "--output", str(work / "projector")],
        "export": ["export", run, str(work / "saved")],
    }
    if folder:
        some = sorted(str(path) for path in Path(folder).rglob("*.jpg"))[:NUM_PHOTOS]
        commands["embed of many"] = ["embed", run, *some, "-o", str(work / "many.npz")]
    return commands


def time_command(words: list[str], checkout: Path, cache: Path) -> float:
    """Return the processor seconds of a command, run by the code of a checkout."""
    environment = os.environ | {"HANDNET_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # A folder that comes first on the module path is the one whose code runs.
    done = subprocess.run(
        [sys.executable, "-m", "handnet", *words], cwd=checkout, env=environment, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"handnet {' '.join(words[:4])} … failed in {checkout}:\n{done.stderr[-1000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a row for each command as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pair", nargs=2, type=Path, metavar="PHOTO")
    parser.add_argument("--photos", default="", help="folder of photos to embed")
    parser.add_argument("--other", type=Path, help="work tree of another revision")
    parser.add_argument("--only", default="", help="names of commands, with commas between them")
    parser.add_argument("--times", type=int, default=2, help="how often each command runs")
    arguments = parser.parse_args()
    checkouts = [ROOT, *([arguments.other.resolve()] if arguments.other else [])]
    print(describe_machine(("tensorflow", "keras")), end="\n\n")
    print(f"| processor seconds | {' | '.join(f'{path.name}: first, again' for path in checkouts)} |")
    print(f"|---|{'---:|' * len(checkouts)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        works = [Path(folder) / str(number) for number in range(len(checkouts))]
        pair = [str(photo.resolve()) for photo in arguments.pair]
        given = [list_commands(str(arguments.run.resolve()), pair, arguments.photos, work) for work in works]
        names = arguments.only.split(",") if arguments.only else list(given[0])
        # What `handnet weights fetch` has brought is no part of the measurement.
        fetched = find_cache_folder() / "hand-models"
        for work in works:
            (work / "cache").mkdir(parents=True)
            if fetched.is_dir():
                shutil.copytree(fetched, work / "cache" / "hand-models")
        for name in names:
            seconds: list[list[float]] = [[] for _ in checkouts]
            for _ in range(arguments.times):
                for found, commands, checkout, work in zip(seconds, given, checkouts, works, strict=True):
                    found.append(time_command(commands[name], checkout, work / "cache"))
            cells = [", ".join(f"{value:.1f}" for value in found) for found in seconds]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
