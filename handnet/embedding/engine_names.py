"""The names of engines and of what they compute in, without any of the engines: `handnet.embedding.engines` builds them."""

from collections.abc import Mapping

TENSORFLOW, OPENVINO = "tensorflow", "openvino"
BFLOAT16, FLOAT32 = "bf16", "f32"
# `features.engine` where bfloat16 may change features more than `auto` and `openvino` allow.
OPENVINO_BFLOAT16 = "openvino-bfloat16"
# What an engine other than TensorFlow may compute in, the fastest first.
PRECISIONS: Mapping[str, tuple[str, ...]] = {OPENVINO: (BFLOAT16, FLOAT32)}
# What may have given vectors that are kept: each engine with each precision.
WAYS = (
    (TENSORFLOW, "float32"),
    *((engine, precision) for engine, precisions in PRECISIONS.items() for precision in precisions),
)
