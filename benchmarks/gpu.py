"""DINOv2-B on a GPU: Keras on JAX compared with compiled PyTorch, forward and fine-tuning, and the losses; one run.

Command: python benchmarks/gpu.py [--arch dino] [--batches 64,256] [--rows 8192] [--engines handnet,timm,…] [--out FILE]

The interpreter needs jax (with CUDA), keras, torch and timm; transformers, keras-hub and pytorch-metric-learning are measured
where it has them. TensorFlow is not needed. Each engine is a process of its own and has the GPU to itself; the first lines name
the card and the versions. Without a GPU it is a trial run: --arch dino-tiny --batches 2 --rows 64.

Random weights, random photos (0..255) that lie on the GPU already: input is not measured. Forward: images to vectors.
Fine-tuning step: every weight trained, batch-hard triplet loss on 256-d unit vectors, 4 photos a person, AdamW; matrix
products in bfloat16, weights and AdamW's averages in float32 (Keras's mixed_bfloat16, torch's autocast). All is compiled
(jax.jit, torch.compile), which is not counted. Time is the median of the rounds, each of several steps in a row that end
with waiting for the GPU. A floating-point operation is an addition or a multiplication; a training step counts as three
forward passes; the peak is what the data sheet of the H100 SXM says of dense bfloat16, 989 TFLOP/s. Memory is what the step
allocates at its highest, weights included.
"""

import argparse
import importlib.metadata
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loss_cases import DIM, MARGIN, PHOTOS, build_ours, build_peer, draw_rows

ROOT = Path(__file__).resolve().parents[1]
PEAK_TFLOPS = 989.0
LEARNING_RATE = 1e-5
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
PACKAGES = ("jax", "keras", "keras-hub", "torch", "timm", "transformers", "pytorch-metric-learning")
# engine: what it is
ENGINES = {
    "handnet": "handnet's transformer, Keras on JAX",
    "keras-hub": "keras-hub's DINOV2Backbone, Keras on JAX",
    "timm": "timm, torch.compile",
    "timm-bfloat16": "timm, torch.compile, weights in bfloat16 too (forward only)",
    "transformers": "transformers' Dinov2Model, torch.compile",
    "losses": "handnet's losses, jax.jit",
    "losses-peer": "pytorch-metric-learning",
}
LOSSES = ("triplet_hard", "batch_contrastive", "infonce", "multi_similarity", "arcface")


