"""Keeping the hand front end's look as a frozen graph after a first answer; `handnet.gallery.frozen_look` reads and runs it."""

from collections.abc import Sequence

import tensorflow as tf

from handnet.data.cache import mark_used, trim_cache, use_folder, write_cached
from handnet.embedding.frozen_encoder import join_frozen
from handnet.errors import RunError
from handnet.gallery.frozen_look import FIELDS, LOOK_GRAPH, FrozenLook, find_look_file
from handnet.gallery.hand_look import look_at_hands
from handnet.images.hand_models.model_files import find_models_folder
from handnet.images.hand_models.models import load_hand_models
from handnet.images.hand_report import look_at_contents
from handnet.networks.freezing import freeze
from handnet.networks.graph_session import GraphError

# Of a quality, 0..1: what the optimizer of TensorFlow, which the frozen graph does without, may round otherwise.
MAX_ERROR = 1e-3


def keep_frozen_look(photos: Sequence[bytes]) -> str:
    """Freeze the look, compare it with the front end on photos, and keep it in the cache; return "" or why it is not kept.

    Args:
        photos: bytes of files.

    Raises:
        DiskError: the cache cannot be written.
        RunError: the frozen graph sees something else.
        WeightsError: the hand models are missing.
    """
    file = find_look_file()
    if file.is_file():
        return ""
    models = load_hand_models(find_models_folder())

    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="contents")], autograph=False)
    def look(contents: tf.Tensor) -> dict[str, tf.Tensor]:
        found = look_at_contents(contents, models)
        return {name: found[name] for name in FIELDS}

    try:
        graph = freeze(look.get_concrete_function())
        seen = FrozenLook(graph).look(photos)
    except GraphError as error:
        return str(error)
    for expected, received in zip(look_at_hands(photos), seen, strict=True):
        close = abs(expected.quality - received.quality) <= MAX_ERROR
        if not close or expected._replace(quality=0.0) != received._replace(quality=0.0):
            raise RunError(f"The frozen front end sees {received} where the front end sees {expected}.")
    use_folder(file.parent)
    write_cached(file, join_frozen({}, {LOOK_GRAPH: graph}))
    mark_used([file])
    trim_cache()
    return ""
