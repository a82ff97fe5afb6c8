"""The learning-rate range test: a short training at a rising rate, its curve, and the rate that the curve suggests."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run
from handnet.config.settings import Config
from handnet.data.dataset import DataSet, has_views, require_both_views
from handnet.data.splits.rules import make_split, select_part
from handnet.errors import ConfigError
from handnet.files import write_with
from handnet.images.store import prepare_photos
from handnet.networks.device import choose_precision, set_precision
from handnet.networks.encoder import build_encoder, load_encoder
from handnet.networks.pair_classifier import build_pair_classifier
from handnet.training.batches import build_training_data, plan_training
from handnet.training.gradient import build_training_loss, build_training_model
from handnet.training.optimizer import build_optimizer
from handnet.training.pair_training import choose_tables, compute_vectors

# Of the losses before it, each step keeps so much: single batches jump about.
_SMOOTHING = 0.9
# Beyond this many times the lowest loss the network is lost, and further steps say nothing.
_DIVERGED = 4.0
Floats = npt.NDArray[np.float64]
Batches = Iterator[tuple[Any, Any]]


class LrRange(NamedTuple):
    """What the test measured.

    Attributes:
        rates: (K,) learning rates, rising.
        losses: (K,) the loss of one batch at each.
        smooth: (K,) their running mean.
        suggestion: the rate at which the running mean falls the fastest.
    """

    rates: Floats
    losses: Floats
    smooth: Floats
    suggestion: float


def try_encoder_rates(
    config: Config, dataset: DataSet, low: float, high: float, num_steps: int, progress: Callable[[int, int], None]
) -> LrRange:
    """Train the encoder of a configuration, from its beginning, at rates rising from `low` to `high`.

    Args:
        config: the settings; their rate, schedule, epochs and search for people who look alike are not used.
        dataset: the photos.
        low: first rate.
        high: last rate.
        num_steps: batches in all.
        progress: called with (steps done, steps in all).

    Raises:
        ConfigError: rates out of order, or a loss that never falls.
        DataError: the data do not suffice.
    """
    # Who looks alike is known only after an epoch; a range is over before.
    config = replace(config, sampler=replace(config.sampler, alike_fraction=0.0))
    split = make_split(config.data.split, dataset, config.data.split_options)
    training, _ = require_both_views(select_part(dataset, split, "train"), "The range test")
    set_precision(choose_precision(config.train.precision))
    plan = plan_training(training, config)
    loss = build_training_loss(config, plan.num_identities, has_views(training))
    encoder = build_encoder(config)
    files = prepare_photos([example.path for example in training], config.image).files
    long_enough = replace(config, train=replace(config.train, epochs=-(-num_steps // plan.steps_per_epoch)))
    model = build_training_model(encoder.model, loss)
    constant = replace(config.optimizer, schedule="constant", warmup_fraction=0.0)
    model.compile(build_optimizer(constant, num_steps), loss, jit_compile=config.train.jit)
    return measure_range(model, iter(build_training_data(plan, files, long_enough)), low, high, num_steps, progress)


def try_pair_rates(
    run: Run, dataset: DataSet, low: float, high: float, num_steps: int, progress: Callable[[int, int], None]
) -> LrRange:
    """Train the classifier of pairs of a run, from its beginning, at rates rising from `low` to `high`.

    Args:
        run: a run whose encoder is done.
        dataset: the photos.
        low: first rate.
        high: last rate.
        num_steps: batches in all.
        progress: called with (steps done, steps in all).

    Raises:
        ConfigError: rates out of order, a loss that never falls, or a run without a classifier.
        DataError: a part lacks pairs of either kind.
    """
    config, settings = run.config, run.config.pairs
    if settings.form == "none":
        raise ConfigError("This run has no classifier of pairs (pairs.form is none). Give a configuration instead.")
    table = choose_tables(run, dataset)[0]
    features = compute_vectors(config, load_encoder(run), [example.path for example in table.examples]).features
    keras.utils.set_random_seed(config.train.seed)
    model = build_pair_classifier(features.shape[1], settings, config.train.seed)
    constant = replace(
        config.optimizer, name="adamw", weight_decay=settings.weight_decay, schedule="constant", warmup_fraction=0.0
    )
    model.compile(build_optimizer(constant, num_steps), "binary_crossentropy")
    rng = np.random.default_rng(config.train.seed)

    def draw() -> Batches:
        while True:
            for rows in np.array_split(rng.permutation(len(table.same)), -(-len(table.same) // settings.batch_size)):
                first, second = (features[table.rows[rows, k]] for k in (0, 1))
                yield {"first": first, "second": second}, table.same[rows].astype(np.float32)[:, None]

    return measure_range(model, draw(), low, high, num_steps, progress)


def measure_range(
    model: keras.Model,
    batches: Batches,
    low: float,
    high: float,
    num_steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> LrRange:
    """Train a compiled model for some steps while its rate rises evenly in the logarithm.

    It stops early where the loss diverges.

    Args:
        model: compiled, its rate a number and no schedule.
        batches: (inputs, targets) of each step.
        low: first rate, > 0.
        high: last rate, > low.
        num_steps: steps at most, at least 10.
        progress: called with (steps done, steps in all).

    Raises:
        ConfigError: rates or steps out of range, or a loss that never falls.

    Reference:
        Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; the steepest fall as the suggestion
        is fastai's.
    """
    if not 0 < low < high:
        raise ConfigError(f"The lowest rate must be above 0 and below the highest. Received: {low:g} and {high:g}.")
    if num_steps < 10:
        raise ConfigError(f"A range test needs 10 steps or more. Received: {num_steps}.")
    rates = low * (high / low) ** (np.arange(num_steps) / (num_steps - 1))
    losses: list[float] = []
    smooth: list[float] = []
    mean = 0.0
    for step, (inputs, targets) in zip(range(num_steps), batches, strict=False):
        model.optimizer.learning_rate.assign(rates[step])
        # Without this Keras returns the mean of all batches so far.
        model.reset_metrics()
        loss = float(model.train_on_batch(inputs, targets, return_dict=True)["loss"])
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        losses.append(loss)
        # The mean begins at 0, which is taken out.
        smooth.append(mean / (1 - _SMOOTHING ** (step + 1)))
        if progress is not None:
            progress(step + 1, num_steps)
        if not math.isfinite(loss) or (step > num_steps // 10 and smooth[-1] > _DIVERGED * min(smooth)):
            break
    count = sum(map(math.isfinite, losses))
    kept = rates[:count], np.asarray(losses[:count]), np.asarray(smooth[:count])
    return LrRange(*kept, suggest_rate(kept[0], kept[2]))


def suggest_rate(rates: Sequence[float] | Floats, smooth: Sequence[float] | Floats) -> float:
    """Return the rate at which the loss falls the fastest over the logarithm of the rate, before its minimum.

    Args:
        rates: (K,) rising.
        smooth: (K,) the smoothed losses.

    Raises:
        ConfigError: the loss never falls.
    """
    values = np.asarray(smooth, np.float64)
    lowest = int(np.argmin(values))
    if lowest < 2:
        raise ConfigError(
            "The loss never falls between these rates: begin lower (--low), or look at the data and the settings."
        )
    slopes = np.gradient(values[: lowest + 1], np.log(np.asarray(rates, np.float64)[: lowest + 1]))
    return float(np.asarray(rates)[int(np.argmin(slopes))])


def draw_range(path: Path, measured: LrRange, title: str) -> None:
    """Draw the curve with the suggestion as a PNG.

    Raises:
        DiskError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(measured.rates, measured.losses, color="#bbbbbb", linewidth=0.8, label="loss of a batch")
    axes.plot(measured.rates, measured.smooth, color="#0072B2", linewidth=2, label="running mean")
    axes.axvline(
        measured.suggestion, color="#D55E00", linestyle="--", label=f"steepest fall: {measured.suggestion:.2g}"
    )
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", title=title)
    top, bottom = float(np.max(measured.smooth)), float(np.min(measured.losses))
    axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.3 * (top - bottom))
    axes.grid(color="#e4e4e4")
    axes.legend(frameon=False)
    write_with(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
