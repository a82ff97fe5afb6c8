"""Statistics of the batches that `model.fit` logs each epoch: is there still something to learn, or has it collapsed?"""

import keras
from keras import ops

from handnet.losses.distances import DISTANCES, Tensor, pairwise_distances, to_float
from handnet.losses.option_checks import check_choice, check_number
from handnet.losses.pair_masks import VIEW_MODES, compare_labels, integer_labels
from handnet.losses.replicas import gather_rows
from handnet.losses.triplet import all_terms


class BatchStatistics(keras.metrics.Metric):
    """Four figures of the batches of an epoch, for `model.compile(metrics=[BatchStatistics()])`.

    - `active_triplets`: of all triplets, the fraction whose negative is not farther than the positive by the margin.
    - `positive_distance` and `negative_distance`: means over all pairs.
    - `mean_norm`: length of the mean embedding of a batch, averaged over batches; for unit vectors 0 is spread out
      and 1 is collapse.

    The first three weight all triplets and pairs of the epoch equally, in batches of any size; an epoch without any gives 0.

    Args:
        margin: the triplet loss's margin, in units of the distance, > 0.
        distance: "l2", "squared_l2" or "cosine".
        views: "any" or "cross": which pairs of views are looked at.
        name: name of the metric; the figures are logged under their own names.

    Raises:
        ConfigError: an invalid option.
    """

    def __init__(
        self, margin: float = 0.5, distance: str = "l2", views: str = "any", name: str = "batch_statistics"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.margin = check_number("margin", margin, above=0.0)
        self.distance = check_choice("distance", distance, DISTANCES)
        self.views = check_choice("views", views, VIEW_MODES[:2])
        self.sums = self.add_variable((4,), "zeros", dtype="float32", name="sums")
        self.counts = self.add_variable((4,), "zeros", dtype="float32", name="counts")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            y_true: int (B, 2) = [identity, view].
            y_pred: embeddings (B, D), any float type.
            sample_weight: not used.
        """
        labels = gather_rows(integer_labels(y_true))
        embeddings = gather_rows(ops.cast(to_float(y_pred), "float32"))
        rows = ops.arange(ops.shape(labels)[0], dtype="int32")
        positives, negatives = compare_labels(labels, labels, rows, self.views == "cross")
        distances = pairwise_distances(embeddings, embeddings, self.distance)
        _, active = all_terms(distances, positives, negatives, self.margin, soft=False, average="active")
        num_positives = ops.sum(ops.cast(positives, "float32"), axis=1)
        num_negatives = ops.sum(ops.cast(negatives, "float32"), axis=1)
        sums = [
            ops.sum(active),
            ops.sum(ops.where(positives, distances, 0.0)),
            ops.sum(ops.where(negatives, distances, 0.0)),
            ops.norm(ops.mean(embeddings, axis=0)),
        ]
        counts = [
            ops.sum(num_positives * num_negatives),
            ops.sum(num_positives),
            ops.sum(num_negatives),
            ops.ones((), dtype="float32"),
        ]
        self.sums.assign_add(ops.stack(sums))
        self.counts.assign_add(ops.stack(counts))

    def result(self) -> dict[str, Tensor]:
        """Return the four figures so far."""
        means = ops.divide_no_nan(ops.convert_to_tensor(self.sums), ops.convert_to_tensor(self.counts))
        names = ("active_triplets", "positive_distance", "negative_distance", "mean_norm")
        return {name: means[place] for place, name in enumerate(names)}

    def get_config(self) -> dict[str, object]:
        """Return the options, for Keras."""
        return {"name": self.name, "margin": self.margin, "distance": self.distance, "views": self.views}
