"""Memory of a training step, estimated and measured: python benchmarks/backbone_memory.py

Each row is a process of its own on the CPU: two steps of AdamW at batch 1, then two at batch 8 (or 64); what the peak
resident memory grew by is compared with the estimate of what the further photos add. TensorFlow without XLA.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# architecture, image side, batch, trainable, recompute, policy
CASES = (
    ("small", 96, 64, "all", False, "float32"),
    ("resnet50", 224, 8, "all", False, "float32"),
    ("resnet50", 224, 8, "none", False, "float32"),
    ("dino-small", 224, 8, "all", False, "float32"),
    ("dino-small", 224, 8, "all", True, "float32"),
    ("dino-small", 224, 8, "last-2", False, "float32"),
    ("dino-small", 224, 8, "none", False, "float32"),
    ("dino-small", 224, 8, "all", False, "mixed_bfloat16"),
)


def measure(arch: str, side_px: int, batch_size: int, mode: str, recompute: bool, policy: str) -> str:
    """Return one row of the table; called in a process of its own."""
    import keras
    import numpy as np

    from handnet.networks.backbones.build import build_backbone
    from handnet.networks.backbones.parameters import estimate_memory
    from handnet.networks.backbones.trainable import set_trainable

    keras.config.set_dtype_policy(policy)
    backbone = build_backbone(arch, image_size_px=side_px, **({"recompute": True} if recompute else {}))
    set_trainable(backbone, mode)
    model = keras.Sequential([backbone, keras.layers.Dense(3, dtype="float32")])
    model.compile(keras.optimizers.AdamW(1e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = np.zeros((batch_size, side_px, side_px, 3), np.uint8), np.zeros(batch_size)
    peaks_mib = []
    for size in (1, batch_size):
        for _ in range(2):
            model.train_on_batch(images[:size], labels[:size])
        peaks_mib.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    bytes_more = estimate_memory(model, batch_size)["activations"] - estimate_memory(model, 1)["activations"]
    return (
        f"| {arch} | {side_px} | {batch_size} | {mode}{', recomputed' if recompute else ''} | {policy} "
        f"| {bytes_more / 2**20:,.0f} | {peaks_mib[1] - peaks_mib[0]:,.0f} |"
    )


def main() -> None:
    """Print the table, or with an argument its row of that number."""
    if len(sys.argv) > 1:
        print(measure(*CASES[int(sys.argv[1])]))
        return
    print(
        "| backbone | image | batch | trained | precision | estimated MiB | measured MiB |\n|---|---|---|---|---|---|---|"
    )
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for index in range(len(CASES)):
        command = [sys.executable, __file__, str(index)]
        row = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        print(row.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
