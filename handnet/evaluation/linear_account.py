"""Embeddings as sums over features: exact for heads that are linear in the features but for the length of a photo's vector.

With features f, the head's kernel W and a factor s for each photo and source of features (what brings it to its length, given
the photo), a photo's vector is the sum over sources of s · f W, and what does not depend on the features.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from handnet.errors import ConfigError
from handnet.networks.feature_places import FeatureGroup
from handnet.networks.joined_discriminant import JoinedDiscriminantLayer

Floats = npt.NDArray[np.float64]
COMMON = "what all hands share"


class LinearAccount(NamedTuple):
    """How the vectors of photos come from their features.

    Attributes:
        kernel: (F, D).
        widths: features of each of S sources, in their order.
        factors: (N, S) of each photo and source.
        constants: (N, D) what does not depend on the features, given the factors.
    """

    kernel: Floats
    widths: tuple[int, ...]
    factors: Floats
    constants: Floats

    def select(self, rows: npt.NDArray[np.int64]) -> "LinearAccount":
        """Return the account of some of the photos."""
        return self._replace(factors=self.factors[rows], constants=self.constants[rows])


def account_for(head: keras.Model, features: npt.NDArray[np.floating]) -> LinearAccount | None:
    """Return how the vectors of photos come from their features; None for a head that is not linear.

    Args:
        head: features (N, F) → (N, D).
        features: of the photos.
    """
    weighted = [layer for layer in head.layers if layer.weights]
    if len(weighted) != 1:
        return None
    (layer,) = weighted
    if isinstance(layer, JoinedDiscriminantLayer):
        return _account_for_joined(head, layer, np.asarray(features, np.float64))
    if not isinstance(layer, keras.layers.Dense) or not layer.use_bias:
        return None
    if layer.activation is not keras.activations.linear:
        return None
    kernel, bias = (_read(weight) for weight in layer.weights)
    return account_linear(kernel, bias, features)


def account_linear(kernel: Floats, bias: Floats, features: npt.NDArray[np.floating]) -> LinearAccount:
    """Return how vectors come from features (N, F) by one linear map, kernel (F, D) and bias (D,), and the length 1."""
    factors = 1.0 / np.linalg.norm(features @ kernel + bias, axis=1, keepdims=True)
    return LinearAccount(kernel, (len(kernel),), factors, factors * bias)


def _account_for_joined(head: keras.Model, layer: JoinedDiscriminantLayer, features: Floats) -> LinearAccount:
    kernel = np.zeros((sum(layer.widths), layer.embedding_size))
    vectors = np.asarray(keras.ops.convert_to_numpy(head(features.astype(np.float32), training=False)), np.float64)
    logits = features @ _read(layer.view_kernel) + _read(layer.view_bias)
    first = 0.5 * (1.0 + np.tanh(logits / 2.0))
    # Beyond the sources' columns: the two coordinates of the view.
    constants = vectors.copy()
    factors, begin = [], 0
    for number, (width, weights) in enumerate(zip(layer.widths, layer.maps, strict=True)):
        own, bias, shift, _ = (_read(weight) for weight in weights)
        columns = slice(number * layer.num_directions, (number + 1) * layer.num_directions)
        kernel[begin : begin + width, columns] = own
        constant = bias - first * shift
        z = features[:, begin : begin + width] @ own + constant
        begin += width
        # The head brings each source of a photo to a length: the factor that it took.
        factor = np.sum(z * vectors[:, columns], axis=1) / np.maximum(np.sum(np.square(z), axis=1), 1e-30)
        factors.append(factor)
        constants[:, columns] = factor[:, None] * constant
    return LinearAccount(kernel, tuple(layer.widths), np.stack(factors, axis=1), constants)


def split_vectors(
    account: LinearAccount, features: npt.NDArray[np.floating], groups: Sequence[FeatureGroup], mean_features: Floats
) -> tuple[list[str], Floats]:
    """Return what each group of features adds to the vector of each photo, counted from the mean features.

    Args:
        account: of the photos.
        features: (N, F).
        groups: what the features are, in their order; groups of one name are put together.
        mean_features: (F,).

    Returns:
        The G names, `COMMON` the last, and float64 (N, G, D); the sums over the groups are the vectors.

    Raises:
        ConfigError: groups that do not make up the features.
    """
    names = [*dict.fromkeys(group.name for group in groups), COMMON]
    parts = np.zeros((len(features), len(names), account.kernel.shape[1]))
    parts[:, -1] = account.constants
    for group, rows, source in list_rows(groups, account.widths):
        factor, kernel = account.factors[:, source, None], account.kernel[rows]
        parts[:, names.index(group.name)] += factor * ((features[:, rows] - mean_features[rows]) @ kernel)
        parts[:, -1] += factor * (mean_features[rows] @ kernel)
    return names, parts


def list_rows(groups: Sequence[FeatureGroup], widths: Sequence[int]) -> Iterator[tuple[FeatureGroup, slice, int]]:
    """Yield each group with its features and the source that it lies in.

    Args:
        groups: in the order of the features.
        widths: features of each source.

    Raises:
        ConfigError: groups that do not make up the features.
    """
    if (described := sum(group.width for group in groups)) != sum(widths):
        raise ConfigError(f"Expected {described} features, as the groups say. Received: {sum(widths)}.")
    source_of, start = np.repeat(np.arange(len(widths)), widths), 0
    for group in groups:
        yield group, slice(start, start + group.width), int(source_of[start])
        start += group.width


def _read(weight: keras.Variable) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)
