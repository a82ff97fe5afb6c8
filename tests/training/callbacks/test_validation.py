"""Figures of the validation people after an epoch."""

import contextlib

import numpy as np
from sklearn.metrics import roc_auc_score

from handnet.training.callbacks.validation import Validation, compute_all_pairs_auc


def draw(num_people: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(num_people, 8)), 2, axis=0)
    vectors = centres + noise * rng.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = np.repeat([f"p{k}" for k in range(num_people)], 2)
    return vectors.astype(np.float32), people, np.asarray(["dorsal", "palmar"] * num_people)


def test_the_logs_get_the_figures_of_the_weights_within_swap() -> None:
    vectors, people, views = draw(6, 0.0)
    inside: list[str] = []

    @contextlib.contextmanager
    def swap():
        inside.append("begin")
        yield
        inside.append("end")

    def embed() -> np.ndarray:
        assert inside == ["begin"]
        return vectors

    logs = {"loss": 1.0}
    validation = Validation(embed, people, views, swap, as_pairs=True)
    validation.on_epoch_end(0, logs)
    assert inside == ["begin", "end"]
    assert (logs["loss"], logs["val_mean_rank"], logs["val_recall_at_1"], logs["val_auc"]) == (1.0, 1.0, 1.0, 1.0)
    assert logs["val_mean_norm"] == np.float32(np.linalg.norm(vectors.mean(axis=0)))
    assert validation.embeddings is vectors


def test_auc_of_all_pairs_equals_scikit_learn() -> None:
    vectors, people, _ = draw(9, 1.0)
    # Equal scores count half.
    vectors[3] = vectors[5]
    first, second = np.triu_indices(len(people), k=1)
    scores = (vectors @ vectors.T)[first, second]
    expected = roc_auc_score(people[first] == people[second], scores)
    assert np.isclose(compute_all_pairs_auc(vectors, people), expected, atol=1e-12)
