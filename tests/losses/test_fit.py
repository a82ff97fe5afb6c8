"""The losses inside `model.fit`: precision policies, labels, proxies, the memory and resuming."""

import keras
import numpy as np
import pytest

from tests.losses.cases import draw_pairs, ready_loss
from tests.losses.fitted import build_model, photos

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


@pytest.fixture
def policy():
    """Set a precision policy for the test."""
    before = keras.mixed_precision.dtype_policy()
    yield keras.mixed_precision.set_dtype_policy
    keras.mixed_precision.set_dtype_policy(before)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["function", "jit"])
@pytest.mark.parametrize("name", POLICIES)
def test_the_largest_identities_stay_distinct_in_fit(policy, name, jit_compile):
    policy(name)
    loss = ready_loss("triplet", {"mining": "hard"})
    rows, labels = photos(first_identity=2**31 - 4)
    assert labels[:, 0].max() == 2**31 - 1
    model = build_model(loss, learning_rate=0.0, jit_compile=jit_compile)
    expected = float(loss(photos()[1], model(rows)))
    history = model.fit(rows, labels, batch_size=16, verbose=0)
    assert expected > 0.1
    assert history.history["loss"] == pytest.approx([expected], rel=0.01 if "16" in name else 1e-5)
    # As floats, of 32 bits too, these four identities would be one, and a single identity costs nothing.
    assert float(loss(np.zeros_like(labels), model(rows))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["batch_contrastive", "triplet", "infonce", "supcon", "multi_similarity", "circle"])
def test_fit_lowers_the_loss(name):
    loss = ready_loss(name, {"scale": 8.0} if name == "circle" else {})
    rows, labels = photos()
    history = build_model(loss).fit(rows, labels, batch_size=16, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_fit_of_pairs_lowers_the_contrastive_loss():
    same, _ = draw_pairs()
    first, second = np.random.default_rng(0).normal(size=(2, 12, 6)).astype("float32")
    inputs = keras.Input((6,)), keras.Input((6,))
    encoder = keras.layers.Dense(4)
    gap = keras.ops.square(encoder(inputs[0]) - encoder(inputs[1]))
    model = keras.Model(inputs, keras.ops.sqrt(keras.ops.sum(gap, axis=-1, keepdims=True)))
    model.compile(keras.optimizers.SGD(0.01), loss=ready_loss("contrastive", {}))
    history = model.fit((first, second), same, batch_size=12, epochs=4, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["function", "jit"])
def test_a_resumed_memory_goes_on_as_an_uninterrupted_one(tmp_path, jit_compile):
    options = {"memory_size": 20, "memory_max_age_steps": 3}
    rows, labels = photos()

    def model_of(loss):
        return build_model(loss, jit_compile=jit_compile)

    whole = model_of(ready_loss("triplet", options))
    history = whole.fit(rows, labels, batch_size=8, epochs=4, verbose=0, shuffle=False).history["loss"]
    first = model_of(ready_loss("triplet", options))
    first.fit(rows, labels, batch_size=8, epochs=2, verbose=0, shuffle=False)
    first.save_weights(tmp_path / "model.weights.h5")
    second = model_of(ready_loss("triplet", options))
    second.load_weights(tmp_path / "model.weights.h5")
    resumed = second.fit(rows, labels, batch_size=8, epochs=2, verbose=0, shuffle=False).history["loss"]
    assert resumed == history[2:]
    without = model_of(ready_loss("triplet", {}))
    assert without.fit(rows, labels, batch_size=8, epochs=4, verbose=0, shuffle=False).history["loss"] != history
