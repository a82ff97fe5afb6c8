"""Position tables resampled by PyTorch, with the arguments of Meta's code and of transformers'.

pip install torch==2.13.0 && python tests/goldens/make_positions.py
"""

from pathlib import Path

import numpy as np
import torch

GRID = 37


def main() -> None:
    table = torch.from_numpy(np.random.default_rng(GRID).standard_normal((1, 1 + GRID * GRID, 2), dtype=np.float32))
    patches = table[:, 1:].reshape(1, GRID, GRID, 2).permute(0, 3, 1, 2)
    goldens = {}
    for grid in (3, 6, 16, 40):
        for antialias in (False, True):
            for rule in ("meta", "huggingface"):
                # Meta adds 0.1 where it does not antialias (hubconf: interpolate_offset 0.1, with registers 0.0).
                place = {"size": (grid, grid)}
                if rule == "meta" and not antialias:
                    place = {"scale_factor": ((grid + 0.1) / GRID, (grid + 0.1) / GRID)}
                out = torch.nn.functional.interpolate(patches, mode="bicubic", antialias=antialias, **place)
                out = out.permute(0, 2, 3, 1).reshape(1, grid * grid, 2)
                goldens[f"{rule}/{antialias}/{grid}"] = torch.cat([table[:, :1], out], dim=1).numpy()
    np.savez_compressed(Path(__file__).parent / "positions.npz", **goldens)


if __name__ == "__main__":
    main()
