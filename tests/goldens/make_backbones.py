"""Golden features of the reference implementations, on weights and images that NumPy draws.

    pip install torch==2.13.0 transformers==5.23.0 timm==1.0.31 facenet-pytorch==2.6.0 numpy pillow   # --no-deps: no torchvision
    python tests/goldens/make_backbones.py [--data ../shared/data] [--full] [CASE …]

Without `--full` writes tests/goldens/backbones.npz (tiny networks, whole ResNet50 and InceptionResnetV1 at small sizes).
With it writes tests/goldens/backbones_full.npz: published sizes, at the size of pretraining and at 224, on real photos.
torchvision is not needed: its ResNet50 has the names, shapes and operations of timm's, and timm and facenet-pytorch
import it for other things, which a stand-in replaces here.
"""

import argparse
import importlib.util
import json
import math
import sys
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
import transformers
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from drawn import draw_images, draw_state, load_photos

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
Features = Callable[[torch.Tensor], torch.Tensor]


@cache
def import_timm() -> Any:
    for part in ("", ".ops", ".ops.misc", ".transforms", ".transforms.functional", ".datasets", ".datasets.folder"):
        sys.modules[f"torchvision{part}"] = MagicMock(__spec__=None, __path__=[])
    sys.modules["torchvision.ops.misc"].FrozenBatchNorm2d = type("FrozenBatchNorm2d", (nn.Module,), {})
    import timm

    return timm


def fill(model: nn.Module) -> dict[str, list[int]]:
    """Load drawn weights into a network; return the shapes of its state dict."""
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    state = {name: torch.from_numpy(array) for name, array in draw_state(shapes).items()}
    model.load_state_dict(state, strict=False)
    model.eval()
    return shapes


