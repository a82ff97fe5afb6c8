"""Which training people look similar to the encoder, found after each epoch for the batches of the next."""

from collections.abc import Callable, Sequence

import keras

from handnet.data.batch_plan import FloatArray, Pool, average_by_pool
from handnet.training.batches import EpochTemplates


class LookAlikes(keras.callbacks.Callback):
    """Finds after each epoch which training people look similar to the encoder, for the batches of the next.

    Args:
        embed: returns the training photos' vectors, float32 (N, D), as the weights are now.
        pools: whose templates they make.
        templates: where they are put.
    """

    def __init__(self, embed: Callable[[], FloatArray], pools: Sequence[Pool], templates: EpochTemplates) -> None:
        super().__init__()
        self._embed, self._pools, self._templates = embed, pools, templates

    def find(self, epoch: int) -> None:
        """Give the templates of an epoch, by the weights that it begins with."""
        self._templates.put(epoch, average_by_pool(self._pools, self._embed()))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Give the templates of the next epoch, if there is one."""
        if epoch + 1 < self.params["epochs"]:
            self.find(epoch + 1)
