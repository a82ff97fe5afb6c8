"""Weights that the user names are tried before any photo is decoded."""

import os
from typing import TYPE_CHECKING

from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.settings import Config


def check_given_weights(config: "Config") -> None:
    """Fill the encoder with the weights that the settings name by a path, if any, and let go of it.

    A training builds its encoder when it knows its people, and it may have looked at every photo by then: to fill labels, to
    leave out those without a hand, or for several folds. Weights that come with handnet or by its own fetching are not tried.

    Raises:
        WeightsError: they are damaged or do not fit.
        RunError: they are a run's, and its own are damaged.
    """
    sources = [source.weights for source in config.model.sources.values() if not source.off]
    if not any(os.sep in weights for weights in (config.model.weights, *sources)):
        return
    start_tensorflow()
    from handnet.networks.encoder import build_encoder

    build_encoder(config)
