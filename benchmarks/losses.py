"""Time and peak memory of each loss, forward and backward, beside pytorch-metric-learning, in one run.

Command: python benchmarks/losses.py --peer PYTHON [--losses triplet_hard,…] [--batches 64,…,8192] [--repeats 5]

PYTHON is an interpreter with torch and pytorch-metric-learning (the one that runs this script, where it has them).
Each measurement is a process of its own with `--threads` threads; for each loss and batch ours and theirs run one
after the other. Time is the median over repeats after two steps of warm-up (compilation is not counted), memory the
highest resident set during the steps less that after the imports. A process beyond `--limit-gib` or `--limit-s` is
stopped and its row says so. Batches are 4 photos (2 dorsal, 2 palmar) for each identity, 256-d unit vectors.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DIM = 256
PHOTOS = 4
ROOT = Path(__file__).resolve().parents[1]

# name: (our loss, our options)
OURS: dict[str, tuple[str, dict[str, object]]] = {
    "triplet_hard": ("triplet", {"mining": "hard"}),
    "triplet_semihard": ("triplet", {"mining": "semihard"}),
    "triplet_all": ("triplet", {"mining": "all"}),
    "batch_contrastive": ("batch_contrastive", {"form": "linear", "average": "active", "margin": 1.0}),
    "infonce": ("infonce", {"views": "any"}),
    "supcon": ("supcon", {}),
    "multi_similarity": ("multi_similarity", {}),
    "circle": ("circle", {}),
    "proxy_anchor": ("proxy_anchor", {}),
    "arcface": ("arcface", {}),
    "cosface": ("cosface", {}),
}


def resident_gib(field: str) -> float:
    """Return VmRSS (now) or VmHWM (highest) of this process in GiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 2**20
    raise ValueError(f"/proc/self/status has no {field}.")


def measure(step: Callable[[], object], before_gib: float, repeats: int, clock: str) -> dict[str, float]:
    """Return the median seconds of a step, its peak memory in GiB and the loss."""
    now = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
    for _ in range(2):
        value = step()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from here
    seconds = []
    for _ in range(repeats):
        began = now()
        value = step()
        seconds.append(now() - began)
        if sum(seconds) > 20:
            break
    return {
        "seconds": statistics.median(seconds),
        "gib": max(resident_gib("VmHWM") - before_gib, 0.0),
        "loss": float(value),  # type: ignore[arg-type]
    }


