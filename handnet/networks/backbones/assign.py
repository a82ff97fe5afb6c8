"""Arrays into a network, by name, all of them or none."""

import keras
import numpy as np

from handnet.errors import WeightsError
from handnet.networks.weights.pth import State


def assign_state(model: keras.Model, laid_out: State, source: str) -> None:
    """Put arrays into a network's variables; everything must fit.

    Args:
        model: the network, unchanged where this fails; its pixel normalisation and LoRA are left alone.
        laid_out: arrays by variable path.
        source: where they came from, for the message.

    Raises:
        WeightsError: naming the first that are missing, left over, of another shape or not finite.
    """
    variables = {v.path: v for v in model.weights if not v.path.startswith("pixels/") and "_lora_" not in v.path}
    missing = [path for path in variables if path not in laid_out]
    extra = [path for path in laid_out if path not in variables]
    wrong = [
        f"{path} {laid_out[path].shape} instead of {tuple(v.shape)}"
        for path, v in variables.items()
        if path in laid_out and laid_out[path].shape != tuple(v.shape)
    ]
    # Formats without checksums show damage in no other way.
    not_finite = [path for path in variables if path in laid_out and not np.isfinite(laid_out[path]).all()]
    if not_finite and not (missing or extra or wrong):
        raise WeightsError(
            f"The weights of {source!r} are damaged: {_name_first('with values that are no finite numbers', not_finite)}. "
            "Fetch them again, or choose others."
        )
    if missing or extra or wrong:
        parts = [
            _name_first("missing", missing),
            _name_first("left over", extra),
            _name_first("of another shape", wrong),
        ]
        # Weights may end at a depth, as those that come with handnet do.
        taps = "" if extra or wrong else "`model.taps` that end where the weights do, "
        raise WeightsError(
            f"The weights of {source!r} do not fit {model.name!r}: {'; '.join(filter(None, parts))}. "
            f"Choose {taps}the architecture that they were made for, or other weights."
        )
    for path, variable in variables.items():
        variable.assign(laid_out[path])


def copy_weights(source: keras.Model, model: keras.Model, name: str) -> None:
    """Copy a backbone's weights into another of its kind, pixel normalisation included.

    Args:
        source: the backbone, without LoRA.
        model: filled; unchanged where this fails.
        name: where the weights came from, for the message.

    Raises:
        WeightsError: they differ in their variables, as a table of positions does at another image size.
    """
    values = {v.path: np.asarray(keras.ops.convert_to_numpy(v.value)) for v in source.weights}
    assign_state(model, {path: value for path, value in values.items() if not path.startswith("pixels/")}, name)
    for variable in model.get_layer("pixels").weights:
        variable.assign(values[variable.path])


def _name_first(what: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
