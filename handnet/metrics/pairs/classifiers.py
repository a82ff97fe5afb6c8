"""Classifiers of scikit-learn on the embeddings of two photos, to compare the pair classifier with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Score = Callable[[Floats, Floats], Floats]
_NEIGHBORS = 25


def join_symmetric(first: Floats, second: Floats) -> Floats:
    """Return |a - b| and a · b side by side, (N, 2D): the same for either order."""
    return np.concatenate([np.abs(first - second), first * second], axis=1)


def fit_logistic_regression(first: Floats, second: Floats, same: npt.NDArray[np.bool_], seed: int) -> Score:
    """Fit a logistic regression, ridge penalty 10 on standardised features."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=0.1, max_iter=2000, random_state=seed)
    return _fit(model, first, second, same, lambda fitted, x: fitted.decision_function(x))


def fit_support_vectors(first: Floats, second: Floats, same: npt.NDArray[np.bool_], seed: int) -> Score:
    """Fit a support vector machine with a Gaussian kernel, C = 1 and scikit-learn's width, on standardised features."""
    from sklearn.svm import SVC

    return _fit(SVC(C=1.0, random_state=seed), first, second, same, lambda fitted, x: fitted.decision_function(x))


def fit_neighbors(first: Floats, second: Floats, same: npt.NDArray[np.bool_], seed: int) -> Score:
    """Fit k nearest neighbours, k = 25 (fewer where pairs are few), weighted by closeness, on standardised features."""
    del seed
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(_NEIGHBORS, len(same)), weights="distance")
    return _fit(model, first, second, same, lambda fitted, x: fitted.predict_proba(x)[:, 1])


def _fit(
    model: Any, first: Floats, second: Floats, same: npt.NDArray[np.bool_], compute: Callable[[Any, Floats], Floats]
) -> Score:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), model).fit(join_symmetric(first, second), same)
    return lambda a, b: np.asarray(compute(fitted, join_symmetric(a, b)), np.float32)


BASELINES: dict[str, Callable[[Floats, Floats, npt.NDArray[np.bool_], int], Score]] = {
    "logistic regression": fit_logistic_regression,
    "support vector machine": fit_support_vectors,
    "nearest neighbours": fit_neighbors,
}
