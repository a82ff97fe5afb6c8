"""Time and peak memory of each loss, forward and backward, compared with pytorch-metric-learning, in one run.

Command: python benchmarks/losses.py --peer PYTHON [--losses triplet_hard,…] [--batches 64,…,8192] [--repeats 5]

PYTHON is an interpreter with torch and pytorch-metric-learning (the one that runs this script, where it has them).
Each measurement is a process of its own with `--threads` threads, forked from one that has done the imports; for each
loss and batch ours and theirs run one after the other. Time is the median over repeats after two steps of warm-up
(compilation is not counted), memory the highest resident set during the steps less that before the first. A process
beyond `--limit-gib` or `--limit-s` is stopped and its row says so. "Products alone" is the floor: a graph that computes the
matrix products of forward and backward pass and nothing else, of rows with rows (two) or with proxies (three), the call and its
results included; "at most" is the peer's time by it. Batches are 4 photos (2 dorsal, 2 palmar) for each
identity, 256-d unit vectors.
"""

import argparse
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from loss_cases import OURS, PHOTOS, WITH_PROXIES, build_ours, build_peer, draw_rows

ROOT = Path(__file__).resolve().parents[1]


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


def run_ours(name: str, size: int, mode: str, threads: int, repeats: int, clock: str) -> dict[str, float]:
    """Measure handnet's loss in a tf.function, with XLA where the mode is "jit"."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    before = resident_gib("VmRSS")
    rows, labels = (tf.constant(x) for x in draw_rows(size))
    loss, trained = build_ours(name, size)
    variables = [variable.value for variable in trained]

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


def run_floor(name: str, size: int, threads: int, repeats: int, clock: str) -> dict[str, float]:
    """Measure the matrix products that the loss cannot do without, in a tf.function."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    before = resident_gib("VmRSS")
    rows = tf.constant(draw_rows(size)[0])
    others = rows[: size // PHOTOS] + 0.0 if name in WITH_PROXIES else rows

    @tf.function
    def step(rows: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        products = tf.matmul(rows, others, transpose_b=True)
        gradients = [tf.matmul(products, others)]
        if name in WITH_PROXIES:
            gradients.append(tf.matmul(products, rows, transpose_a=True))
        return products[0, 0], gradients

    def once() -> float:
        value, gradients = step(rows, others)
        gradients[0].numpy()
        return float(value)

    return measure(once, before, repeats, clock)


def run_peer(name: str, size: int, threads: int, repeats: int, clock: str) -> dict[str, float]:
    """Measure pytorch-metric-learning's counterpart."""
    import torch

    torch.set_num_threads(threads)
    before = resident_gib("VmRSS")
    vectors, pairs = draw_rows(size)
    rows, labels = torch.tensor(vectors, requires_grad=True), torch.tensor(pairs[:, 0]).long()
    loss, miner = build_peer(name, size)

    def once() -> float:
        rows.grad = None
        loss.zero_grad()
        value = loss(rows, labels, miner(rows, labels)) if miner else loss(rows, labels)
        value.backward()
        return float(value.detach())

    return measure(once, before, repeats, clock)


def serve(peer: bool, arguments: argparse.Namespace) -> None:
    """Do the imports, then answer each line "MODE:LOSS:BATCH" with one of JSON: a measurement, or why there is none."""
    sys.path.insert(0, str(ROOT))
    for module in ("torch", "pytorch_metric_learning") if peer else ("tensorflow", "handnet.losses"):
        importlib.import_module(module)
    for line in sys.stdin:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                mode, name, size = line.strip().split(":")
                common = (arguments.threads, arguments.repeats, arguments.clock)
                answer: dict[str, float] | str
                if peer:
                    answer = run_peer(name, int(size), *common)
                elif mode == "floor":
                    answer = run_floor(name, int(size), *common)
                else:
                    answer = run_ours(name, int(size), mode, *common)
            # The row's text is the error, of any kind.
            except Exception as error:
                answer = f"failed: {str(error).strip().splitlines()[0][:80]}" if str(error) else repr(error)
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
        os.close(writer)
        stopped = watch(child, arguments)
        with os.fdopen(reader) as answers:
            text = answers.read()
        print(json.dumps(stopped) if stopped else text or json.dumps("failed: it died"), flush=True)


def watch(child: int, arguments: argparse.Namespace) -> str:
    """Wait for a process and return "", or, where it goes beyond a limit, end it and return the limit."""
    began = time.monotonic()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.02)
        status = Path(f"/proc/{child}/statm").read_text().split()
        used_gib = int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30
        if used_gib > arguments.limit_gib or time.monotonic() - began > arguments.limit_s:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f">{arguments.limit_gib:g} GiB" if used_gib > arguments.limit_gib else f">{arguments.limit_s:g} s"
    return ""


def start(python: str, kind: str, arguments: argparse.Namespace) -> "subprocess.Popen[str]":
    """Start a process that measures: see `serve`."""
    threads = str(arguments.threads)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    command = [python, __file__, "--serve", kind, "--threads", threads, "--repeats", str(arguments.repeats)]
    command += ["--clock", arguments.clock, "--limit-gib", str(arguments.limit_gib)]
    command += ["--limit-s", str(arguments.limit_s)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]


def ask(server: "subprocess.Popen[str]", what: str) -> dict[str, float] | str:
    """Return one measurement, or in words why there is none."""
    assert server.stdin
    assert server.stdout
    server.stdin.write(f"{what}\n")
    server.stdin.flush()
    line = server.stdout.readline()
    if not line:
        raise SystemExit(f"{server.args[0]} cannot measure: are its packages installed?")  # type: ignore[index]
    return json.loads(line)


def show(result: dict[str, float] | str) -> str:
    """Return "12.3 ms 0.10 GiB" or the words."""
    return result if isinstance(result, str) else f"{1e3 * result['seconds']:.2f} ms {result['gib']:.2f} GiB"


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
    parser.add_argument("--serve", choices=("ours", "peer"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve == "peer", arguments)
        return
    ours, theirs = start(sys.executable, "ours", arguments), start(arguments.peer, "peer", arguments)
    from machine import describe_machine

    print(describe_machine(("tensorflow", "keras")), end="\n\n")
    names = "| loss | batch | graph | XLA | pytorch-metric-learning | graph faster | XLA faster | products alone | at most |"
    print(f"{names}\n|---|{'---:|' * (names.count('|') - 2)}", flush=True)
    for name in arguments.losses.split(","):
        for size in arguments.batches.split(","):
            graph, jit = (ask(ours, f"{mode}:{name}:{size}") for mode in ("graph", "jit"))
            peer, floor = ask(theirs, f"peer:{name}:{size}"), ask(ours, f"floor:{name}:{size}")
            cells = [name, size, show(graph), show(jit), show(peer), ratio(peer, graph), ratio(peer, jit)]
            cells += [show(floor), ratio(peer, floor)]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
