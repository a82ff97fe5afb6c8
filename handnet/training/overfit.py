"""The sanity check before a long training: can the classifier of pairs learn a few training pairs exactly?"""

from dataclasses import replace

import keras
import numpy as np
import numpy.typing as npt

from handnet.config.settings import Config
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet
from handnet.data.pair_table import PairTable, select_pairs, thin_pairs
from handnet.data.splits.rules import make_split
from handnet.embedding.encode import compute_vectors
from handnet.errors import ConfigError, RunError
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.without_hand import leave_out_without_hand
from handnet.training.pair_training import describe_pairs, fit_pairs, score_pairs_with
from handnet.training.session import Job, People, open_session

_EPOCHS, _BATCH = 500, 20
Floats = npt.NDArray[np.float32]


def overfit_pairs(
    config: Config, dataset: DataSet, count: int, *, echo: Echo = print, progress: Progress = hide_progress
) -> int:
    """Let the classifier learn a few training pairs exactly, without dropout and weight decay, from the encoder as it begins.

    The sanity check before any long training: what cannot learn a hundred pairs exactly has a mistake in its labels, its
    features or its gradients. Nothing is kept.

    Args:
        config: the settings, with a classifier.
        dataset: the photos.
        count: pairs, half of either kind where there are enough.
        echo: prints one line.
        progress: told of each piece of work.

    Returns:
        The epochs that it took until every pair was classified correctly.

    Raises:
        ConfigError: no classifier, or fewer than 2 pairs asked for.
        RunError: pairs are still classified wrongly after 500 epochs.
    """
    if config.pairs.form == "none":
        raise ConfigError(
            "--overfit is for the classifier of pairs. Give one, e.g. --set pairs.form=absolute-difference."
        )
    if count < 2:
        raise ConfigError(f"--overfit needs 2 pairs or more. Received: {count}.")
    config = settle_hand_finder(config, [example.path for example in dataset.examples], echo)
    dataset = leave_out_without_hand(dataset, config, echo, progress)
    split = make_split(config.data.split, dataset, config.data.split_options)
    table = thin_pairs(select_pairs(dataset, split, "train", config.pairs.num_drawn, config.train.seed), count)
    job = Job(config, dataset, echo=echo, progress=progress)
    encoder = open_session(job, People(split, list(table.examples), [])).encoder
    features = compute_vectors(config, encoder, [example.path for example in table.examples], progress).features
    watcher = _UntilNoError(features, table)
    settings = replace(config.pairs, dropout=0.0, weight_decay=0.0, epochs=_EPOCHS, batch_size=_BATCH)
    echo(f"learning {describe_pairs(table)} exactly")
    fit_pairs(settings, (features, table), None, seed=config.train.seed, callbacks=[watcher])
    if watcher.num_wrong:
        raise RunError(
            f"{watcher.num_wrong} of {len(table.same)} pairs are still classified wrongly after {_EPOCHS} epochs. Look "
            "for wrong labels or features that do not differ, or raise pairs.learning_rate or pairs.hidden_sizes."
        )
    return watcher.epochs


class _UntilNoError(keras.callbacks.Callback):
    """Stops once every pair is classified correctly, dropout off."""

    def __init__(self, features: Floats, table: PairTable) -> None:
        super().__init__()
        self._features, self._table = features, table
        self.num_wrong, self.epochs = len(table.same), 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Count the errors."""
        first, second = (self._features[self._table.rows[:, k]] for k in (0, 1))
        said = score_pairs_with(self.model, first, second) >= 0
        self.num_wrong, self.epochs = int((said != self._table.same).sum()), epoch + 1
        if self.num_wrong == 0:
            self.model.stop_training = True
