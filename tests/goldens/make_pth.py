"""Small files as torch.save and safetensors write them, and what they hold.

pip install torch==2.13.0 safetensors && python tests/goldens/make_pth.py
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "pth"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
    state = OrderedDict(
        float=whole,
        transposed=whole.t(),
        row=whole[1],
        every_other=whole[:, ::2],
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        half=torch.tensor([0.5, -1.25], dtype=torch.float16),
        bfloat=torch.tensor([1.0, -3.140625, 1e30], dtype=torch.bfloat16),
        double=torch.tensor([1e300], dtype=torch.float64),
        long=torch.tensor([2**40]),
        bool=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.tensor([7.0])),
    )
    state._metadata = OrderedDict(version=1)
    torch.save(state, FOLDER / "zip.pth")
    torch.save(state, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model": state}, FOLDER / "checkpoint.pth")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module.pth")
    torch.save(torch.nn.Linear(2, 2), FOLDER / "module_legacy.pth", _use_new_zipfile_serialization=False)
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in state.items()},
        FOLDER / "safe.safetensors",
        {"format": "pt"},
    )
    arrays = {
        name: tensor.detach().to(torch.float32 if name == "bfloat" else tensor.dtype).numpy()
        for name, tensor in state.items()
    }
    np.savez_compressed(FOLDER / "expected.npz", **arrays)


if __name__ == "__main__":
    main()