def standardise(images: np.ndarray) -> torch.Tensor:
    return ((torch.from_numpy(images).float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)


def standardise_faces(images: np.ndarray) -> torch.Tensor:
    # facenet-pytorch's fixed_image_standardization.
    return ((torch.from_numpy(images).float() - 127.5) / 128.0).permute(0, 3, 1, 2)


def run_dino2(registers: int = 0, **config: Any) -> Callable[[int], tuple[dict, Features]]:
    def build(side_px: int) -> tuple[dict, Features]:
        kind = "Dinov2WithRegisters" if registers else "Dinov2"
        extra = {"num_register_tokens": registers} if registers else {}
        settings = getattr(transformers, f"{kind}Config")(**config, **extra, patch_size=14)
        model = getattr(transformers, f"{kind}Model")(settings)
        return fill(model), lambda x: model(x).last_hidden_state[:, 0]

    return build


def run_dino3(**config: Any) -> Callable[[int], tuple[dict, Features]]:
    def build(side_px: int) -> tuple[dict, Features]:
        settings = transformers.DINOv3ViTConfig(**config, patch_size=16, num_register_tokens=4, image_size=224)
        model = transformers.DINOv3ViTModel(settings)
        return fill(model), lambda x: model(x).last_hidden_state[:, 0]

    return build


def run_meta(grid: int, name: str, **config: Any) -> Callable[[int], tuple[dict, Features]]:
    """timm's transformer, whose state dict has Meta's names, with the position table resampled by Meta's rule."""

    def build(side_px: int) -> tuple[dict, Features]:
        timm = import_timm()
        shapes = fill(timm.create_model(name, img_size=14 * grid, **config))
        model = timm.create_model(name, img_size=side_px, **config)
        state = {key: torch.from_numpy(array) for key, array in draw_state(shapes).items()}
        registers = "reg_token" in state
        state["pos_embed"] = resample_as_meta(state["pos_embed"], side_px // 14, registers)
        model.load_state_dict(state)
        model.eval()
        return shapes, lambda x: model.forward_features(x)[:, 0]

    return build


def resample_as_meta(table: torch.Tensor, grid: int, registers: bool) -> torch.Tensor:
    # The call of facebookresearch/dinov2's interpolate_pos_encoding, with the settings of its hubconf.
    source = math.isqrt(table.shape[1])
    first = table[:, : table.shape[1] - source * source]
    if source == grid:
        return table
    patches = table[:, first.shape[1] :].reshape(1, source, source, -1).permute(0, 3, 1, 2)
    if registers:
        patches = nn.functional.interpolate(patches, mode="bicubic", antialias=True, size=(grid, grid))
    else:
        scale = float(grid + 0.1) / source
        patches = nn.functional.interpolate(patches, mode="bicubic", antialias=False, scale_factor=(scale, scale))
    return torch.cat([first, patches.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], dim=1)


def run_resnet(_side_px: int) -> tuple[dict, Features]:
    model = import_timm().create_model("resnet50")
    return fill(model), lambda x: model.forward_features(x).mean((2, 3))


def run_resnet_transformers(_side_px: int) -> tuple[dict, Features]:
    model = transformers.ResNetModel(transformers.ResNetConfig())
    return fill(model), lambda x: model(x).pooler_output.flatten(1)


@cache
def import_facenet() -> Any:
    # Read by path: the package's __init__ imports torchvision for its face detector.
    package = Path(importlib.util.find_spec("facenet_pytorch").submodule_search_locations[0])
    for name, folder in (("facenet_pytorch", package), ("facenet_pytorch.models", package / "models")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(folder)]
    return importlib.import_module("facenet_pytorch.models.inception_resnet_v1")


def run_facenet(_side_px: int) -> tuple[dict, Features]:
    model = import_facenet().InceptionResnetV1()
    return fill(model), model


TINY = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
TIMM_TINY = {"embed_dim": 64, "depth": 3, "num_heads": 2}
VIT_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
VIT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}

# name: (backbone here, kind of source, position rule, image sizes, reference)
CASES: dict[str, tuple[str, str, str, tuple[int, ...], Any]] = {
    "dino-tiny/meta": (
        "dino-tiny",
        "meta",
        "meta",
        (70, 42, 98),
        run_meta(5, "vit_base_patch14_dinov2", mlp_ratio=2, **TIMM_TINY),
    ),
    "dino-tiny/transformers": (
        "dino-tiny",
        "transformers",
        "huggingface",
        (70, 42, 98),
        run_dino2(mlp_ratio=2, image_size=70, **TINY),
    ),
    "dino-tiny-reg/timm": (
        "dino-tiny-reg",
        "timm",
        "meta",
        (70, 42),
        run_meta(5, "vit_giant_patch14_reg4_dinov2", mlp_ratio=4, **TIMM_TINY),
    ),
    "dino-tiny-reg/transformers": (
        "dino-tiny-reg",
        "transformers",
        "huggingface",
        (70, 42),
        run_dino2(4, mlp_ratio=3, use_swiglu_ffn=True, image_size=70, **TINY),
    ),
    "dino3-tiny/transformers": (
        "dino3-tiny",
        "transformers",
        "meta",
        (64, 96),
        run_dino3(intermediate_size=128, **TINY),
    ),
    "dino3-tiny-plus/transformers": (
        "dino3-tiny-plus",
        "transformers",
        "meta",
        (64,),
        run_dino3(intermediate_size=128, use_gated_mlp=True, hidden_act="silu", **TINY),
    ),
    "resnet50/timm": ("resnet50", "timm", "meta", (64,), run_resnet),
    "resnet50/transformers": ("resnet50", "transformers", "meta", (65,), run_resnet_transformers),
    "inception-resnet-v1/facenet": ("inception-resnet-v1", "facenet", "meta", (97,), run_facenet),
}
FULL: dict[str, tuple[str, str, str, tuple[int, ...], Any]] = {
    "dino-small/meta": ("dino-small", "meta", "meta", (518, 224), run_meta(37, "vit_small_patch14_dinov2")),
    "dino-small/transformers": (
        "dino-small",
        "transformers",
        "huggingface",
        (518, 224),
        run_dino2(image_size=518, **VIT_SMALL),
    ),
    "dino-small-reg/timm": (
        "dino-small-reg",
        "timm",
        "meta",
        (518, 224),
        run_meta(37, "vit_small_patch14_reg4_dinov2"),
    ),
    "dino-small-reg/transformers": (
        "dino-small-reg",
        "transformers",
        "huggingface",
        (518, 224),
        run_dino2(4, image_size=518, **VIT_SMALL),
    ),
    "dino/meta": ("dino", "meta", "meta", (518, 224), run_meta(37, "vit_base_patch14_dinov2")),
    "dino/transformers": ("dino", "transformers", "huggingface", (518, 224), run_dino2(image_size=518, **VIT_BASE)),
    "dino-base-reg/transformers": (
        "dino-base-reg",
        "transformers",
        "huggingface",
        (518, 224),
        run_dino2(4, image_size=518, **VIT_BASE),
    ),
    "dino3-small/transformers": (
        "dino3-small",
        "transformers",
        "meta",
        (224, 256),
        run_dino3(intermediate_size=1536, **VIT_SMALL),
    ),
    "dino3-small-plus/transformers": (
        "dino3-small-plus",
        "transformers",
        "meta",
        (224, 256),
        run_dino3(intermediate_size=1536, use_gated_mlp=True, hidden_act="silu", **VIT_SMALL),
    ),
    "dino3-base/transformers": (
        "dino3-base",
        "transformers",
        "meta",
        (224, 256),
        run_dino3(intermediate_size=3072, **VIT_BASE),
    ),
    "resnet50/timm": ("resnet50", "timm", "meta", (224,), run_resnet),
    "resnet50/transformers": ("resnet50", "transformers", "meta", (224,), run_resnet_transformers),
    "inception-resnet-v1/facenet": ("inception-resnet-v1", "facenet", "meta", (160, 224), run_facenet),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    cases = FULL if arguments.full else CASES
    file = Path(__file__).parent / ("backbones_full.npz" if arguments.full else "backbones.npz")
    goldens = dict(np.load(file)) if file.exists() and arguments.cases else {}
    for name in arguments.cases or cases:
        arch, source, rule, sizes, build = cases[name]
        for side_px in sizes:
            shapes, features = build(side_px)
            prepare = standardise_faces if source == "facenet" else standardise
            kinds = {"photos": load_photos(arguments.data, side_px)}
            if not arguments.full:
                kinds["drawn"] = draw_images(side_px)
            for kind, images in kinds.items():
                with torch.no_grad():
                    # One by one: a batch of 518 px needs gigabytes.
                    outputs = [features(prepare(images[i : i + 1])) for i in range(len(images))]
                goldens[f"{name}/{side_px}/{kind}"] = torch.cat(outputs).numpy()
            print(
                name, side_px, {kind: goldens[f"{name}/{side_px}/{kind}"].std().round(3) for kind in kinds}, flush=True
            )
        about = {
            "arch": arch,
            "source": source,
            "rule": rule,
            "sizes": sizes,
            "shapes": shapes,
            "peer": describe_peer(source),
        }
        goldens[f"{name}/about"] = np.array(json.dumps(about))
        np.savez_compressed(file, **goldens)


def describe_peer(source: str) -> str:
    if source == "transformers":
        return f"transformers {transformers.__version__}"
    if source == "facenet":
        return "facenet-pytorch 2.6.0"
    timm = import_timm()
    return f"timm {timm.__version__}" + (" and Meta's table rule in torch" if source == "meta" else "")


if __name__ == "__main__":
    main()
