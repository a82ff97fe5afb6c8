"""The published recipe with a frozen DINOv2-B: a PyTorch script that does the same, compared with handnet's training on features.

    python benchmarks/frozen_recipe.py --peer PYTHON --data data/hands11k-fullres [--clock cpu]

PYTHON is an interpreter with torch, transformers and pillow. Theirs, in each step: 16 photos of 1600×1200 decoded by Pillow,
resized to 256, cropped to 224, through the backbone; head 768 → 512 → 256, batch-hard triplet loss by a Python loop, AdamW.
Ours: each photo decoded and through the backbone once (or `--views` times, augmented), by each of the engines, then the same
head, batch and number of updates from features by handnet's own pipeline and loss. "auto" is the engine that training
chooses here, with the check that training makes; "openvino:f32" is OpenVINO where a processor has no bfloat16 units.
"openvino-bfloat16", `features.engine` of that name, is measured where `--engines` names it.

Measured are a few steps of theirs, a few photos of our decode and backbone, and an epoch of our head. All is then extrapolated to
11k Hands: 128 people, 7,501 training photos, 160 steps an epoch, 30 epochs: 4,800 updates. Weights are random: the
arithmetic is the same. Loading, compilation and the first step are not counted; OpenVINO's conversion is. Theirs and ours take
their turns in every round, and each figure is its best.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from machine import CLOCKS, describe_machine, list_photos, start, time_best

NUM_PHOTOS, STEPS_PER_EPOCH, EPOCHS, BATCH = 7501, 160, 30, 16


def run_peer(photos: list[str], repeats: int, clock: str) -> dict[str, object]:
    """Measure a step of the recipe."""
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    backbone = Dinov2Model(Dinov2Config(image_size=518, patch_size=14)).eval()
    head = nn.Sequential(
        nn.Linear(768, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.1), nn.Linear(512, 256)
    ).train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-4, weight_decay=1e-4)
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    labels = [k // 2 for k in range(BATCH)]

    def read(path: str) -> np.ndarray:
        with Image.open(path) as file:
            photo = file.convert("RGB")
        scale = 256 / min(photo.size)
        photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
        left, top = (photo.width - 224) // 2, (photo.height - 224) // 2
        pixels = np.asarray(photo.crop((left, top, left + 224, top + 224)), np.float32)
        return ((pixels / 255 - mean) / std).transpose(2, 0, 1)

    def read_batch() -> torch.Tensor:
        return torch.from_numpy(np.stack([read(path) for path in photos]))

    def see(pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return backbone(pixels).last_hidden_state[:, 0]

    def learn(features: torch.Tensor) -> None:
        rows = nn.functional.normalize(head(features))
        distances = torch.cdist(rows, rows)
        terms = []
        for anchor, label in enumerate(labels):
            positives = [distances[anchor, k] for k, other in enumerate(labels) if other == label and k != anchor]
            negatives = [distances[anchor, k] for k, other in enumerate(labels) if other != label]
            terms.append(torch.relu(max(positives) - min(negatives) + 0.5))
        optimizer.zero_grad()
        torch.stack(terms).mean().backward()
        optimizer.step()

    pixels = read_batch()
    features = see(pixels)
    return {
        "decode": time_best(read_batch, repeats, clock),
        "backbone": time_best(lambda: see(pixels), repeats, clock),
        "head": time_best(lambda: learn(features), 10 * repeats, clock),
        "versions": describe_machine(("torch", "transformers", "pillow")).rpartition("; ")[2],
    }


def run_ours(photos: list[str], repeats: int, clock: str, engines: list[str]) -> dict[str, object]:
    """Measure the decode and the backbone of a photo by each engine, and a step of the head."""
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import keras
    import numpy as np

    from handnet.data.example import Example
    from handnet.embedding.engine_names import OPENVINO_BFLOAT16
    from handnet.embedding.engines import build_engine, choose_engine
    from handnet.embedding.feature_check import MAX_ASKED_ERROR, MAX_ERROR, NUM_CHECKED, check_features
    from handnet.embedding.features import FeatureViews
    from handnet.images.photo_store import build_decoder
    from handnet.losses import build_loss
    from handnet.networks.complete_config import complete_config
    from handnet.networks.encoder import build_encoder
    from handnet.training.batches import build_training_data, plan_training
    from handnet.training.optimizer import build_optimizer

    tree = {"model": {"arch": "dino", "weights": "none"}, "train": {"epochs": 10_000}}
    config = complete_config(tree)
    encoder = build_encoder(config)
    backbone, head = encoder.backbone, encoder.head
    decode = build_decoder(config.image)
    contents = [Path(photo).read_bytes() for photo in photos]
    images = np.stack([decode(data)[0] for data in contents])

    # As many people and photos as 11k Hands trains on; the time of a step does not depend on the features.
    people = [f"{k % 128}" for k in range(NUM_PHOTOS)]
    views = [("dorsal", "palmar")[k // 128 % 2] for k in range(NUM_PHOTOS)]
    examples = [Example("", person, view) for person, view in zip(people, views, strict=True)]
    values = np.random.default_rng(0).standard_normal((NUM_PHOTOS, 1, 768), dtype=np.float32)
    plan = plan_training(examples, config)
    data = build_training_data(plan, FeatureViews(values, np.zeros((NUM_PHOTOS, 1), bool)), config)
    total_steps = STEPS_PER_EPOCH * EPOCHS
    head.compile(optimizer=build_optimizer(config.optimizer, total_steps), loss=build_loss("triplet", {"margin": 0.5}))
    keras.utils.disable_interactive_logging()
    fit = lambda: head.fit(data, steps_per_epoch=plan.steps_per_epoch, shuffle=False, verbose=0)  # noqa: E731
    found: dict[str, float] = {}
    for wanted in engines:
        name, _, precision = wanted.partition(":")
        max_error = MAX_ASKED_ERROR if name == OPENVINO_BFLOAT16 else MAX_ERROR
        name = choose_engine(backbone, NUM_PHOTOS) if name == "auto" else name.removesuffix("-bfloat16")
        begin = CLOCKS[clock]()
        # Without samples it stays in float32; training takes as many, spread over its photos.
        samples = None if precision == "f32" else images[:: BATCH // NUM_CHECKED]
        check = partial(check_features, max_error=max_error)
        engine = build_engine(name, backbone, config.image, BATCH, samples, check)
        built_s = 0.0 if name == "tensorflow" else CLOCKS[clock]() - begin
        photo_s = time_best(lambda engine=engine: engine.embed(images), repeats, clock) / len(photos)
        # The conversion is a part of the whole run.
        found[f"backbone:{wanted}, {engine.name} in {engine.precision}"] = photo_s + built_s / NUM_PHOTOS
    return {
        **found,
        "decode": time_best(lambda: [decode(d) for d in contents], repeats, clock) / len(photos),
        "head": time_best(fit, repeats, clock) / plan.steps_per_epoch,
        "steps": plan.steps_per_epoch,
        "versions": describe_machine(("tensorflow", "keras")).rpartition("; ")[2],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--data", default="", help="a folder like that of 11k Hands; synthetic hands without it")
    parser.add_argument("--engines", default="auto,openvino:f32,tensorflow")
    parser.add_argument("--repeats", type=int, default=3, help="in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--views", default="1,4", help="pictures of each photo that ours keeps")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, *photos = json.loads(arguments.child)
        common = (photos, arguments.repeats, arguments.clock)
        print(json.dumps(run_peer(*common) if kind == "peer" else run_ours(*common, arguments.engines.split(","))))
        return
    print(describe_machine(()))
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        photos = list_photos(arguments.data, BATCH, Path(work))
        common = ["--repeats", str(arguments.repeats), "--clock", arguments.clock, "--engines", arguments.engines]
        for _ in range(arguments.rounds):
            for best, python, kind in ((theirs, arguments.peer, "peer"), (ours, sys.executable, "ours")):
                given = [*common, "--child", json.dumps([kind, *photos])]
                for name, value in start(python, __file__, given, arguments.threads).items():
                    best[name] = min(best.get(name, value), value)
    print(f"ours: {ours['versions']}; theirs: {theirs['versions']}; seconds of the {arguments.clock} clock\n")
    backbones = {name.partition(":")[2]: seconds for name, seconds in ours.items() if name.startswith("backbone:")}
    print("| measured | theirs | ours |\n|---|---:|---:|")
    print(f"| decode a photo, ms | {1e3 * theirs['decode'] / BATCH:.1f} | {1e3 * ours['decode']:.1f} |")
    for engine, seconds in backbones.items():
        print(f"| backbone ({engine}), a photo, ms | {1e3 * theirs['backbone'] / BATCH:.0f} | {1e3 * seconds:.0f} |")
    print(f"| head, loss and update, a step, ms | {1e3 * theirs['head']:.1f} | {1e3 * ours['head']:.1f} |")
    step = theirs["decode"] + theirs["backbone"] + theirs["head"]
    updates = STEPS_PER_EPOCH * EPOCHS
    print(
        f"\nExtrapolated to 11k Hands ({NUM_PHOTOS:,} photos, {STEPS_PER_EPOCH} steps an epoch, {updates:,} updates):\n"
    )
    print("| | theirs | ours | ours is faster |\n|---|---:|---:|---:|")
    epoch, our_epoch = STEPS_PER_EPOCH * step, STEPS_PER_EPOCH * ours["head"]
    print(f"| an epoch, once the features are there, s | {epoch:,.0f} | {our_epoch:.2f} | {epoch / our_epoch:,.0f}× |")
    for engine, seconds in backbones.items():
        for views in map(int, arguments.views.split(",")):
            whole = NUM_PHOTOS * (ours["decode"] + views * seconds) + updates * ours["head"]
            name = f"the whole run from files, {views} view{'s' if views > 1 else ''} of a photo ({engine}), s"
            print(f"| {name} | {EPOCHS * epoch:,.0f} | {whole:,.0f} | {EPOCHS * epoch / whole:.1f}× |")
    again = updates * ours["head"]
    print(
        f"| a second run, features in the cache, s | {EPOCHS * epoch:,.0f} | {again:,.0f} | {EPOCHS * epoch / again:,.0f}× |"
    )


if __name__ == "__main__":
    main()
