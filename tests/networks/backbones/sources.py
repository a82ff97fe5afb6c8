"""Weight files and folders as other projects publish them, written from drawn arrays."""

import io
import json
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from handnet.networks.weights.safetensors import write_safetensors


def write_source(folder: Path, kind: str, state: dict[str, np.ndarray], config: dict | None = None) -> Path:
    """Write a state dict the way `kind` publishes it; return what `build_backbone(weights=…)` takes."""
    if kind in ("meta", "facenet", "torchvision"):
        path = folder / "weights.pth"
        write_pth(path, state)
        return path
    write_safetensors(folder / "model.safetensors", state)
    default = {"architecture": "resnet50"} if kind == "timm" else {"model_type": "dinov2"}
    (folder / "config.json").write_text(json.dumps(config or default))
    return folder


def write_pth(path: Path, state: dict[str, np.ndarray], extra: object = None) -> None:
    """Write torch.save's zip format without torch."""
    names = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for storage in names.values():
        setattr(torch, storage, type(storage, (), {"__module__": "torch"}))
    rebuild = types.FunctionType((lambda *args: args).__code__, {}, "_rebuild_tensor_v2")
    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    torch._utils = utils

    class Tensor:
        def __init__(self, key: str, array: np.ndarray) -> None:
            self.key, self.array = key, array

        def __reduce__(self):
            strides = tuple(s // self.array.itemsize for s in self.array.strides)
            arguments = (Storage(self), 0, self.array.shape, strides, False, OrderedDict())
            return rebuild, arguments

    class Storage:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            array = value.tensor.array
            return ("storage", getattr(torch, names[str(array.dtype)]), value.tensor.key, "cpu", array.size)

    tensors = {name: Tensor(str(i), np.ascontiguousarray(array)) for i, (name, array) in enumerate(state.items())}
    saved = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        buffer = io.BytesIO()
        Pickler(buffer, protocol=2).dump(OrderedDict(tensors) if extra is None else {"state_dict": tensors, "x": extra})
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", b"little")
        for tensor in tensors.values():
            archive.writestr(f"archive/data/{tensor.key}", tensor.array.tobytes())


TINY_SHAPES = {
    "cls_token": (1, 1, 64),
    "pos_embed": (1, 26, 64),
    "mask_token": (1, 64),
    "patch_embed.proj.weight": (64, 3, 14, 14),
    "patch_embed.proj.bias": (64,),
    "norm.weight": (64,),
    "norm.bias": (64,),
    **{
        f"blocks.{block}.{name}": shape
        for block in range(3)
        for name, shape in {
            "norm1.weight": (64,),
            "norm1.bias": (64,),
            "attn.qkv.weight": (192, 64),
            "attn.qkv.bias": (192,),
            "attn.proj.weight": (64, 64),
            "attn.proj.bias": (64,),
            "ls1.gamma": (64,),
            "norm2.weight": (64,),
            "norm2.bias": (64,),
            "mlp.fc1.weight": (128, 64),
            "mlp.fc1.bias": (128,),
            "mlp.fc2.weight": (64, 128),
            "mlp.fc2.bias": (64,),
            "ls2.gamma": (64,),
        }.items()
    },
}
