"""Random weights and photos that the reference implementations and the tests draw alike, from NumPy alone."""

import hashlib
import math
from pathlib import Path

import numpy as np
from PIL import Image

# Two hands and two faces, read where the shared data lie.
PHOTOS = (
    "hands11k-mini/Hands/Hand_0000005.jpg",
    "hands11k-fullres/Hands/Hand_0000002.jpg",
    "lfw/Aaron_Peirsol/Aaron_Peirsol_0001.jpg",
)


def draw_state(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Draw a state dict that keeps activations of order one through a deep network.

    Args:
        shapes: of the tensors by name, in PyTorch's layout.

    Returns:
        float32 arrays; each depends on its name and shape alone.
    """
    return {name: _draw(name, tuple(shape)) for name, shape in shapes.items()}


def draw_images(side_px: int, count: int = 2) -> np.ndarray:
    """Draw smooth coloured images, uint8 (count, side, side, 3)."""
    rng = np.random.default_rng(side_px)
    coarse = rng.integers(0, 256, (count, 7, 7, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(c).resize((side_px, side_px), Image.Resampling.BICUBIC)) for c in coarse]
    )


def load_photos(folder: Path, side_px: int) -> np.ndarray:
    """Load two photos of hands and one of a face at a size, uint8 (3, side, side, 3)."""
    images = [Image.open(folder / name).convert("RGB") for name in PHOTOS]
    return np.stack([np.asarray(image.resize((side_px, side_px), Image.Resampling.BICUBIC)) for image in images])


def _draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    normal = rng.standard_normal(shape, dtype=np.float32)
    if name.endswith(("running_var",)):
        return 0.75 + 0.25 * np.abs(normal)
    if name.endswith(("lambda1", ".gamma", "gamma_1", "gamma_2")):
        return 0.4 + 0.1 * normal
    if name.endswith(("pos_embed", "position_embeddings", "cls_token", "register_tokens", "reg_token")):
        return 0.5 * normal
    if len(shape) >= 2:
        # Convolutions: enough that no branch dies, so little that sums of residual branches stay of order one.
        gain = 0.7 if len(shape) == 4 else 1.5
        return normal * np.float32(math.sqrt(gain / math.prod(shape[1:])))
    if name.endswith(".weight"):
        return 1.0 + 0.2 * normal
    return 0.1 * normal


def draw_places(size: int, count: int = 400) -> np.ndarray:
    """Draw `count` places in a flat array of a size, the same for the same size."""
    return np.random.default_rng(size).integers(0, size, count)
