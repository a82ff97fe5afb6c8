"""Arrays into a network, all of them or none."""

import keras
import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.backbones.assign import assign_state, copy_weights
from tests.tiny import build_tiny


def read(model: keras.Model) -> dict[str, np.ndarray]:
    return {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in model.weights if "pixels/" not in v.path}


def test_what_does_not_fit_is_named_and_changes_nothing() -> None:
    model = build_tiny(32)
    before = read(model)
    state = {path: array + 1 for path, array in before.items()}
    first, second, *_ = state
    wrong = {**state, "extra/kernel": np.zeros(1), second: np.zeros((1, 2))}
    del wrong[first]
    message = rf"1 missing \({first}\); 1 left over \(extra/kernel\); 1 of another shape \({second} \(1, 2\) instead of"
    with pytest.raises(WeightsError, match=message):
        assign_state(model, wrong, "a.pth")
    assert all((array == before[path]).all() for path, array in read(model).items())
    del state[first]
    with pytest.raises(
        WeightsError, match=r"1 missing .*Choose `model\.taps` that end where the weights do, the architecture"
    ):
        assign_state(model, state, "a.pth")
    for value in (np.nan, np.inf):
        state[first] = np.full_like(before[first], value)
        with pytest.raises(WeightsError, match=rf"are damaged: 1 with values that are no finite numbers \({first}\)"):
            assign_state(model, state, "a.pth")
    state[first] = before[first]
    assign_state(model, state, "a.pth")
    assert all((array == state[path]).all() for path, array in read(model).items())


def test_a_copy_gives_the_same_features_pixel_normalisation_included() -> None:
    source, model = build_tiny(32), build_tiny(32)
    for variable in source.get_layer("pixels").weights:
        variable.assign(variable + 0.5)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    copy_weights(source, model, "the source")
    assert (np.asarray(source(images)) == np.asarray(model(images))).all()
