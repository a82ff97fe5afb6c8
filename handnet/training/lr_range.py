"""The learning-rate range test: a short training at a rising rate, its curve, and the rate that the curve suggests."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import Run
from handnet.config.settings import OptimizerConfig
from handnet.console import Progress, hide_progress
from handnet.data.dataset import DataSet, has_views
from handnet.data.pair_table import choose_tables
from handnet.embedding.encode import compute_vectors
from handnet.errors import ConfigError
from handnet.files import write_with
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.without_hand import leave_out_without_hand
from handnet.networks.encoder import load_encoder
from handnet.networks.pair_classifier import build_pair_classifier
from handnet.training.batches import build_training_data, plan_training
from handnet.training.objective import build_training_loss, build_training_model
from handnet.training.optimizer import build_optimizer
from handnet.training.session import Job, open_session, select_people

# What the running mean keeps at each step: single batches jump about.
_SMOOTHING = 0.9
# Steps before the running mean has seen enough batches.
_BURN_IN = 10
# The slope at a step is of the running means from this many before it to as many after it.
_REACH = 10
# A fall must be larger than this many standard errors of the running mean.
_NUM_ERRORS = 4.0
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
        suggestion: the rate at which the running mean falls fastest; None where it does not fall.
    """

    rates: Floats
    losses: Floats
    smooth: Floats
    suggestion: float | None


