"""Train the network of the masks by landmarks ("handnet-synthetic-mask"), from synthetic hands alone.

Commands: python benchmarks/mask_hands.py data/mask-hands.npz
          python benchmarks/mask_network.py data/mask-hands.npz handnet/images/hand/mask_network.npz

Examples are those of `benchmarks/mask_examples.py`, each seen once. The last 100 hands are kept for the figures that are
printed. Convolutions are trained with batch normalisation, which is folded into kernels and biases before these are written
as float16.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from mask_examples import KINDS, SIZE_PX, Example, Pool, make_example, read_pool

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

BATCH, KEPT_HANDS = 24, 100
_pool: Pool | None = None


def _open_pool(file: Path, seed: int, kinds: tuple[str, ...], is_kept: bool) -> None:
    global _pool
    hands = slice(-KEPT_HANDS, None) if is_kept else slice(None, -KEPT_HANDS)
    pool = read_pool(file, seed + is_kept, 90 if is_kept else 270, kinds)
    _pool = Pool(*(values[hands] for values in pool[:4]), *pool[4:])


def _make_batch(seed: int, number: int) -> Example:
    assert _pool is not None
    examples = [make_example(_pool, seed, number * BATCH + k) for k in range(BATCH)]
    return Example(*(np.stack(values) for values in zip(*examples, strict=True)))


def make_batches(
    file: Path, seed: int, count: int, kinds: tuple[str, ...] = tuple(KINDS), is_kept: bool = False
) -> Iterator[Example]:
    """Yield batches of examples, made in a process of their own, in order."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, _open_pool, (file, seed, kinds, is_kept)) as worker:
        yield from worker.imap(partial(_make_batch, seed + is_kept), range(count))


def build_network() -> "keras.Model":
    """Build the network for training, with batch normalisation."""
    import keras

    from handnet.images.hand.mask_network import compute_logits
    from handnet.images.hand.pixel_measures import NUM_MEASURES

    def convolve(name: str, values: Any, width: int, side: int, step: int, bends: bool) -> Any:
        is_last = name == "logit"
        values = keras.layers.Conv2D(width, side, step, "same", use_bias=is_last, name=name)(values)
        if not is_last:
            values = keras.layers.BatchNormalization(momentum=0.98, epsilon=1e-3, name=f"{name}_norm")(values)
        return keras.layers.ReLU()(values) if bends else values

    enlarge = keras.layers.UpSampling2D(interpolation="bilinear")
    pixels = keras.Input((SIZE_PX, SIZE_PX, NUM_MEASURES))
    return keras.Model(pixels, compute_logits(pixels, convolve, enlarge))


def fold_network(network: "keras.Model") -> dict[str, npt.NDArray[np.float16]]:
    """Return kernels and biases, batch normalisation folded in."""
    import keras

    arrays = {}
    for layer in network.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        kernel, *bias = layer.get_weights()
        if not bias:
            gamma, beta, mean, variance = network.get_layer(f"{layer.name}_norm").get_weights()
            gain = gamma / np.sqrt(variance + 1e-3)
            kernel, bias = kernel * gain, [beta - mean * gain]
        arrays[f"{layer.name}.kernel"] = kernel.astype(np.float16)
        arrays[f"{layer.name}.bias"] = bias[0].astype(np.float16)
    return arrays


def describe_batch(batch: Example) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
    """Return what the network sees, the share of hand, and how much each pixel counts."""
    import tensorflow as tf

    from handnet.images.hand.capsules import measure_distance
    from handnet.images.hand.pixel_measures import NEVER, measure_pixels

    def describe(one: tuple["tf.Tensor", ...]) -> tuple["tf.Tensor", "tf.Tensor"]:
        picture, landmarks, inside = one
        distance = measure_distance(landmarks, SIZE_PX)[tf.newaxis, ..., tf.newaxis]
        inside = tf.cast(inside, tf.float32)[tf.newaxis, ..., tf.newaxis]
        pixels = measure_pixels(tf.cast(picture, tf.float32)[tf.newaxis] / 255.0, distance, inside)
        return pixels[0], (tf.cast(distance < NEVER, tf.float32) * inside)[0]

    types = tf.float32, tf.float32
    pixels, counted = tf.map_fn(describe, (batch.picture, batch.landmarks, batch.inside), fn_output_signature=types)
    cover, weight = (tf.cast(values, tf.float32)[..., tf.newaxis] / 255.0 for values in (batch.cover, batch.weight))
    return pixels, cover, weight * counted


def main() -> None:
    """Train, print figures and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hands", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--without", default="", help="Kinds of ground to leave out, separated by commas.")
    arguments = parser.parse_args()
    from handnet.library.start import start_tensorflow

    start_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(arguments.seed)
    network = build_network()
    print(f"{network.count_params():,} numbers", flush=True)
    decay = keras.optimizers.schedules.CosineDecay
    rate = decay(0.0, arguments.steps, 1e-2, warmup_target=arguments.rate, warmup_steps=arguments.steps // 20)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=1.0)

    @tf.function(autograph=False)
    def train(batch: Example) -> tf.Tensor:
        pixels, cover, weight = describe_batch(batch)
        with tf.GradientTape() as tape:
            logits = network(pixels, training=True)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(cover, logits)
            loss = tf.reduce_sum(losses * weight) / tf.reduce_sum(weight)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    @tf.function(autograph=False)
    def test(batch: Example) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, cover, weight = describe_batch(batch)
        found, known, counted = network(pixels, training=False) > 0, cover > 0.5, weight > 0.5
        count = lambda both: tf.reduce_sum(tf.cast(both & counted, tf.float32), [1, 2, 3])  # noqa: E731
        return count(found & known), count(found | known)

    kinds = tuple(kind for kind in KINDS if kind not in arguments.without.split(","))
    losses = []
    begin = time.process_time()
    for step, batch in enumerate(make_batches(arguments.hands, arguments.seed, arguments.steps, kinds)):
        losses.append(float(train(Example(*(tf.constant(values) for values in batch)))))
        if step % 50 == 49:
            print(f"step {step + 1}: loss {np.mean(losses[-50:]):.4f}, {time.process_time() - begin:.0f} s", flush=True)
            np.savez(arguments.out, **fold_network(network))
    sums = [test(batch) for batch in make_batches(arguments.hands, arguments.seed, 8, kinds, is_kept=True)]
    shares = np.concatenate([common / np.maximum(either, 1) for common, either in sums])
    print(f"other synthetic hands, above the wrist: intersection over union {shares.mean():.4f}")
    np.savez(arguments.out, **fold_network(network))


if __name__ == "__main__":
    main()
