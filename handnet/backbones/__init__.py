"""Backbones: photos in, features out, with the pixel normalisation inside.

Every network is built from standard Keras layers under the names of its reference implementation, for any source of
weights: a state dict is brought to the reference's names (`handnet.weights`) and then laid out for Keras.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np

from handnet.backbones.pixels import IMAGENET_MEAN, IMAGENET_STD, PixelNormalization, pixel_state
from handnet.backbones.residual import build_resnet50, build_small
from handnet.backbones.training import list_blocks, set_trainable
from handnet.backbones.vit import TokenEmbedding, TransformerBlock, VitSize, build_vit
from handnet.errors import ConfigError, WeightsError, format_unknown

__all__ = ["BACKBONES", "CUSTOM_LAYERS", "build_backbone", "digest_weights", "list_blocks", "set_trainable"]


@dataclass(frozen=True, slots=True)
class Backbone:
    """How one architecture is built and where its published weights are.

    Attributes:
        build: (image_size_px) -> model; transformers also take `lora_rank`, `lora_alpha`, `drop_path_rate`,
            `recompute` and `seed`.
        is_transformer: whether `build` takes these.
        preset: keras-hub's name of the published weights; "" where there are none.
        mean: per-channel mean of the pixels in training, of values divided by 255.
        std: per-channel standard deviation, the same.
    """

    build: Callable[..., keras.Model]
    is_transformer: bool = False
    preset: str = ""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


def build_backbone(
    arch: str,
    *,
    image_size_px: int,
    weights: str = "none",
    position_rule: str = "meta",
    seed: int = 0,
    lora_rank: int = 0,
    lora_alpha: float = 0.0,
    drop_path_rate: float = 0.0,
    recompute: bool = False,
) -> keras.Model:
    """Build a backbone from images (B, S, S, 3), RGB 0..255, uint8 or float, to features (B, F).

    Built again with the same arguments (but `weights="none"` will do) and filled by `load_weights`, it gives the same
    output exactly: pixel normalisation and position table are among the weights.
    The dtype policy is Keras's global one at the time of the call.

    Args:
        arch: a key of `BACKBONES`.
        image_size_px: side of the input, from 32; transformers leave out what does not fill a patch.
        weights: "none" (random, from `seed`), "preset" (keras-hub's, from its hub) or the path of a file or folder.
        position_rule: how a transformer's position table is resampled: "meta", "huggingface" or "keras".
        seed: of the random weights and of dropped paths.
        lora_rank: rank of the trainable updates of the attention, 0 for none; transformers only.
        lora_alpha: their scale is `lora_alpha / lora_rank`; 0 stands for `lora_rank`.
        drop_path_rate: rate of dropped branches at the last block, in [0, 1); transformers only.
        recompute: gradient checkpointing, block by block; transformers only.

    Raises:
        ConfigError: for an unknown architecture or an option that it does not have.
        WeightsError: where weights are out of reach, damaged or do not fit.
    """
    if arch not in BACKBONES:
        raise ConfigError(format_unknown("backbone", arch, list(BACKBONES)))
    if image_size_px < 32:
        raise ConfigError(f"`image_size_px` must be at least 32. Received: image_size_px={image_size_px}.")
    backbone = BACKBONES[arch]
    if backbone.is_transformer:
        model = backbone.build(
            image_size_px,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha or float(lora_rank),
            drop_path_rate=drop_path_rate,
            recompute=recompute,
            seed=seed,
        )
    elif lora_rank or drop_path_rate or recompute:
        raise ConfigError(
            "`lora_rank`, `drop_path_rate` and `recompute` are options of the transformers (dino…). "
            f"Received: arch={arch!r}, lora_rank={lora_rank}, drop_path_rate={drop_path_rate}, recompute={recompute}."
        )
    else:
        model = backbone.build(image_size_px)
    draw_weights(model, seed)
    for path, values in pixel_state(backbone.mean, backbone.std).items():
        next(v for v in model.weights if v.path == path).assign(values)
    if weights != "none":
        raise WeightsError("Pretrained weights are not wired in yet: pass `--weights none`.")
    return model


def draw_weights(model: keras.Model, seed: int) -> None:
    """Draw a model's kernels and tokens anew, the same on every backend.

    Convolutions: normal, variance 2 / fan-out (He). All else that is random: normal with deviation 0.02, cut at twice
    that. Biases, norms, scales and the upward half of LoRA stay as they are built.

    Args:
        model: the model, changed in place.
        seed: of NumPy's generator.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        kind = variable.path.rsplit("/", 1)[-1]
        if kind not in ("kernel", "class_token", "position_table", "register_tokens") or "_lora_" in variable.path:
            continue
        normal = rng.standard_normal(variable.shape, dtype=np.float32)
        if len(variable.shape) == 4 and not variable.path.startswith("tokens/"):
            fan_out = variable.shape[0] * variable.shape[1] * variable.shape[3]
            variable.assign(normal * np.float32(np.sqrt(2.0 / fan_out)))
        else:
            variable.assign(np.clip(normal, -2.0, 2.0) * np.float32(0.02))


def digest_weights(model: keras.Model) -> str:
    """Return a SHA-256 over names, shapes and float32 values of all weights, for keys of feature caches."""
    digest = hashlib.sha256()
    for variable in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(variable.value), dtype="<f4")
        digest.update(f"{variable.path}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _transformer(size: VitSize, name: str, preset: str = "") -> Backbone:
    return Backbone(partial(build_vit, size, name=name), is_transformer=True, preset=preset)


def with_registers(size: VitSize) -> VitSize:
    """Return the size of the published variant with four register tokens."""
    return replace(size, num_registers=4)


SMALL = VitSize(width=384, num_blocks=12, num_heads=6, hidden_width=1536)
BASE = VitSize(width=768, num_blocks=12, num_heads=12, hidden_width=3072)
LARGE = VitSize(width=1024, num_blocks=24, num_heads=16, hidden_width=4096)
GIANT = VitSize(width=1536, num_blocks=40, num_heads=24, hidden_width=4096, gated=True)
TINY = VitSize(width=64, num_blocks=3, num_heads=2, hidden_width=128, pretrained_grid=5)

# What `keras.Model.from_config` and `.keras` files need as `custom_objects`.
CUSTOM_LAYERS = {
    "PixelNormalization": PixelNormalization,
    "TokenEmbedding": TokenEmbedding,
    "TransformerBlock": TransformerBlock,
}

BACKBONES: dict[str, Backbone] = {
    "small": Backbone(build_small),
    "resnet50": Backbone(build_resnet50, preset="resnet_50_imagenet"),
    "dino": _transformer(BASE, "dino", "dinov2_base"),
    "dino-small": _transformer(SMALL, "dino-small", "dinov2_small"),
    "dino-large": _transformer(LARGE, "dino-large", "dinov2_large"),
    "dino-giant": _transformer(GIANT, "dino-giant", "dinov2_giant"),
    "dino-base-reg": _transformer(with_registers(BASE), "dino-base-reg", "dinov2_with_registers_base"),
    "dino-small-reg": _transformer(with_registers(SMALL), "dino-small-reg", "dinov2_with_registers_small"),
    "dino-large-reg": _transformer(with_registers(LARGE), "dino-large-reg", "dinov2_with_registers_large"),
    "dino-giant-reg": _transformer(with_registers(GIANT), "dino-giant-reg", "dinov2_with_registers_giant"),
    "dino-tiny": _transformer(TINY, "dino-tiny"),
}
