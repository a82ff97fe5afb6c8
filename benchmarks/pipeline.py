"""Is the input hidden behind the compute? The time of a training step with real input against a constant batch.

    python benchmarks/pipeline.py --data data/hands11k

Both run `model.fit` of the same network over the same number of steps, in turn; each takes its best of all rounds. The
first column is what the input alone gives, with nothing else running. 100 % is an input that costs nothing. By the clock
"cpu" the seconds of all cores are added up: what the input costs shows then even where another core hides it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe_machine

from handnet.library.start import start_tensorflow


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="a folder like that of 11k Hands; synthetic hands without it")
    parser.add_argument("--arch", default="small")
    parser.add_argument("--batches", default="16,64")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    start_tensorflow()
    print(describe_machine(("tensorflow", "keras", "numpy")))
    print(
        "| network | batch | input alone, photos/s | constant batch, ms a step | real input | of the constant batch's speed |"
    )
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as work:
        data = arguments.data or draw_hands(Path(work))
        for batch in arguments.batches.split(","):
            measure(arguments, data, int(batch))


def draw_hands(work: Path) -> str:
    """Draw a small data set of synthetic hands."""
    from handnet.data.synthetic import write_synthetic

    write_synthetic(work / "hands", 40, 2, seed=1)
    return str(work / "hands")


def measure(arguments: argparse.Namespace, data: str, batch: int) -> None:
    """Measure one batch size and print its row."""
    import keras
    import tensorflow as tf

    from handnet.config.toml import read_tree
    from handnet.data.dataset import require_both_views
    from handnet.data.readers import read_dataset
    from handnet.images.finder_choice import settle_hand_finder
    from handnet.images.photo_store import prepare_photos
    from handnet.losses import build_loss
    from handnet.networks.complete_config import complete_config
    from handnet.networks.encoder import build_encoder
    from handnet.training.batches import build_training_data, plan_training

    given = {"model": {"arch": arguments.arch, "weights": "none"}, "sampler": {"people_per_batch": batch // 2}}
    tree = read_tree(None, [*arguments.overrides, "train.epochs=1000000"], given)
    config = complete_config(tree)
    examples, _ = require_both_views(read_dataset("hands11k", Path(data)).examples, "The benchmark")
    paths = [example.path for example in examples]
    config = settle_hand_finder(config, paths, print)
    files = prepare_photos(paths, config.image).files
    real = build_training_data(plan_training(examples, config), files, config)
    constant = tf.data.Dataset.from_tensors(next(iter(real))).repeat().prefetch(2)
    encoder = build_encoder(config).model
    encoder.compile(optimizer=keras.optimizers.AdamW(1e-4), loss=build_loss("triplet", {"margin": 0.5}))

    def fit(dataset: tf.data.Dataset) -> Callable[[], object]:
        return lambda: encoder.fit(dataset, shuffle=False, steps_per_epoch=arguments.steps, epochs=1, verbose=0)

    def read() -> None:
        for _ in real.take(arguments.steps):
            pass

    clock = {"wall": time.perf_counter, "cpu": time.process_time}[arguments.clock]
    runs = {"input": read, "constant": fit(constant), "real": fit(real)}
    best = dict.fromkeys(runs, float("inf"))
    for number in range(arguments.rounds + 1):
        for name, run in runs.items():
            begin = clock()
            run()
            # The first round traces and compiles.
            if number:
                best[name] = min(best[name], (clock() - begin) / arguments.steps)
    print(
        f"| {arguments.arch}, {config.image.size_px} px | {batch} | {batch / best['input']:,.0f} | "
        f"{1e3 * best['constant']:.1f} | {1e3 * best['real']:.1f} | {best['constant'] / best['real']:.0%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
