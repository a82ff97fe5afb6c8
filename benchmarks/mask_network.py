"""Train networks of the masks by landmarks ("handnet-synthetic-mask"), from synthetic hands alone, in PyTorch on a GPU.

Commands: python benchmarks/mask_hands.py data/mask-hands.npz
          python benchmarks/mask_network.py data/mask-hands.npz FOLDER --seconds 505 --workers 9

Examples are those of `benchmarks/mask_examples.py`, made by `--workers` processes while networks are trained; each is shown a few
times, in other light. All networks see the same examples. FOLDER gets a file of weights for each, from time to time and at
the end, and log.json. The last 100 hands are kept for the figures that are printed. Convolutions are trained with batch
normalisation, which is folded into kernels and biases before these are written as float16.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from mask_examples import KINDS, Pool, draw_grounds, draw_noises, make_example
from mask_hands import draw_hand
from mask_measures import measure_distance, measure_palm_width, measure_pixels

from handnet.images.hand.mask_rule import NEVER, SIZE_PX

PACKET, KEPT_HANDS, KEPT_EXAMPLES = 32, 100, 480
# A worker draws so many grounds first, and another one after so many examples.
FIRST_GROUNDS, GROUND_EVERY = 90, 16
PIXELS = SIZE_PX * SIZE_PX
# Bytes of an example: picture, inside, cover, rest, weight, landmarks.
PARTS = (3 * PIXELS, PIXELS, PIXELS, PIXELS, PIXELS, 21 * 2 * 4)
MEASURES, COLORS, ROW = tuple(range(9)), (9, 10, 11), 12


class Plan(NamedTuple):
    """A network and how it is trained.

    Attributes:
        sees: numbers of the measures that it sees.
        widths: outputs at full size and after each halving.
        refines: whether a convolution more follows at full size.
        edges: whether pixels near the hand's border and those where the first mask is wrong count more, and a map at half the
            size is trained as well.
        paper: how much paper counts that was cut out with the hand, as a part of it.
    """

    sees: tuple[int, ...]
    widths: tuple[int, ...] = (16, 32, 48, 72, 96)
    refines: bool = False
    edges: bool = True
    paper: float = 1.0


PLANS = {
    "long": Plan(MEASURES, (8, 16, 32, 48, 64), edges=False),
    "seen": Plan((*MEASURES, *COLORS, ROW), edges=False),
    "edges": Plan((*MEASURES, *COLORS, ROW)),
    "bare": Plan((*MEASURES, *COLORS, ROW), paper=0.0),
    "big": Plan((*MEASURES, *COLORS, ROW), (16, 32, 56, 80, 96), refines=True),
    "direct": Plan((0, 1, 2, 3, 6, 8, *COLORS, ROW), (16, 32, 56, 80, 96), refines=True),
}


class Network(nn.Module):
    """As `handnet.images.hand.mask_network`, with batch normalisation."""

    def __init__(self, plan: Plan) -> None:
        """Build the network of a plan."""
        super().__init__()
        self.plan, self.layers = plan, nn.ModuleDict()
        fine, *widths = plan.widths
        self._add("fine", len(plan.sees), fine, 3)
        for level, (before, width) in enumerate(zip(plan.widths, widths, strict=False)):
            self._add(f"down{level}", before, width, 3)
            self._add(f"stay{level}", width, width, 3)
            self._add(f"narrow{level}", width, before, 1)
            self._add(f"join{level}", before, before, 3)
        if plan.refines:
            self._add("refine", fine, fine, 3)
        self.layers["logit"] = nn.Conv2d(fine, 1, 1)
        self.coarse = nn.Conv2d(widths[0], 1, 1)

    def _add(self, name: str, inputs: int, outputs: int, side: int) -> None:
        self.layers[name] = nn.Conv2d(inputs, outputs, side, bias=False)
        self.layers[f"{name}_norm"] = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.02)

    def _convolve(self, name: str, values: torch.Tensor, step: int = 1, bends: bool = True) -> torch.Tensor:
        layer = self.layers[name]
        if layer.kernel_size[0] == 3:
            # As TensorFlow pads: with a step of two on one side alone.
            values = functional.pad(values, (0, 1, 0, 1) if step == 2 else (1, 1, 1, 1))
        values = functional.conv2d(values, layer.weight, None, step)
        values = self.layers[f"{name}_norm"](values)
        return functional.relu(values) if bends else values

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (B, 1, S, S) and those at half the size for all measures (B, 13, S, S)."""
        here = self._convolve("fine", pixels[:, list(self.plan.sees)])
        across, half = [], here
        for level in range(len(self.plan.widths) - 1):
            across.append(here)
            here = self._convolve(f"stay{level}", self._convolve(f"down{level}", here, 2))
        for level in reversed(range(len(self.plan.widths) - 1)):
            half = here
            below = self._convolve(f"narrow{level}", here, bends=False)
            below = functional.interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=False)
            here = self._convolve(f"join{level}", across[level] + below)
        if self.plan.refines:
            here = self._convolve("refine", here)
        return self.layers["logit"](here), self.coarse(half)

    def fold(self) -> dict[str, npt.NDArray[np.float16]]:
        """Return kernels, (height, width, inputs, outputs), and biases, batch normalisation folded in."""
        arrays = {}
        for name, layer in self.layers.items():
            if not isinstance(layer, nn.Conv2d):
                continue
            kernel = layer.weight.detach().double()
            if layer.bias is None:
                norm = self.layers[f"{name}_norm"]
                gain = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
                kernel, bias = kernel * gain[:, None, None, None], norm.bias.detach() - norm.running_mean * gain
            else:
                bias = layer.bias.detach()
            arrays[f"{name}.kernel"] = kernel.permute(2, 3, 1, 0).cpu().numpy().astype(np.float16)
            arrays[f"{name}.bias"] = bias.cpu().numpy().astype(np.float16)
        return arrays