def try_encoder_rates(job: Job, low: float, high: float, num_steps: int) -> LrRange:
    """Train the encoder of a configuration, from its beginning, at rates rising from `low` to `high`.

    Args:
        job: what is to be trained, without a folder; the configuration's rate, schedule, epochs and search for people who
            look similar are not used.
        low: first rate.
        high: last rate.
        num_steps: batches in all.

    Raises:
        ConfigError: rates out of order, or settings that do not fit each other.
        DataError: the data do not suffice.
    """
    # Who looks similar is known only after an epoch; a range is over before.
    config = replace(job.config, sampler=replace(job.config.sampler, alike_fraction=0.0))
    config = settle_hand_finder(config, [example.path for example in job.dataset.examples], job.echo)
    job = job._replace(dataset=leave_out_without_hand(job.dataset, config, job.echo, job.progress))
    people = select_people(job)._replace(validation=[])
    plan = plan_training(people.training, config)
    loss = build_training_loss(config, plan.num_identities, has_views(people.training))
    session = open_session(job._replace(config=config), people)
    long_enough = replace(config, train=replace(config.train, epochs=-(-num_steps // plan.steps_per_epoch)))
    model = build_training_model(session.encoder.model, loss)
    model.compile(build_optimizer(_keep_rate(config.optimizer), num_steps), loss, jit_compile=config.train.jit)
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    batches = iter(build_training_data(plan, session.photos.files, long_enough))
    return measure_range(model, batches, low, high, num_steps, job.progress)


def try_pair_rates(
    run: Run, dataset: DataSet, low: float, high: float, num_steps: int, progress: Progress = hide_progress
) -> LrRange:
    """Train the classifier of pairs of a run, from its beginning, at rates rising from `low` to `high`.

    Args:
        run: a run whose encoder is done.
        dataset: the photos.
        low: first rate.
        high: last rate.
        num_steps: batches in all.
        progress: told of (steps done, steps in all).

    Raises:
        ConfigError: rates out of order, or a run without a classifier.
        DataError: a part lacks pairs of either kind.
    """
    config, settings = run.config, run.config.pairs
    if settings.form == "none":
        raise ConfigError("This run has no classifier of pairs (pairs.form is none). Give a configuration instead.")
    table = choose_tables(run, dataset)[0]
    features = compute_vectors(config, load_encoder(run), [example.path for example in table.examples]).features
    keras.utils.set_random_seed(config.train.seed)
    model = build_pair_classifier(features.shape[1], settings, config.train.seed)
    optimizer = replace(_keep_rate(config.optimizer), name="adamw", weight_decay=settings.weight_decay)
    model.compile(build_optimizer(optimizer, num_steps), "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(config.train.seed)

    def draw() -> Batches:
        while True:
            for rows in np.array_split(rng.permutation(len(table.same)), -(-len(table.same) // settings.batch_size)):
                first, second = (features[table.rows[rows, k]] for k in (0, 1))
                yield {"first": first, "second": second}, table.same[rows].astype(np.float32)[:, None]

    return measure_range(model, draw(), low, high, num_steps, progress)


def _keep_rate(config: OptimizerConfig) -> OptimizerConfig:
    return replace(config, schedule="constant", warmup_fraction=0.0)


def measure_range(
    model: keras.Model,
    batches: Batches,
    low: float,
    high: float,
    num_steps: int,
    progress: Progress = hide_progress,
) -> LrRange:
    """Train a compiled model for some steps while its rate rises evenly in the logarithm.

    It stops early where the loss diverges.

    Args:
        model: compiled, its rate a number and no schedule.
        batches: (inputs, targets) of each step.
        low: first rate, > 0.
        high: last rate, > low.
        num_steps: steps at most, at least 20.
        progress: told of (steps done, steps in all).

    Raises:
        ConfigError: rates or steps out of range.

    Reference:
        Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; the steepest fall as the suggestion
        is fastai's, without its first steps.
    """
    if not 0 < low < high:
        raise ConfigError(f"The lowest rate must be above 0 and below the highest. Received: {low:g} and {high:g}.")
    if num_steps < 2 * _BURN_IN:
        raise ConfigError(f"A range test needs {2 * _BURN_IN} steps or more. Received: {num_steps}.")
    rates = low * (high / low) ** (np.arange(num_steps) / (num_steps - 1))
    losses: list[float] = []
    smooth: list[float] = []
    mean, count = 0.0, progress("range test")
    for step, (inputs, targets) in zip(range(num_steps), batches, strict=False):
        model.optimizer.learning_rate.assign(rates[step])
        # Without this Keras returns the mean of all batches so far.
        model.reset_metrics()
        loss = float(model.train_on_batch(inputs, targets, return_dict=True)["loss"])
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        losses.append(loss)
        # The mean begins at 0, which is taken out.
        smooth.append(mean / (1 - _SMOOTHING ** (step + 1)))
        count(step + 1, num_steps)
        if not math.isfinite(loss) or (step > num_steps // 10 and smooth[-1] > _DIVERGED * min(smooth)):
            break
    num_kept = sum(map(math.isfinite, losses))
    kept = rates[:num_kept], np.asarray(losses[:num_kept]), np.asarray(smooth[:num_kept])
    return LrRange(*kept, suggest_rate(*kept))


def suggest_rate(
    rates: Sequence[float] | Floats, losses: Sequence[float] | Floats, smooth: Sequence[float] | Floats
) -> float | None:
    """Return the rate at which the loss falls fastest over the logarithm of the rate, or None where it does not fall.

    The first steps are left out: the running mean is then of a few batches, and jumps as they do. A fall counts where it
    is beyond what the mean of batches that do not change would show.

    Args:
        rates: (K,) rising evenly in the logarithm.
        losses: (K,) of single batches.
        smooth: (K,) their running mean.
    """
    means = np.asarray(smooth, np.float64)
    lowest = _BURN_IN + int(np.argmin(means[_BURN_IN:])) if len(means) > _BURN_IN else 0
    if lowest <= _BURN_IN:
        return None
    # Successive differences, so that the course of the curve itself is not taken for noise.
    noise = float(np.std(np.diff(losses[: lowest + 1]))) / math.sqrt(2.0)
    error = noise * math.sqrt((1 - _SMOOTHING) / (1 + _SMOOTHING))
    if means[_BURN_IN] - means[lowest] <= _NUM_ERRORS * math.sqrt(2.0) * error:
        return None
    # The slope of the line through the means around each step, all of them: the difference of two is mostly noise.
    reach = min(_REACH, (lowest - _BURN_IN) // 2)
    if reach == 0:
        return float(np.asarray(rates)[lowest])
    offsets = np.arange(-reach, reach + 1)
    windows = np.lib.stride_tricks.sliding_window_view(means[_BURN_IN : lowest + 1], 2 * reach + 1)
    return float(np.asarray(rates)[_BURN_IN + reach + int(np.argmin(windows @ offsets))])


def draw_range(path: Path, measured: LrRange, title: str) -> None:
    """Draw the curve, with the suggestion if there is one, as a PNG.

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
    if measured.suggestion is not None:
        label = f"steepest fall: {measured.suggestion:.2g}"
        axes.axvline(measured.suggestion, color="#D55E00", linestyle="--", label=label)
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", title=title)
    top, bottom = float(np.max(measured.smooth)), float(np.min(measured.losses))
    axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.3 * (top - bottom))
    axes.grid(color="#e4e4e4")
    axes.legend(frameon=False)
    write_with(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
