"""Match the back of a hand to the palm of the same person.

    import handnet

    run = handnet.train("configs/scratch.toml", data="data/hands11k", run="runs/hands")
    print(handnet.evaluate(run).report)
    model = handnet.load(run)
    vectors = model.embed(["back.jpg", "palm.jpg"])
    print(model.verify("back.jpg", "palm.jpg").probability)

Importing handnet takes no time: what a name stands for is imported when it is first used, TensorFlow among it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handnet.errors import HandnetError
    from handnet.library.audit_run import audit
    from handnet.library.bound_gallery import create_gallery, open_gallery
    from handnet.library.compare_evaluated import compare
    from handnet.library.evaluate_run import evaluate
    from handnet.library.export_run import export_model
    from handnet.library.matcher import load
    from handnet.library.train_run import train

__version__ = "0.1.0"

__all__ = [
    "HandnetError",
    "__version__",
    "audit",
    "compare",
    "create_gallery",
    "evaluate",
    "export_model",
    "load",
    "open_gallery",
    "train",
]

# Where each name is. `export_model`, since `handnet.export` is the folder of that name.
_PLACES = {
    "HandnetError": "handnet.errors",
    "audit": "handnet.library.audit_run",
    "compare": "handnet.library.compare_evaluated",
    "create_gallery": "handnet.library.bound_gallery",
    "evaluate": "handnet.library.evaluate_run",
    "export_model": "handnet.library.export_run",
    "load": "handnet.library.matcher",
    "open_gallery": "handnet.library.bound_gallery",
    "train": "handnet.library.train_run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'handnet' has no attribute {name!r}. It has: {', '.join(_PLACES)}.")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