def describe(packed: torch.Tensor, random: torch.Generator | None) -> tuple[torch.Tensor, ...]:
    """Return what is seen (B, 13, S, S), the share of hand, that of paper, and how much each pixel counts, (B, 1, S, S).

    Args:
        packed: uint8 (B, bytes), examples.
        random: decides the light; None for the light that was drawn.
    """
    parts = packed.split(PARTS, 1)
    picture = parts[0].view(-1, SIZE_PX, SIZE_PX, 3).permute(0, 3, 1, 2).float() / 255
    layers = torch.stack([part.view(-1, SIZE_PX, SIZE_PX) for part in parts[1:5]], 1).float()
    landmarks = parts[5].contiguous().view(torch.float32).view(-1, 21, 2)
    # As the front end: a thumb on the right is shown in the mirror.
    index, little = (landmarks[:, k] - landmarks[:, 0] for k in (5, 17))
    right = index[:, 1] * little[:, 0] < index[:, 0] * little[:, 1]
    mirrored = torch.stack([landmarks[..., 0], (SIZE_PX - 1) / SIZE_PX - landmarks[..., 1]], -1)
    landmarks = torch.where(right[:, None, None], mirrored, landmarks)
    picture, layers = (torch.where(right[:, None, None, None], v.flip(3), v) for v in (picture, layers))
    if random is not None:
        count, on = len(picture), packed.device
        draw = lambda *shape: torch.rand(*shape, 1, 1, generator=random, device=on)  # noqa: E731
        gains = 2 ** ((draw(count, 3) - 0.5) * 0.3 + (draw(count, 1) - 0.5) * 0.5)
        picture = (picture.clamp(min=1e-4) ** (2 ** ((draw(count, 1) - 0.5) * 0.5)) * gains).clamp(0, 1)
        orders = torch.tensor([[0, 1, 2]] * 7 + [[2, 1, 0], [1, 0, 2], [1, 2, 0]], device=on)
        order = orders[torch.randint(len(orders), (count,), generator=random, device=on)]
        picture = picture.gather(1, order[:, :, None, None].expand_as(picture))
        picture = (picture * 255).round() / 255
    inside, cover, rest, weight = layers.split(1, 1)
    distance = measure_distance(landmarks, SIZE_PX)
    pixels = measure_pixels(picture, distance, inside)
    rows = torch.arange(SIZE_PX, device=packed.device)[:, None].expand(SIZE_PX, SIZE_PX) / SIZE_PX
    row = (rows - landmarks[:, 0, 0, None, None]) / measure_palm_width(landmarks)[:, None, None]
    pixels = torch.cat([pixels, 2 * picture - 1, row[:, None].clamp(-2, 1)], 1)
    return pixels, cover / 255, rest / 255, weight / 255 * (distance < NEVER).float() * inside


