"""Reference state dicts laid out for Keras."""

import numpy as np
import pytest

from handnet.errors import WeightsError
from handnet.networks.weights.layout import lay_out_convolutional, lay_out_rotary_transformer, lay_out_transformer

RNG = np.random.default_rng(0)


def test_kernels_are_turned_and_norms_renamed() -> None:
    conv, dense = RNG.normal(size=(8, 3, 5, 7)), RNG.normal(size=(4, 6))
    norm = {part: RNG.normal(size=8) for part in ("weight", "bias", "running_mean", "running_var")}
    state = {"a.conv.weight": conv, "fc.weight": dense, "fc.bias": RNG.normal(size=4)}
    laid = lay_out_convolutional({**state, **{f"a.bn.{part}": array for part, array in norm.items()}})
    assert set(laid) == {
        "a_conv/kernel",
        "fc/kernel",
        "fc/bias",
        *(f"a_bn/{part}" for part in ("gamma", "beta", "moving_mean", "moving_variance")),
    }
    assert laid["a_conv/kernel"].shape == (5, 7, 3, 8)
    np.testing.assert_array_equal(laid["a_conv/kernel"][2, 3, 1, 6], np.float32(conv[6, 1, 2, 3]))
    np.testing.assert_array_equal(laid["fc/kernel"], dense.T.astype(np.float32))
    assert {array.dtype for array in laid.values()} == {np.dtype(np.float32)}


def test_a_transformer_has_a_table_with_the_class_token_first() -> None:
    table = RNG.normal(size=(1, 16, 4))
    state = {"cls_token": np.zeros((1, 1, 4)), "pos_embed": table, "blocks.3.attn.qkv.weight": RNG.normal(size=(12, 4))}
    laid = lay_out_transformer(state, 4, "meta", antialias=False)
    assert laid["tokens/position_table"].shape == (1, 17, 4)
    assert (laid["tokens/position_table"][:, 0] == 0).all(), "where there are registers the token holds its position"
    np.testing.assert_allclose(laid["tokens/position_table"][:, 1:], table, atol=1e-6)
    assert laid["block3/qkv/kernel"].shape == (4, 12)
    assert (laid["block3/qkv/bias"] == 0).all()
    with pytest.raises(WeightsError, match="must hold a square of positions"):
        lay_out_transformer({"pos_embed": table[:, :12]}, 4, "meta", antialias=False)


def test_the_keys_of_a_rotary_transformer_have_no_bias() -> None:
    state = {"blocks.0.attn.qkv.weight": np.ones((6, 2)), "blocks.0.attn.qkv.bias": np.ones(6)}
    laid = lay_out_rotary_transformer(state)
    assert laid["block0/qkv/bias"].tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("shape", [(), (5,), (4, 4), (1, 0, 4)])
def test_a_table_of_another_rank_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match=r"must have the shape \(1, positions, width\)"):
        lay_out_transformer({"pos_embed": np.zeros(shape)}, 4, "meta", antialias=False)


def test_a_kernel_of_another_rank_is_left_to_be_refused_where_it_is_put_in() -> None:
    laid = lay_out_transformer({"blocks.3.attn.qkv.weight": np.zeros(3)}, 4, "meta", antialias=False)
    assert laid["block3/qkv/kernel"].shape == (3,)