def count_flop(size: Any, image_px: int, class_only: bool = False) -> float:
    """Return the floating-point operations of one photo's forward pass: matrix products and attention.

    Multiplications and additions per block and token: 4 width² for queries, keys, values and projection, 2 width · hidden for the
    feed-forward part, 2 tokens · width for attention; and once the patches' projection. `class_only`: after the last block's
    queries, keys and values the class token alone goes on, as in handnet's.
    """
    patches = (image_px // size.patch_px) ** 2
    tokens = 1 + patches

    def count_block(tokens_out: int) -> int:
        made = 3 * tokens * size.width**2 + 2 * tokens * tokens_out * size.width
        return made + tokens_out * (size.width**2 + 2 * size.width * size.hidden_width)

    blocks = (size.num_blocks - 1) * count_block(tokens) + count_block(1 if class_only else tokens)
    return 2.0 * (blocks + patches * 3 * size.patch_px**2 * size.width)


def time_steps(step: Callable[[], object], wait: Callable[[], object], rounds: int, seconds: float = 0.7) -> float:
    """Return the median seconds of a step; a round lasts about `seconds`."""
    step()
    wait()
    begin = time.perf_counter()
    step()
    wait()
    steps = max(2, min(50, round(seconds / max(time.perf_counter() - begin, 1e-6))))
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        wait()
        found.append((time.perf_counter() - begin) / steps)
    return statistics.median(found)


def find_size(arch: str) -> Any:
    """Return the numbers of a vision transformer of handnet's."""
    from handnet.networks.backbones.vision_transformer import dino

    sizes = {"dino": dino.BASE, "dino-small": dino.SMALL, "dino-large": dino.LARGE, "dino-tiny": dino.TINY}
    return sizes[arch]


@dataclass
class Case:
    """One thing to measure, compiled.

    Attributes:
        row: what is known of it already.
        step: starts one step.
        wait: waits until the GPU has done all steps.
        start: called once, before the first round.
        finish: called once, after the last; returns what is known then.
    """

    row: dict[str, object]
    step: Callable[[], object]
    wait: Callable[[], object]
    start: Callable[[], object]
    finish: Callable[[], dict[str, object]]

    def measure(self, rounds: int) -> dict[str, object]:
        """Return the row with the seconds of a step."""
        self.start()
        seconds = time_steps(self.step, self.wait, rounds)
        return self.row | {"seconds": seconds} | self.finish()


class KerasNetwork:
    """A network in Keras on JAX, as functions that JAX compiles.

    Args:
        arguments: the command's.
        hub: keras-hub's network instead of handnet's.
    """

    def __init__(self, arguments: argparse.Namespace, hub: bool) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        from handnet.losses import build_loss

        keras.config.set_dtype_policy("mixed_bfloat16")
        self.px = arguments.image
        images = keras.Input((self.px, self.px, 3))
        self.backbone, features = build_hub(arguments, images) if hub else build_own(arguments, images)
        vectors = keras.layers.UnitNormalization(dtype="float32")(keras.layers.Dense(DIM, dtype="float32")(features))
        self.model = keras.Model(images, vectors)
        self.loss = build_loss("triplet", {"mining": "hard", "margin": MARGIN})
        self.optimizer = keras.optimizers.AdamW(LEARNING_RATE)
        self.optimizer.build(self.model.trainable_variables)

    def forward(self, trained: Any, fixed: Any, photos: Any) -> Any:
        """Return the vectors."""
        return self.model.stateless_call(trained, fixed, photos, training=False)[0]

    def compute_loss(self, trained: Any, fixed: Any, photos: Any, labels: Any) -> Any:
        """Return the loss, and the weights that are not trained."""
        vectors, fixed = self.model.stateless_call(trained, fixed, photos, training=True)
        return self.loss(labels, vectors), fixed

    def train(self, state: Any, photos: Any, labels: Any) -> Any:
        """Return the state after a step, and the loss."""
        import jax

        trained, fixed, slots = state
        gradient = jax.value_and_grad(self.compute_loss, has_aux=True)
        (value, fixed), gradients = gradient(trained, fixed, photos, labels)
        trained, slots = self.optimizer.stateless_apply(slots, gradients, trained)
        return (trained, fixed, slots), value

    def read_weights(self) -> tuple[list[Any], list[Any]]:
        """Return the weights, trained and not."""
        return [v.value for v in self.model.trainable_variables], [v.value for v in self.model.non_trainable_variables]

    def copy_state(self) -> Any:
        """Return a copy of weights and optimizer for a step, which gives its memory away."""
        import jax

        copies = [jax.tree.map(lambda v: v + 0, part) for part in self.read_weights()]
        return (*copies, [v.value + 0 for v in self.optimizer.variables])

    def draw(self, batch: int) -> tuple[Any, Any]:
        """Return photos and labels that lie on the GPU."""
        import jax
        import numpy as np

        photos = np.random.default_rng(batch).uniform(0, 255, (batch, self.px, self.px, 3)).astype(np.float32)
        labels = np.stack([np.arange(batch) // PHOTOS, np.arange(batch) % 2], axis=1).astype(np.int32)
        return jax.device_put(photos), jax.device_put(labels)

    def lower(self, mode: str, batch: int) -> Any:
        """Return the traced function, to be compiled."""
        import jax

        photos, labels = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), self.draw(batch))
        if mode == "forward":
            return jax.jit(self.forward).lower(*self.read_weights(), photos)
        state = (*self.read_weights(), [v.value for v in self.optimizer.variables])
        return jax.jit(self.train, donate_argnums=0).lower(state, photos, labels)

    def case(self, mode: str, batch: int, compiled: Any, compile_s: float) -> Case:
        """Return the compiled function as a case; its arrays live from `start` to `finish`."""
        import jax

        memory = compiled.memory_analysis()
        parts = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
        held: dict[str, Any] = {}

        def start() -> None:
            photos, labels = self.draw(batch)
            held.update(photos=photos, labels=labels, state=self.read_weights())
            if mode == "fine-tuning":
                held["state"] = self.copy_state()

        def step() -> None:
            if mode == "forward":
                held["last"] = compiled(*held["state"], held["photos"])
            else:
                held["state"], held["last"] = compiled(held["state"], held["photos"], held["labels"])

        def finish() -> dict[str, object]:
            last = held["last"]
            held.clear()
            if mode == "forward":
                return {}
            assert math.isfinite(float(last)), "the loss is not finite"
            parameters = sum(math.prod(v.shape) for v in self.backbone.trainable_variables)
            return {"loss": float(last), "parameters": parameters}

        gib = (parts - memory.alias_size_in_bytes) / 2**30
        row = {"mode": mode, "batch": batch, "gib": gib, "compile_s": compile_s}
        return Case(row, step, lambda: jax.block_until_ready(held["last"]), start, finish)


def build_own(arguments: argparse.Namespace, images: Any) -> tuple[Any, Any]:
    """Return handnet's backbone and its features of the images."""
    from handnet.networks.backbones.build import build_backbone

    backbone = build_backbone(arguments.arch, image_size_px=arguments.image)
    return backbone, backbone(images)


def build_hub(arguments: argparse.Namespace, images: Any) -> tuple[Any, Any]:
    """Return keras-hub's backbone and its features of the images."""
    import keras
    import keras_hub
    import numpy as np

    size, px = find_size(arguments.arch), arguments.image
    backbone = keras_hub.models.DINOV2Backbone(
        patch_size=size.patch_px,
        num_layers=size.num_blocks,
        hidden_dim=size.width,
        num_heads=size.num_heads,
        intermediate_dim=size.hidden_width,
        layer_scale_init_value=1.0,
        num_register_tokens=0,
        use_mask_token=False,
        position_embedding_shape=(px, px),
        image_shape=(px, px, 3),
    )
    return backbone, backbone(keras.layers.Normalization(mean=MEAN, variance=np.square(STD))(images))[:, 0]


def compile_keras(arguments: argparse.Namespace, hub: bool) -> Iterator[Case]:
    """Yield the cases of a network in Keras on JAX."""
    network = KerasNetwork(arguments, hub)
    for batch in arguments.batches:
        for mode in ("forward", "fine-tuning"):
            began = time.perf_counter()
            compiled = network.lower(mode, batch).compile()
            yield network.case(mode, batch, compiled, time.perf_counter() - began)


def compile_torch(arguments: argparse.Namespace, library: str, pure: bool) -> Iterator[Case]:
    """Yield the cases of a network in torch, compiled."""
    import torch
    from torch import nn
    from torch.nn import functional

    size, px = find_size(arguments.arch), arguments.image
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if library == "timm":
                from timm.models.vision_transformer import VisionTransformer

                self.backbone = VisionTransformer(
                    img_size=px,
                    patch_size=size.patch_px,
                    num_classes=0,
                    embed_dim=size.width,
                    depth=size.num_blocks,
                    num_heads=size.num_heads,
                    mlp_ratio=size.hidden_width / size.width,
                    init_values=1.0,
                )
            else:
                from transformers import Dinov2Config, Dinov2Model

                config = Dinov2Config(
                    hidden_size=size.width,
                    num_hidden_layers=size.num_blocks,
                    num_attention_heads=size.num_heads,
                    mlp_ratio=size.hidden_width // size.width,
                    image_size=px,
                    patch_size=size.patch_px,
                    layerscale_value=1.0,
                )
                self.backbone = Dinov2Model(config)
            self.head = nn.Linear(size.width, DIM)
            self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
            self.register_buffer("std", torch.tensor(STD)[:, None, None])

        def forward(self, photos: Any) -> Any:
            features = self.backbone((photos - self.mean) / self.std)
            features = features if library == "timm" else features.last_hidden_state[:, 0]
            return functional.normalize(self.head(features).float(), dim=1)

    def compute_loss(vectors: Any, people: Any) -> Any:
        distances = torch.sqrt((2.0 - 2.0 * vectors @ vectors.T).clamp_min(1e-12))
        same = people[:, None] == people[None]
        farthest = distances.masked_fill(~same, -math.inf).amax(1)
        nearest = distances.masked_fill(same, math.inf).amin(1)
        return functional.relu(farthest - nearest + MARGIN).mean()

    model = Encoder().to(device)
    if pure:
        model = model.bfloat16()
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, fused=device == "cuda")

    def run(photos: Any) -> Any:
        with torch.autocast(device, torch.bfloat16, enabled=not pure):
            return model(photos)

    def compute(photos: Any, people: Any) -> Any:
        vectors = run(photos)
        with torch.autocast(device, enabled=False):
            return compute_loss(vectors, people)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def highest_gib() -> float:
        return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0

    for batch in arguments.batches:
        generator = torch.Generator().manual_seed(batch)
        photos = (255.0 * torch.rand((batch, 3, px, px), generator=generator)).to(device)
        photos = photos.bfloat16() if pure else photos
        people = (torch.arange(batch) // PHOTOS).to(device)
        for mode in ("forward",) if pure else ("forward", "fine-tuning"):
            compiled = torch.compile(run if mode == "forward" else compute, dynamic=False)
            last: list[Any] = [None]
            given = (photos,) if mode == "forward" else (photos, people)

            def step(compiled: Any = compiled, last: Any = last, given: Any = given) -> None:
                if len(given) == 1:
                    with torch.inference_mode():
                        last[0] = compiled(*given)
                    return
                optimizer.zero_grad(set_to_none=True)
                last[0] = compiled(*given)
                last[0].backward()
                optimizer.step()

            def start(mode: str = mode) -> None:
                model.train(mode != "forward")
                if device == "cuda":
                    torch.cuda.reset_peak_memory_stats()

            def finish(mode: str = mode, last: Any = last) -> dict[str, object]:
                optimizer.zero_grad(set_to_none=True)
                row: dict[str, object] = {"gib": highest_gib()}
                if mode == "fine-tuning":
                    row |= {"loss": float(last[0]), "parameters": sum(p.numel() for p in model.backbone.parameters())}
                last[0] = None
                if device == "cuda":
                    torch.cuda.empty_cache()
                return row

            start()
            began = time.perf_counter()
            step()
            wait()
            compile_s = time.perf_counter() - began
            yield Case({"mode": mode, "batch": batch, "compile_s": compile_s}, step, wait, start, finish)


def measure_losses(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield the time of handnet's losses with their gradients, compiled by jax.jit."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    rows, labels = map(jax.device_put, draw_rows(arguments.rows))
    for name in LOSSES:
        loss, variables = build_ours(name, arguments.rows)

        def compute(given: Any, labels: Any, loss: Any = loss, variables: Any = variables) -> Any:
            vectors, *values = given
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss(labels, vectors)

        given = [rows, *[v.value for v in variables]]
        compiled = jax.jit(jax.value_and_grad(compute)).lower(given, labels).compile()
        gib = compiled.memory_analysis().temp_size_in_bytes / 2**30
        last: list[Any] = [None]

        def step(compiled: Any = compiled, given: Any = given, last: Any = last) -> None:
            last[0] = compiled(given, labels)

        seconds = time_steps(step, lambda last=last: jax.block_until_ready(last[0]), arguments.rounds, 0.2)
        yield {"mode": name, "batch": arguments.rows, "seconds": seconds, "gib": gib, "loss": float(last[0][0])}


def measure_peer_losses(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield the same of pytorch-metric-learning's counterparts."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    vectors, pairs = draw_rows(arguments.rows)
    rows = torch.tensor(vectors, device=device, requires_grad=True)
    labels = torch.tensor(pairs[:, 0], device=device).long()

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    for name in LOSSES:
        loss, miner = build_peer(name, arguments.rows)
        loss = loss.to(device)
        last: list[Any] = [None]

        def step(loss: Any = loss, miner: Any = miner, last: Any = last) -> None:
            rows.grad = None
            loss.zero_grad()
            last[0] = loss(rows, labels, miner(rows, labels)) if miner else loss(rows, labels)
            last[0].backward()

        gib = 0.0
        try:
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            seconds = time_steps(step, wait, arguments.rounds, 0.2)
            gib = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
            yield {"mode": name, "batch": arguments.rows, "seconds": seconds, "gib": gib, "loss": float(last[0])}
        # A loss that does not fit the card's memory says so in its row.
        except RuntimeError as error:
            yield {"mode": name, "batch": arguments.rows, "failed": str(error).splitlines()[0][:100]}


def run_child(engine: str, arguments: argparse.Namespace) -> None:
    """Print one line of JSON for each measurement of an engine."""
    sys.path.insert(0, str(ROOT))
    networks = {
        "handnet": lambda: compile_keras(arguments, hub=False),
        "keras-hub": lambda: compile_keras(arguments, hub=True),
        "timm": lambda: compile_torch(arguments, "timm", pure=False),
        "timm-bfloat16": lambda: compile_torch(arguments, "timm", pure=True),
        "transformers": lambda: compile_torch(arguments, "transformers", pure=False),
    }
    losses = {"losses": measure_losses, "losses-peer": measure_peer_losses}
    rows = losses[engine](arguments) if engine in losses else (c.measure(arguments.rounds) for c in networks[engine]())
    for row in rows:
        print(json.dumps(row), flush=True)


def describe_card() -> str:
    """Return the name of the GPU and its driver, or that there is none."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no GPU: a trial run on the CPU"


def describe_versions() -> str:
    """Return the versions of the packages that are installed."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def show(engine: str, row: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Return one row of the table."""
    if "failed" in row:
        return f"| {ENGINES[engine]} | {row['mode']} | {row['batch']} | failed: {row['failed']} | | | |"
    cells = f"| {ENGINES[engine]} | {row['mode']} | {row['batch']} | {1e3 * row['seconds']:.2f} |"
    if engine.startswith("losses"):
        return f"{cells} | | {row['gib']:.2f} |"
    rate = row["batch"] / row["seconds"]
    factor = 3.0 if row["mode"] == "fine-tuning" else 1.0
    tflops = factor * rate * count_flop(find_size(arguments.arch), arguments.image, engine == "handnet") / 1e12
    return f"{cells} {rate:,.0f} | {tflops:.0f} TFLOP/s, {100 * tflops / PEAK_TFLOPS:.0f} % | {row['gib']:.1f} |"


def main() -> None:
    """Print a row as soon as it is measured, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="dino", choices=("dino", "dino-small", "dino-large", "dino-tiny"))
    parser.add_argument("--image", type=int, default=224, help="side of the photos, pixels")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[64, 256])
    parser.add_argument("--rows", type=int, default=8192, help="of the losses")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--out", type=Path, help="file for the rows as JSON")
    parser.add_argument("--child", choices=tuple(ENGINES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_child(arguments.child, arguments)
        return
    sys.path.insert(0, str(ROOT))
    flop = count_flop(find_size(arguments.arch), arguments.image)
    print(f"{describe_card()}; Python {sys.version.split()[0]}, {describe_versions()}")
    own = count_flop(find_size(arguments.arch), arguments.image, class_only=True)
    print(
        f"{arguments.arch}, {arguments.image} px: {flop / 1e9:.1f} GFLOP a photo forward, {3 * flop / 1e9:.1f} in a step; "
        f"handnet's {own / 1e9:.1f}, {3 * own / 1e9:.1f}\n"
    )
    print(
        "| engine | what | batch | ms | photos/s | of the peak | GiB |\n|---|---|---:|---:|---:|---:|---:|", flush=True
    )
    results: dict[str, list[dict[str, Any]]] = {}
    # By default JAX takes at most three quarters of the memory.
    memory = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.92"}
    environment = os.environ | memory | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    for engine in arguments.engines.split(","):
        command = [sys.executable, __file__, *sys.argv[1:], "--child", engine]
        # A file, not a pipe: nobody reads it before the end, and a full pipe would stop the child.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
            assert child.stdout
            for line in child.stdout:
                if not line.startswith("{"):
                    continue
                row = json.loads(line)
                results.setdefault(engine, []).append(row)
                print(show(engine, row, arguments), flush=True)
                if arguments.out:
                    arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
            if child.wait():
                errors.seek(0)
                last = (errors.read().strip().splitlines() or [f"exit code {child.returncode}"])[-1]
                print(f"| {ENGINES[engine]} | ended early: {last[:200]} | | | | | |", flush=True)
    print("\n| what | batch | handnet's time of the peer's |\n|---|---:|---|")
    for ours, peers in {
        "handnet": ("keras-hub", "timm", "timm-bfloat16", "transformers"),
        "losses": ("losses-peer",),
    }.items():
        for row in results.get(ours, []):
            for peer in peers:
                for other in results.get(peer, []):
                    if (other["mode"], other["batch"]) == (row["mode"], row["batch"]) and "seconds" in other:
                        share = 100 * row["seconds"] / other["seconds"]
                        print(f"| {row['mode']} | {row['batch']} | {share:.0f} % of {ENGINES[peer]} |")


if __name__ == "__main__":
    main()
