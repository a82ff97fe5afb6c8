"""Attention by cuDNN for an odd number of tokens, as far as it can be shown without a GPU."""

import functools

import numpy as np
import pytest
from keras import ops

from handnet.networks.backbones.vision_transformer.attention import attend, attend_padded

RNG = np.random.default_rng(0)
QUERY, KEY, VALUE = RNG.standard_normal((3, 2, 5, 3, 8)).astype(np.float32)


def test_one_query_gets_what_it_gets_among_all():
    every = attend(QUERY, KEY, VALUE, training=False)
    np.testing.assert_allclose(attend(QUERY[:, :1], KEY, VALUE, training=False), every[:, :1], atol=1e-6)


def test_the_token_more_changes_nothing():
    pytest.importorskip("jax")
    plain = ops.convert_to_numpy(attend(QUERY, KEY, VALUE, training=True))
    np.testing.assert_allclose(attend_padded(QUERY, KEY, VALUE, implementation="xla"), plain, atol=1e-6)


@pytest.mark.slow
def test_a_gradient_goes_through_cudnns_kernels(monkeypatch):
    jax = pytest.importorskip("jax")
    fused = pytest.importorskip("jax._src.cudnn.fused_attention_stablehlo")
    # What JAX asks the GPU: a card of Hopper's kind. Nothing is run, the step is translated for CUDA alone.
    for name, answer in {
        "check_cudnn_version": 91900,
        "check_compute_capability": True,
        "is_cuda_compute_capability_equal": False,
    }.items():
        monkeypatch.setattr(fused, name, lambda *_, answer=answer: answer)
    heads = [jax.ShapeDtypeStruct((2, 257, 3, 64), "bfloat16")] * 3

    def translate(attention) -> str:
        step = jax.grad(lambda *given: attention(*given).astype("float32").sum(), (0, 1, 2))
        return jax.jit(step).trace(*heads).lower(lowering_platforms=("cuda",)).as_text()

    # Where this no longer fails, no padding is needed.
    with pytest.raises(NotImplementedError, match="Unsupported sequence length"):
        translate(functools.partial(jax.nn.dot_product_attention, implementation="cudnn"))
    text = translate(attend_padded)
    assert "__cudnn$fmhaSoftmaxBackward" in text
    assert "2x258x3x64" in text
