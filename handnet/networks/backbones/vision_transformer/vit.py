"""DINOv2's and DINOv3's vision transformer; keras-hub's cannot save its position table unchanged."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from handnet.networks.backbones.entry import UNDRAWN
from handnet.networks.backbones.pixels import PixelNormalization
from handnet.networks.backbones.vision_transformer.attention import attend
from handnet.networks.backbones.vision_transformer.lean import lean_gelu, lean_norm
from handnet.networks.backbones.vision_transformer.vit_size import VitSize


@keras.saving.register_keras_serializable("handnet")
class TokenEmbedding(layers.Layer):
    """Cut an image into patches and return its tokens: class, registers, patches.

    The position table has the size of the input, so that what is trained is what is saved.

    Args:
        width: token width.
        patch_px: side of a patch.
        num_registers: number of register tokens.
        has_table: whether positions are added here; DINOv3 rotates queries and keys instead.
    """

    def __init__(self, width: int, patch_px: int, num_registers: int, has_table: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.patch_px, self.num_registers, self.has_table = width, patch_px, num_registers, has_table
        self.patches = layers.Conv2D(
            width, patch_px, patch_px, kernel_initializer=UNDRAWN, dtype=self.dtype_policy, name="patches"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the tokens and the position table for this image size."""
        self.patches.build(input_shape)
        num_patches = self._count_patches(input_shape)
        self.class_token = self._add_tokens("class_token", 1)
        if self.has_table:
            self.position_table = self._add_tokens("position_table", 1 + num_patches)
        if self.num_registers:
            self.register_tokens = self._add_tokens("register_tokens", self.num_registers)

    def _count_patches(self, input_shape: tuple[int | None, ...]) -> int:
        _, height, width, _ = input_shape
        assert height is not None, "the position table needs a fixed image size"
        assert width is not None, "the position table needs a fixed image size"
        return (height // self.patch_px) * (width // self.patch_px)

    def _add_tokens(self, name: str, num_tokens: int) -> Any:
        return self.add_weight(name=name, shape=(1, num_tokens, self.width), initializer=UNDRAWN)

    def call(self, images: Any) -> Any:
        """Return tokens (B, 1 + registers + patches, width)."""
        batch_size = ops.shape(images)[0]
        patches = ops.reshape(self._project(images), (batch_size, -1, self.width))
        class_token = self.class_token
        if self.has_table:
            patches, class_token = patches + self.position_table[:, 1:], class_token + self.position_table[:, :1]
        tokens = [ops.tile(class_token, (batch_size, 1, 1))]
        if self.num_registers:
            tokens.append(ops.tile(self.register_tokens, (batch_size, 1, 1)))
        return ops.concatenate([*tokens, patches], axis=1)

    def _project(self, images: Any) -> Any:
        if keras.backend.backend() != "jax":
            return self.patches(images)
        # The same as a matrix product: on a GPU, XLA's convolution of three channels takes four times as long.
        _, height, width, channels = images.shape
        px = self.patch_px
        rows, columns = height // px, width // px
        cut = ops.reshape(images[:, : rows * px, : columns * px], (-1, rows, px, columns, px, channels))
        cut = ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, rows * columns, px * px * channels))
        kernel = ops.reshape(ops.cast(self.patches.kernel, images.dtype), (-1, self.width))
        return ops.matmul(cut, kernel) + ops.cast(self.patches.bias, images.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, tokens, width)."""
        num_patches = self._count_patches(input_shape)
        return (input_shape[0], 1 + self.num_registers + num_patches, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("width", "patch_px", "num_registers", "has_table")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("handnet")
class TransformerBlock(layers.Layer):
    """Attention and feed-forward, each after a layer norm, scaled per channel and added to its input.

    Args:
        width: token width, a multiple of `num_heads`.
        num_heads: attention heads.
        hidden_width: width inside the feed-forward part; of each half where `gated`.
        gated: SwiGLU instead of GELU.
        lora_rank: rank of the trainable update of the two attention matrices; 0 for none.
        lora_alpha: the update is multiplied by `lora_alpha / lora_rank`.
        drop_path_rate: probability, in training, that an image skips the branch.
        recompute: forget the activations and compute them again for the gradient: less memory, a third more work.
        seed: for the skipped branches.
        epsilon: of the layer norms.
        rope_theta: base period of the rotary positions; 0 for none.
        rope_grid: patches per side; all tokens before the last `rope_grid`² stay unrotated.
        class_only: return the class token alone: one query, and the feed-forward part of one token.

    Reference: Oquab et al. 2023, https://arxiv.org/abs/2304.07193; LoRA: Hu et al. 2021, equation 3.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        hidden_width: int,
        gated: bool = False,
        lora_rank: int = 0,
        lora_alpha: float = 0.0,
        drop_path_rate: float = 0.0,
        recompute: bool = False,
        seed: int = 0,
        epsilon: float = 1e-6,
        rope_theta: float = 0.0,
        rope_grid: int = 0,
        class_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.class_only = class_only
        self.epsilon, self.rope_theta, self.rope_grid = epsilon, rope_theta, rope_grid
        self.width, self.num_heads, self.hidden_width, self.gated = width, num_heads, hidden_width, gated
        self.lora_rank, self.lora_alpha = lora_rank, lora_alpha
        self.drop_path_rate, self.recompute, self.seed = drop_path_rate, recompute, seed
        self.norm1 = self._norm("norm1")
        self.qkv = self._dense(3 * width, "qkv")
        self.proj = self._dense(width, "proj")
        self.norm2 = self._norm("norm2")
        self.fc1 = self._dense(2 * hidden_width if gated else hidden_width, "fc1")
        self.fc2 = self._dense(width, "fc2")
        self.drop_path = layers.Dropout(
            drop_path_rate, noise_shape=(None, 1, 1), seed=seed, dtype=self.dtype_policy, name="drop_path"
        )
        if lora_rank:
            self.qkv_lora = self._lora(3 * width, "qkv")
            self.proj_lora = self._lora(width, "proj")

    def _norm(self, name: str) -> Any:
        return layers.LayerNormalization(epsilon=self.epsilon, dtype=self.dtype_policy, name=name)

    def _dense(self, units: int, name: str) -> Any:
        return layers.Dense(units, kernel_initializer=UNDRAWN, dtype=self.dtype_policy, name=name)

    def _lora(self, units: int, name: str) -> list[Any]:
        down = layers.Dense(
            self.lora_rank,
            use_bias=False,
            kernel_initializer=UNDRAWN,
            dtype=self.dtype_policy,
            name=f"{name}_lora_down",
        )
        up = layers.Dense(
            units, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy, name=f"{name}_lora_up"
        )
        return [down, up]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create every sublayer's weights: under recomputation none may come to life inside the forward pass."""
        if self.rope_theta:
            head_width, num_tokens = self.width // self.num_heads, input_shape[1]
            assert num_tokens is not None, "rotary positions need a fixed image size"
            self.cosines, self.sines = compute_rotation(self.rope_grid, head_width, self.rope_theta, num_tokens)
        hidden_shape = (*input_shape[:-1], self.hidden_width)
        for layer in (self.norm1, self.qkv, self.proj, self.norm2, self.fc1):
            layer.build(input_shape)
        self.fc2.build(hidden_shape)
        self.scale1 = self.add_weight(name="scale1", shape=(self.width,), initializer="ones")
        self.scale2 = self.add_weight(name="scale2", shape=(self.width,), initializer="ones")
        for down, up in (self.qkv_lora, self.proj_lora) if self.lora_rank else ():
            down.build(input_shape)
            up.build((*input_shape[:-1], self.lora_rank))

    def call(self, tokens: Any, training: bool | None = None) -> Any:
        """Return tokens of the same shape, or where `class_only` the first of them, (B, 1, width)."""
        # A frozen block is a fixed function, as Keras's own BatchNorm is when frozen.
        training = bool(training) and self.trainable
        if self.recompute and training:
            return keras.remat(self._forward)(tokens)
        return self._forward(tokens, training=training)

    def _forward(self, tokens: Any, training: bool = True) -> Any:
        # On TensorFlow the fused operations are faster, and an exported graph has fewer nodes.
        lean = training and keras.backend.backend() == "jax"
        attended = self._attend(self._normalize(self.norm1, tokens, lean), training) * self.scale1
        tokens = tokens[:, :1] if self.class_only else tokens
        tokens = tokens + self.drop_path(attended, training=training)
        fed = self._feed(self._normalize(self.norm2, tokens, lean)) * self.scale2
        return tokens + self.drop_path(fed, training=training)

    def _normalize(self, norm: Any, tokens: Any, lean: bool) -> Any:
        if not lean:
            return norm(tokens)
        return lean_norm(tokens, ops.convert_to_tensor(norm.gamma), ops.convert_to_tensor(norm.beta), self.epsilon)

    def _attend(self, tokens: Any, training: bool) -> Any:
        shape = ops.shape(tokens)
        qkv = self._project(tokens, self.qkv, "qkv_lora")
        qkv = ops.reshape(qkv, (shape[0], shape[1], 3 * self.num_heads, self.width // self.num_heads))
        query, key, value = ops.split(qkv, 3, axis=2)
        if self.rope_theta:
            query, key = self._rotate(query), self._rotate(key)
        attended = attend(query[:, :1] if self.class_only else query, key, value, training)
        return self._project(ops.reshape(attended, (shape[0], -1, self.width)), self.proj, "proj_lora")

    def _rotate(self, heads: Any) -> Any:
        first, second = ops.split(heads, 2, axis=-1)
        rotated = ops.concatenate([-second, first], axis=-1)
        return heads * ops.cast(self.cosines, heads.dtype) + rotated * ops.cast(self.sines, heads.dtype)

    def _project(self, tokens: Any, dense: Any, lora: str) -> Any:
        projected = dense(tokens)
        if not self.lora_rank:
            return projected
        down, up = getattr(self, lora)
        return projected + up(down(tokens)) * (self.lora_alpha / self.lora_rank)

    def _feed(self, tokens: Any) -> Any:
        hidden = self.fc1(tokens)
        if not self.gated:
            # JAX's own computes 1 - erf(x) by two polynomials, which takes a GPU longer than reading the array.
            is_jax = keras.backend.backend() == "jax"
            return self.fc2(lean_gelu(hidden) if is_jax else ops.gelu(hidden, approximate=False))
        gate, value = ops.split(hidden, 2, axis=-1)
        return self.fc2(ops.silu(gate) * value)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, tokens, width): all tokens, or the class token."""
        return (input_shape[0], 1, input_shape[2]) if self.class_only else input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        sizes = ("width", "num_heads", "hidden_width", "gated", "lora_rank", "lora_alpha", "drop_path_rate")
        others = ("recompute", "seed", "epsilon", "rope_theta", "rope_grid", "class_only")
        own = {name: getattr(self, name) for name in (*sizes, *others)}
        return {**super().get_config(), **own}


def compute_rotation(grid: int, head_width: int, theta: float, num_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the cosines and sines that rotate queries and keys by their patch's place.

    Args:
        grid: patches per side.
        head_width: width of one attention head, a multiple of 4.
        theta: base period.
        num_tokens: all tokens; those before the patches get cosine 1 and sine 0.

    Returns:
        Two float32 arrays (1, num_tokens, 1, head_width).

    Reference: Siméoni et al. 2025, https://arxiv.org/abs/2508.10104; transformers' DINOv3ViTRopePositionEmbedding.
    """
    places = 2.0 * (np.arange(grid) + 0.5) / grid - 1.0
    rows, columns = np.meshgrid(places, places, indexing="ij")
    frequencies = theta ** -np.arange(0.0, 1.0, 4.0 / head_width)
    places = np.stack([rows.ravel(), columns.ravel()], axis=1)
    angles = 2.0 * np.pi * (places[:, :, None] * frequencies).reshape(grid * grid, -1)
    angles = np.concatenate([np.zeros((num_tokens - grid * grid, head_width)), np.tile(angles, 2)])[None, :, None]
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def build_vit(
    size: VitSize,
    image_size_px: int,
    *,
    name: str,
    lora_rank: int = 0,
    lora_alpha: float = 0.0,
    drop_path_rate: float = 0.0,
    recompute: bool = False,
    seed: int = 0,
    all_tokens: bool = False,
) -> keras.Model:
    """Build a DINOv2 or DINOv3 transformer whose feature is the class token after the last layer norm.

    Args:
        size: the architecture.
        image_size_px: side of the square input, at least one patch.
        name: name of the model.
        lora_rank: see `TransformerBlock`.
        lora_alpha: see `TransformerBlock`.
        drop_path_rate: rate of the last block, in [0, 1); it grows linearly from 0 at the first.
        recompute: see `TransformerBlock`.
        seed: for the skipped branches.
        all_tokens: whether the last block, too, returns all tokens, as a tap needs them; the feature is the same without.

    Returns:
        A model from images (B, S, S, 3), RGB 0..255, to features (B, width).
    """
    images = keras.Input((image_size_px, image_size_px, 3), name="image")
    x = PixelNormalization()(images)
    has_table = not size.rope_theta
    x = TokenEmbedding(size.width, size.patch_px, size.num_registers, has_table, name="tokens")(x)
    for index in range(size.num_blocks):
        x = TransformerBlock(
            size.width,
            size.num_heads,
            size.hidden_width,
            gated=size.gated,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            drop_path_rate=drop_path_rate * index / max(size.num_blocks - 1, 1),
            recompute=recompute,
            seed=seed + index,
            epsilon=size.epsilon,
            rope_theta=size.rope_theta,
            rope_grid=image_size_px // size.patch_px,
            class_only=index == size.num_blocks - 1 and not all_tokens,
            name=f"block{index}",
        )(x)
    x = layers.LayerNormalization(epsilon=size.epsilon, name="norm")(x)
    return keras.Model(images, x[:, 0], name=name)
