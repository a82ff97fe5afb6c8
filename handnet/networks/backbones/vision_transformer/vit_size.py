"""The numbers that make one vision transformer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VitSize:
    """The numbers that make one vision transformer.

    Attributes:
        width: token width, a multiple of `num_heads`.
        num_blocks: number of transformer blocks.
        num_heads: attention heads per block.
        patch_px: side of a patch; the image side is cut to whole patches.
        hidden_width: width inside the feed-forward part; of each half where it is gated.
        gated: SwiGLU instead of GELU (the giant).
        num_registers: extra tokens that the features do not use.
        rope_theta: base period of rotary positions (DINOv3); 0 for a position table (DINOv2).
        epsilon: of the layer norms.
    """

    width: int
    num_blocks: int
    num_heads: int
    hidden_width: int
    patch_px: int = 14
    gated: bool = False
    num_registers: int = 0
    rope_theta: float = 0.0
    epsilon: float = 1e-6
