"""Cross-batch memory (XBM): embeddings of past steps as further references, held by a layer of the training model."""

import keras
from keras import ops

from handnet.errors import ConfigError
from handnet.losses.distances import Tensor
from handnet.losses.option_checks import check_count


class CrossBatchMemory(keras.layers.Layer):
    """Passes embeddings through unchanged and holds a ring of past ones with their labels.

    The loss writes and reads the ring; the layer is in the model so that Keras carries its variables through compiled
    steps (JAX's too), checkpoints and a resumed run, and so that the loss knows a training step from a validation one:
    validation reads the memory but leaves nothing in it.

    Args:
        size: number of embeddings remembered, at least 1.
        warm_up_steps: training steps before the memory takes part; it fills meanwhile.
        max_age_steps: an embedding older than this many training steps takes no part; 0: no limit.
        name: name of the layer.

    Raises:
        ConfigError: a number out of range.

    Reference:
        Wang et al. 2020, "Cross-Batch Memory for Embedding Learning". The age limit is not in the paper.
    """

    def __init__(
        self, size: int, warm_up_steps: int = 0, max_age_steps: int = 0, name: str | None = "cross_batch_memory"
    ):
        super().__init__(name=name, dtype="float32")
        self.size = check_count("memory_size", size, least=1)
        self.warm_up_steps = check_count("memory_warm_up_steps", warm_up_steps, least=0)
        self.max_age_steps = check_count("memory_max_age_steps", max_age_steps, least=0)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the ring for embeddings (B, D)."""

        def state(name: str, shape: tuple[int, ...], dtype: str, value: float) -> keras.Variable:
            # Every replica sees the same gathered batch, so that the first one's update is everyone's.
            return self.add_weight(
                shape=shape,
                dtype=dtype,
                initializer=keras.initializers.Constant(value),
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
                name=name,
            )

        width = input_shape[-1]
        assert width is not None, "embeddings have a fixed width"
        self.rows = state("rows", (self.size, width), "float32", 0.0)
        self.labels = state("labels", (self.size, 2), "int32", 0)
        self.written_at = state("written_at", (self.size,), "int32", -1)
        self.cursor = state("cursor", (), "int32", 0)
        self.steps = state("steps", (), "int32", 0)
        self.is_training = state("is_training", (), "int32", 0)
        super().build(input_shape)

    def call(self, embeddings: Tensor, training: bool | None = False) -> Tensor:
        """Return the embeddings and note whether this is a training step."""
        self.is_training.assign(ops.cast(bool(training), "int32"))
        return embeddings

    def recall(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is remembered: rows (M, D), labels int32 (M, 2), and which of them may be used, (M,) bool."""
        written, steps = ops.convert_to_tensor(self.written_at), ops.convert_to_tensor(self.steps)
        usable = ops.logical_and(written >= 0, steps >= self.warm_up_steps)
        if self.max_age_steps:
            usable = ops.logical_and(usable, steps - written <= self.max_age_steps)
        return ops.convert_to_tensor(self.rows), ops.convert_to_tensor(self.labels), usable

    def remember(self, rows: Tensor, labels: Tensor) -> None:
        """Write the batch over the oldest rows, in a training step; of a batch larger than the ring its last rows.

        Args:
            rows: (B, D), all replicas'.
            labels: int (B, 2).
        """
        rows = ops.cast(ops.stop_gradient(rows), "float32")[-self.size :]
        labels = ops.cast(labels, "int32")[-self.size :]
        num_rows = ops.shape(rows)[0]
        cursor, steps, is_training = (ops.convert_to_tensor(v) for v in (self.cursor, self.steps, self.is_training))
        places = ((cursor + ops.arange(num_rows, dtype="int32")) % self.size)[:, None]

        def write(variable: keras.Variable, updates: Tensor) -> None:
            old = ops.convert_to_tensor(variable)
            variable.assign(ops.where(is_training > 0, ops.scatter_update(old, places, updates), old))

        write(self.rows, rows)
        write(self.labels, labels)
        write(self.written_at, ops.zeros_like(labels[:, 0]) + steps)
        self.cursor.assign((cursor + is_training * num_rows) % self.size)
        self.steps.assign(steps + is_training)

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        own = {"size": self.size, "warm_up_steps": self.warm_up_steps, "max_age_steps": self.max_age_steps}
        return {"name": self.name, **own}


def require_state(state: keras.layers.Layer, loss_name: str) -> None:
    """Raise a ConfigError where the layer with a loss's variables is not part of the model yet.

    Args:
        state: the layer.
        loss_name: the loss, for the message.
    """
    if not state.built:
        raise ConfigError(f"The loss {loss_name!r} has variables: build the model with attach(loss, embeddings).")
