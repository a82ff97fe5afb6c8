"""How far embeddings in half precision are from float32: python benchmarks/backbone_precision.py [--data ../shared/data]

The same drawn weights under three dtype policies, on 32 photos of hands; features brought to unit length, as an encoder
does. Prints the largest 1 - cosine between a photo's two embeddings, and for scale the smallest between two photos.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from handnet.networks.backbones.build import build_backbone  # noqa: E402
from tests.goldens.drawn import draw_state  # noqa: E402

CASES = (("small", 128), ("resnet50", 224), ("inception-resnet-v1", 160), ("dino-small", 224))


def embed(arch: str, side_px: int, policy: str, images: np.ndarray) -> np.ndarray:
    """Return features of unit length under a policy, on weights drawn by name and shape."""
    keras.config.set_dtype_policy(policy)
    model = build_backbone(arch, image_size_px=side_px)
    for variable in model.weights:
        if not variable.path.startswith("pixels/"):
            variable.assign(draw_keras(variable.path, tuple(variable.shape)))
    batches = [model(images[i : i + 4]) for i in range(0, len(images), 4)]
    features = np.concatenate([keras.ops.convert_to_numpy(keras.ops.cast(b, "float32")) for b in batches])
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def draw_keras(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw one variable with the scales of tests/goldens/drawn.py, whose shapes are PyTorch's."""
    names = {"gamma": "x.weight", "moving_variance": "x.running_var", "scale1": "ls.gamma", "scale2": "ls.gamma"}
    kind = path.rsplit("/", 1)[-1]
    name = f"{path}/{names.get(kind, 'cls_token' if 'token' in kind or 'table' in kind else kind)}"
    torch_shape = tuple(np.array(shape)[[3, 2, 0, 1]]) if len(shape) == 4 else shape[::-1] if len(shape) == 2 else shape
    array = draw_state({name: torch_shape})[name]
    return array.transpose(2, 3, 1, 0) if len(shape) == 4 else array.T if len(shape) == 2 else array


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    files = sorted((parser.parse_args().data / "hands11k-mini" / "Hands").glob("*.jpg"))[::27][:32]
    print("| backbone | image | mixed_bfloat16 | mixed_float16 | two photos |\n|---|---|---|---|---|")
    for arch, side_px in CASES:
        images = np.stack([np.asarray(Image.open(f).convert("RGB").resize((side_px, side_px))) for f in files])
        exact = embed(arch, side_px, "float32", images)
        errors = [
            (1 - np.sum(exact * embed(arch, side_px, policy, images), axis=1)).max()
            for policy in ("mixed_bfloat16", "mixed_float16")
        ]
        between = (1 - exact @ exact.T)[~np.eye(len(exact), dtype=bool)].min()
        print(f"| {arch} | {side_px} | {errors[0]:.1e} | {errors[1]:.1e} | {between:.1e} |", flush=True)


if __name__ == "__main__":
    main()
