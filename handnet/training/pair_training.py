"""Training the classifier of a pair on features that are computed once, and what it needs to compare two photos afterwards."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import PAIR_CALIBRATION_FILE, PAIR_WEIGHTS_FILE, Run, update_facts
from handnet.config.settings import Config, OptimizerConfig, PairsConfig
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.data.pair_table import PairTable, choose_tables, choose_tables_of
from handnet.data.splits.rules import make_split
from handnet.embedding.encode import compute_vectors
from handnet.errors import RunError
from handnet.files import hold_lock
from handnet.metrics.pairs.calibration import Calibration, fit_calibration, load_calibration, save_calibration
from handnet.metrics.pairs.pair_list import collect_pairs
from handnet.metrics.pairs.verification import build_curve, compute_auc
from handnet.networks.encoder import load_encoder, load_run_weights
from handnet.networks.pair_classifier import build_pair_classifier
from handnet.training.callbacks.checkpoint import save_weights
from handnet.training.optimizer import build_optimizer

_ROWS_AT_ONCE = 4096
Floats = npt.NDArray[np.float32]


class PairClassifier(NamedTuple):
    """A trained classifier of pairs.

    Attributes:
        classifier: {"first", "second"}: features (B, F) → probability (B, 1).
        calibration: from its score, 2 · probability - 1, to a calibrated probability; thresholds on the score.
    """

    classifier: keras.Model
    calibration: Calibration

    def score(self, first: Floats, second: Floats) -> Floats:
        """Return 2 · probability - 1 of each pair of rows, float32 (N,), -1..1."""
        return score_pairs_with(self.classifier, first, second)


def train_pairs(
    run: Run,
    dataset: DataSet,
    *,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> Run:
    """Train the classifier of pairs of a run whose encoder is done, and keep it and its calibration in the run folder.

    It learns from the pairs of one part and is chosen and calibrated on pairs of other people.

    Args:
        run: with `pairs` among its settings.
        dataset: the photos.
        echo: prints one line.
        progress: told of each piece of work.

    Raises:
        DataError: a part lacks pairs of either kind.
        DiskError: the run folder cannot be written, or another process is writing it.
    """
    with hold_lock(run.folder):
        return _train_pairs(run, dataset, echo, progress)


def _train_pairs(run: Run, dataset: DataSet, echo: Echo, progress: Progress) -> Run:
    begin = time.monotonic()
    config = run.config
    encoder = load_encoder(run)
    learnt, kept_back = choose_tables(run, dataset)
    features, others = (
        compute_vectors(config, encoder, [example.path for example in table.examples], progress).features
        for table in (learnt, kept_back)
    )
    echo(
        f"training the classifier of pairs ({config.pairs.form} of {features.shape[1]} features) on {describe_pairs(learnt)}; "
        f"keeping back {describe_pairs(kept_back)} of other people"
    )
    classifier, history = fit_pairs(config.pairs, (features, learnt), (others, kept_back), seed=config.train.seed)
    losses = history["val_loss"]
    best = int(np.argmin(losses))
    scores = score_pairs_with(classifier, others[kept_back.rows[:, 0]], others[kept_back.rows[:, 1]])
    pairs = collect_pairs(scores, kept_back.same, kept_back.people)
    save_weights(classifier, run.folder / PAIR_WEIGHTS_FILE)
    save_calibration(run.folder / PAIR_CALIBRATION_FILE, fit_calibration(pairs))
    auc = compute_auc(build_curve(pairs))
    echo(f"kept epoch {best + 1} of {len(losses)}: loss {losses[best]:.3f}, AUC {auc:.3f} on the pairs kept back")
    facts = {
        "num_features": int(features.shape[1]),
        "num_pairs": {"learnt": len(learnt.same), "kept_back": len(kept_back.same)},
        "best_epoch": best,
        "val_loss": losses[best],
        "val_auc": auc,
        "seconds": round(time.monotonic() - begin, 1),
    }
    return update_facts(run, {"pairs": facts})


def check_pairs(config: Config, dataset: DataSet) -> None:
    """Raise DataError where a part lacks pairs of either kind: before an encoder is trained for a classifier of pairs."""
    if config.pairs.form != "none":
        choose_tables_of(config, make_split(config.data.split, dataset, config.data.split_options), dataset)


def fit_pairs(
    config: PairsConfig,
    learnt: tuple[Floats, PairTable],
    kept_back: tuple[Floats, PairTable] | None,
    *,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Fit a classifier on features of pairs: binary cross-entropy, AdamW, one-cycle rate, the best epoch's weights.

    Args:
        config: the settings.
        learnt: features (P, F) of a table's photos, and the table.
        kept_back: the same of other people, to choose the epoch on; None keeps the last.
        seed: of weights, order and dropout.
        callbacks: more of them.

    Returns:
        The classifier, and the history of Keras.
    """
    keras.utils.set_random_seed(seed)
    features, table = learnt
    model = build_pair_classifier(features.shape[1], config, seed)
    steps = -(-len(table.same) // config.batch_size)
    settings = OptimizerConfig(
        learning_rate=config.learning_rate, weight_decay=config.weight_decay, schedule="one-cycle", warmup_fraction=0.0
    )
    model.compile(build_optimizer(settings, steps * config.epochs), "binary_crossentropy", metrics=["accuracy"])
    # Else the first batch makes the optimizer's variables, and the step is traced again.
    model.optimizer.build(model.trainable_variables)
    watchers = [*callbacks]
    if kept_back is not None:
        watchers.append(
            keras.callbacks.EarlyStopping("val_loss", patience=config.epochs, mode="min", restore_best_weights=True)
        )
    history = model.fit(
        *_arrange(features, table),
        batch_size=config.batch_size,
        epochs=config.epochs,
        validation_data=_arrange(*kept_back) if kept_back is not None else None,
        callbacks=watchers,
        verbose=0,
    )
    return model, {name: [float(value) for value in values] for name, values in history.history.items()}


def score_pairs_with(classifier: keras.Model, first: Floats, second: Floats) -> Floats:
    """Return 2 · probability - 1 of each pair of rows, float32 (N,)."""
    rows = [np.zeros(0, np.float32)]
    for start in range(0, len(first), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        probability = classifier({"first": first[block], "second": second[block]}, training=False)
        rows.append(2.0 * keras.ops.convert_to_numpy(probability)[:, 0] - 1.0)
    return np.concatenate(rows).astype(np.float32)


def load_pair_classifier(run: Run) -> PairClassifier | None:
    """Return the run's classifier of pairs, or None where the run has none.

    Raises:
        RunError: it is missing or damaged.
    """
    if run.config.pairs.form == "none":
        return None
    facts, file = run.facts.get("pairs"), run.folder / PAIR_WEIGHTS_FILE
    if not facts or not file.exists():
        raise RunError(
            f"{str(run.folder)!r} has no classifier of pairs yet. Train it: handnet train --resume --run {run.folder}"
        )
    classifier = build_pair_classifier(int(facts["num_features"]), run.config.pairs)
    load_run_weights(classifier, file)
    return PairClassifier(classifier, load_calibration(run.folder / PAIR_CALIBRATION_FILE))


def _arrange(features: Floats, table: PairTable) -> tuple[dict[str, Floats], Floats]:
    inputs = {"first": features[table.rows[:, 0]], "second": features[table.rows[:, 1]]}
    return inputs, table.same.astype(np.float32)[:, None]


def describe_pairs(table: PairTable) -> str:
    """Return how many pairs of either kind a table has."""
    return f"{int(table.same.sum()):,} pairs of one and {int((~table.same).sum()):,} of two people"