def compute_loss(
    plan: Plan, outputs: tuple[torch.Tensor, torch.Tensor], seen: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Return the loss of a network on what `describe` returned."""
    pixels, cover, rest, weight = seen
    weight = weight * (1 - rest * (1 - plan.paper))
    logits = outputs[0].float()
    if plan.edges:
        border = functional.max_pool2d(cover, 5, 1, 2) + functional.max_pool2d(-cover, 5, 1, 2)
        first = ((pixels[:, 7:8] + 1) / 2).clamp(0, 1)
        weight = weight * (1 + 2 * border + 2 * (cover - first).abs())
    losses = functional.binary_cross_entropy_with_logits(logits, cover, reduction="none")
    loss = (losses * weight).sum() / weight.sum()
    if plan.edges:
        small, share = functional.avg_pool2d(cover, 2), functional.avg_pool2d(weight, 2)
        losses = functional.binary_cross_entropy_with_logits(outputs[1].float(), small, reduction="none")
        loss = loss + 0.3 * (losses * share).sum() / share.sum()
    return loss


def draw_pool(file: Path, folder: Path, workers: int) -> None:
    """Write the hands of a file to a folder; draw them again where the file has their landmarks alone."""
    with np.load(file) as arrays:
        np.save(folder / "landmarks.npy", arrays["landmarks"])
        if "light" in arrays.files:
            for name in ("light", "cover", "sleeve"):
                np.save(folder / f"{name}.npy", arrays[name])
            return
        numbers = [(int(arrays["seed"]), number) for number in range(len(arrays["landmarks"]))]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        drawn = pool.starmap(_draw_bytes, numbers, chunksize=4)
    for name, values in zip(("light", "cover", "sleeve"), zip(*drawn, strict=True), strict=True):
        np.save(folder / f"{name}.npy", np.stack(values))


def _draw_bytes(seed: int, number: int) -> tuple[npt.NDArray[np.uint8], ...]:
    light, cover, sleeve, _ = draw_hand(seed, number)
    layers = np.moveaxis(light, 0, -1), 255 * cover, 255 * sleeve
    return tuple(np.round(values).astype(np.uint8) for values in layers)


def _make_packets(sender: connection.Connection, folder: Path, seed: int, worker: int, kept: int) -> None:
    """Send packets of examples without end: of a worker's own numbers, after those of the kept hands that are wanted."""
    hands = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("light", "cover", "sleeve", "landmarks")]
    keep = min(KEPT_HANDS, len(hands[0]) // 4)
    noises, kinds = draw_noises(seed + worker), list(KINDS)
    random = np.random.default_rng([seed, worker, 5])
    if kept:
        pool = Pool(*(values[-keep:] for values in hands), draw_grounds(seed + 999, 90), noises)
        for first in range(0, kept, PACKET):
            sender.send_bytes(b"k" + _pack(pool, seed + 1, range(first, min(kept, first + PACKET))))
    grounds = draw_grounds(1000 * seed + worker, FIRST_GROUNDS)
    pool = Pool(*(values[:-keep] for values in hands), grounds, noises)
    number = 0
    while True:
        # All workers have numbers of their own.
        sender.send_bytes(b"t" + _pack(pool, seed, range(worker * 10**8 + number, worker * 10**8 + number + PACKET)))
        number += PACKET
        for _ in range(PACKET // GROUND_EVERY):
            kind = kinds[random.integers(len(kinds))]
            grounds[random.integers(len(grounds))] = draw_grounds(int(random.integers(2**40)), 1, (kind,))[0]


def _pack(pool: Pool, seed: int, numbers: range) -> bytes:
    packed = []
    for number in numbers:
        one = make_example(pool, seed, number)
        layers = one.picture, one.inside, one.cover, one.rest, one.weight
        packed += [np.ascontiguousarray(layer, np.uint8).tobytes() for layer in layers]
        packed.append(one.landmarks.astype(np.float32).tobytes())
    return b"".join(packed)


@contextlib.contextmanager
def start_workers(folder: Path, seed: int, count: int, kept: int) -> Iterator["queue.Queue[tuple[bool, Any]]"]:
    """Start processes that make examples; give a queue of (whether they are kept ones, uint8 (N, bytes))."""
    context, received = multiprocessing.get_context("fork"), queue.Queue(maxsize=96)
    processes, readers = [], []
    for worker in range(count):
        reader, sender = context.Pipe(duplex=False)
        arguments = (sender, folder, seed, worker, kept if worker == 0 else 0)
        processes.append(context.Process(target=_make_packets, args=arguments, daemon=True))
        processes[-1].start()
        sender.close()
        readers.append(reader)

    def receive() -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                for reader in connection.wait(readers):
                    message = np.frombuffer(reader.recv_bytes(), np.uint8)
                    received.put((bytes(message[:1]) == b"k", message[1:].reshape(-1, sum(PARTS))))

    threading.Thread(target=receive, daemon=True).start()
    try:
        yield received
    finally:
        for process in processes:
            process.terminate()


def write_networks(folder: Path, networks: dict[str, Network], log: dict[str, Any]) -> None:
    """Write all weights and the log, each file whole or not at all."""
    for name, network in networks.items():
        np.savez(folder / f"{name}.part.npz", **network.fold())
        os.replace(folder / f"{name}.part.npz", folder / f"{name}.npz")
    (folder / "log.part").write_text(json.dumps(log), encoding="utf-8")
    os.replace(folder / "log.part", folder / "log.json")


@torch.no_grad()
def count_common(network: Network, kept: torch.Tensor, batch: int) -> float:
    """Return the mean intersection over union on kept examples."""
    network.eval()
    shares = []
    for some in kept.split(batch):
        pixels, cover, _, weight = describe(some, None)
        found, known, counted = network(pixels)[0] > 0, cover > 0.5, weight > 0.5
        common, either = ((both & counted).sum((1, 2, 3)).float() for both in (found & known, found | known))
        shares.append(common / either.clamp(min=1))
    network.train()
    return float(torch.cat(shares).mean())


def train(received: "queue.Queue[tuple[bool, Any]]", arguments: argparse.Namespace, begin: float) -> None:
    """Train all networks until the time is over."""
    on = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(arguments.seed)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = True, False
    random = torch.Generator(on).manual_seed(arguments.seed)
    names = arguments.networks.split(",")
    networks = {name: Network(PLANS[name]).to(on, memory_format=torch.channels_last) for name in names}
    for name, network in networks.items():
        print(f"{name}: {sum(values.numel() for values in network.parameters()):,} numbers", flush=True)
    fused = {"fused": True} if on.type == "cuda" else {}
    optimizers = {
        name: torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-4, **fused)
        for name, network in networks.items()
    }
    ring = torch.zeros((arguments.ring, sum(PARTS)), dtype=torch.uint8, device=on)
    total, step, kept = 0, 0, []
    losses = {name: torch.zeros((), device=on) for name in names}
    log: dict[str, Any] = {"steps": [], "kept": {}}
    end, wrote, first_step, said = begin + arguments.seconds, time.monotonic(), 0.0, 0
    while time.monotonic() < end:
        while total < arguments.fill or not received.empty():
            is_kept, packet = received.get()
            if is_kept:
                kept.append(torch.from_numpy(packet.copy()))
            else:
                places = (torch.arange(len(packet)) + total) % len(ring)
                ring[places.to(on)] = torch.from_numpy(packet.copy()).to(on)
                total += len(packet)
        first_step = first_step or time.monotonic()
        part = min(1.0, (time.monotonic() - first_step) / max(end - first_step, 1.0))
        # Slowly up, then down as a cosine, by the clock.
        rate = arguments.rate * min(1.0, part / 0.04 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * part) + 0.003)
        chosen = torch.randint(min(total, len(ring)), (arguments.batch,), generator=random, device=on)
        seen = describe(ring[chosen], random)
        seen = (seen[0].contiguous(memory_format=torch.channels_last), *seen[1:])
        for name, network in networks.items():
            with torch.autocast(on.type, torch.bfloat16, enabled=on.type == "cuda"):
                outputs = network(seen[0])
            loss = compute_loss(network.plan, outputs, seen)
            optimizers[name].zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for group in optimizers[name].param_groups:
                group["lr"] = rate
            optimizers[name].step()
            losses[name] += loss.detach()
        step += 1
        if step % arguments.say == 0:
            means = {name: round(float(value) / (step - said), 4) for name, value in losses.items()}
            if not all(math.isfinite(value) for value in means.values()):
                print(f"a loss is no number: {means}", flush=True)
            for value in losses.values():
                value.zero_()
            said, seconds = step, round(time.monotonic() - begin)
            log["steps"].append({"step": step, "seconds": seconds, "made": total, "rate": rate, "loss": means})
            print(f"step {step}, {seconds} s, {total:,} examples made, rate {rate:.1e}: {means}", flush=True)
        if time.monotonic() - wrote > 45:
            write_networks(arguments.out, networks, log)
            wrote = time.monotonic()
    write_networks(arguments.out, networks, log)
    if kept:
        together = torch.cat(kept).to(on)
        log["kept"] = {name: count_common(network, together, arguments.batch) for name, network in networks.items()}
        print(f"{len(together)} examples of kept hands, intersection over union: {log['kept']}", flush=True)
        write_networks(arguments.out, networks, log)


def main() -> None:
    """Draw what is needed, train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hands", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=505, help="Time for everything.")
    parser.add_argument("--workers", type=int, default=9)
    parser.add_argument("--networks", default=",".join(PLANS))
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--ring", type=int, default=60_000, help="Examples that are kept to show again.")
    parser.add_argument("--fill", type=int, default=2_000, help="Examples before the first step.")
    parser.add_argument("--say", type=int, default=50, help="Steps between two lines.")
    parser.add_argument("--kept", type=int, default=KEPT_EXAMPLES, help="Examples of kept hands, for the figures.")
    arguments = parser.parse_args()
    begin = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        draw_pool(arguments.hands, Path(folder), arguments.workers)
        print(f"hands drawn, {time.monotonic() - begin:.0f} s", flush=True)
        with start_workers(Path(folder), arguments.seed, arguments.workers, arguments.kept) as received:
            train(received, arguments, begin)
    print(f"done, {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