def batch(size: int) -> tuple[object, object]:
    """Return unit vectors (B, D) float32 with some structure by identity, and labels int32 (B, 2)."""
    import numpy as np

    rng = np.random.default_rng(size)
    identity = np.arange(size) // PHOTOS
    rows = rng.normal(size=(size // PHOTOS, DIM))[identity] + 1.5 * rng.normal(size=(size, DIM))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype("float32"), np.stack([identity, np.arange(size) % 2], axis=1).astype("int32")


def run_ours(name: str, size: int, mode: str, threads: int, repeats: int, clock: str) -> dict[str, float]:
    """Measure handnet's loss in a tf.function, with XLA where the mode is "jit"."""
    sys.path.insert(0, str(ROOT))
    import tensorflow as tf

    from handnet.losses import build_loss

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    before = resident_gib("VmRSS")
    rows, labels = (tf.constant(x) for x in batch(size))
    loss_name, options = OURS[name]
    proxies = name in ("proxy_anchor", "arcface", "cosface")
    loss = build_loss(loss_name, {**options, **({"num_classes": size // PHOTOS} if proxies else {})})
    variables = []
    if proxies:
        loss.state.build((None, DIM))
        variables = [loss.state.proxies.value]

    @tf.function(jit_compile=mode == "jit")
    def step(rows: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(rows)
            value = loss(labels, rows)
        return value, tape.gradient(value, [rows, *variables])

    def once() -> float:
        value, gradients = step(rows, labels)
        gradients[0].numpy()
        return float(value)

    return measure(once, before, repeats, clock)


def run_peer(name: str, size: int, threads: int, repeats: int, clock: str) -> dict[str, float]:
    """Measure pytorch-metric-learning's counterpart."""
    import torch
    from pytorch_metric_learning import distances, losses, miners, reducers

    torch.set_num_threads(threads)
    before = resident_gib("VmRSS")
    vectors, pairs = batch(size)
    rows, labels = torch.tensor(vectors, requires_grad=True), torch.tensor(pairs[:, 0]).long()  # type: ignore[index]
    l2 = distances.LpDistance(normalize_embeddings=False)
    triplet = losses.TripletMarginLoss(margin=0.5, distance=l2, reducer=reducers.MeanReducer())
    classes = size // PHOTOS
    loss, miner = {
        "triplet_hard": lambda: (triplet, miners.BatchHardMiner(distance=l2)),
        "triplet_semihard": lambda: (triplet, miners.TripletMarginMiner(0.5, "semihard", distance=l2)),
        "triplet_all": lambda: (triplet, None),
        "batch_contrastive": lambda: (losses.ContrastiveLoss(distance=l2), None),
        "infonce": lambda: (losses.NTXentLoss(0.07), None),
        "supcon": lambda: (losses.SupConLoss(0.1), None),
        "multi_similarity": lambda: (losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner(0.1)),
        "circle": lambda: (losses.CircleLoss(), None),
        "proxy_anchor": lambda: (losses.ProxyAnchorLoss(classes, DIM), None),
        "arcface": lambda: (losses.ArcFaceLoss(classes, DIM), None),
        "cosface": lambda: (losses.CosFaceLoss(classes, DIM), None),
    }[name]()

    def once() -> float:
        rows.grad = None
        loss.zero_grad()
        value = loss(rows, labels, miner(rows, labels)) if miner else loss(rows, labels)
        value.backward()
        return float(value.detach())

    return measure(once, before, repeats, clock)


def start(python: str, child: str, arguments: argparse.Namespace) -> dict[str, float] | str:
    """Run one measurement in a process of its own; return it, or in words why there is none."""
    threads = str(arguments.threads)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    command = [python, __file__, "--child", child, "--threads", threads, "--repeats", str(arguments.repeats)]
    command += ["--clock", arguments.clock]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    began = time.monotonic()
    while process.poll() is None:
        time.sleep(0.02)
        try:
            status = Path(f"/proc/{process.pid}/statm").read_text().split()
        except FileNotFoundError:
            break
        used_gib = int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30 if status else 0.0
        if used_gib > arguments.limit_gib or time.monotonic() - began > arguments.limit_s:
            process.kill()
            process.wait()
            return f">{arguments.limit_gib:g} GiB" if used_gib > arguments.limit_gib else f">{arguments.limit_s:g} s"
    out, err = process.communicate()
    if process.returncode:
        return f"failed: {(err.strip().splitlines() or [f'exit code {process.returncode}'])[-1][:80]}"
    return json.loads(out.strip().splitlines()[-1])


def show(result: dict[str, float] | str) -> str:
    """Return "12.3 ms 0.10 GiB" or the words."""
    return result if isinstance(result, str) else f"{1e3 * result['seconds']:9.1f} ms {result['gib']:5.2f} GiB"


def ratio(peer: dict[str, float] | str, ours: dict[str, float] | str) -> str:
    """Return how many times faster ours is."""
    if isinstance(peer, str) or isinstance(ours, str):
        return "-"
    return f"{peer['seconds'] / ours['seconds']:.1f}×"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--losses", default=",".join(OURS))
    parser.add_argument("--batches", default="64,256,1024,2048,4096,8192")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy")
    parser.add_argument("--limit-gib", type=float, default=8.0)
    parser.add_argument("--limit-s", type=float, default=180.0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, name, size = arguments.child.split(":")
        common = (arguments.threads, arguments.repeats, arguments.clock)
        peer = kind == "peer"
        result = run_peer(name, int(size), *common) if peer else run_ours(name, int(size), kind, *common)
        print(json.dumps(result))
        return
    print("| loss | batch | graph | XLA | pytorch-metric-learning | graph faster | XLA faster |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for name in arguments.losses.split(","):
        for size in arguments.batches.split(","):
            graph, jit = (start(sys.executable, f"{mode}:{name}:{size}", arguments) for mode in ("graph", "jit"))
            peer = start(arguments.peer, f"peer:{name}:{size}", arguments)
            cells = [name, size, show(graph), show(jit), show(peer), ratio(peer, graph), ratio(peer, jit)]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
