"""What the benchmarks print of the machine, and the photos that they share."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")


def describe_machine(packages: tuple[str, ...]) -> str:
    """Return one line: processor, cores, its vector units, load, versions of the packages."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    has = set(fields.get("flags", "").split())
    units = " ".join(flag for flag in FLAGS if flag in has)
    load = f"load {os.getloadavg()[0]:.1f} before it began" if hasattr(os, "getloadavg") else "load unknown"
    versions = ", ".join(filter(None, [f"Python {platform.python_version()}", describe_versions(packages)]))
    return f"{fields.get('model name', platform.processor())}, {os.cpu_count()} cores, {units}; {load}; {versions}"


def describe_versions(packages: tuple[str, ...]) -> str:
    """Return the versions of packages that are installed here."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def list_photos(data: str, count: int, work: Path) -> list[str]:
    """Return `count` photos, spread over a folder in the layout of 11k Hands; without a folder, drawn ones of 1600×1200.

    Args:
        data: the folder, or "" for synthetic hands.
        count: photos wanted; they are repeated where there are fewer.
        work: where synthetic hands are drawn.
    """
    if not data:
        from handnet.data.synthetic import write_synthetic

        folder = work / "synthetic-1600x1200"
        if not folder.exists():
            write_synthetic(folder, 8, 1, seed=1, size_px=(1600, 1200))
        data = str(folder)
    photos = sorted(str(path) for path in (Path(data) / "Hands").glob("*.jpg"))
    if not photos:
        raise SystemExit(f"There are no photos Hands/*.jpg in {data!r}.")
    # Neighbours are often of one person.
    return [photos[k * max(1, len(photos) // count) % len(photos)] for k in range(count)]


def start(python: str, script: str, arguments: list[str], threads: int) -> dict[str, Any]:
    """Run one measurement in a process of its own and return the JSON object on its last line of output."""
    limit = str(threads)
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": limit,
        "TF_NUM_INTRAOP_THREADS": limit,
    }
    done = subprocess.run([python, script, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def time_best(work: Callable[[], object], repeats: int, clock: str) -> float:
    """Return the least seconds of several runs, after one that is not counted."""
    now, best = CLOCKS[clock], float("inf")
    for number in range(repeats + 1):
        begin = now()
        work()
        if number:
            best = min(best, now() - begin)
    return best
