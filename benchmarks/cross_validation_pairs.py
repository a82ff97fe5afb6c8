"""Equal error rate and true accept rate over the back-palm pairs of photos of a cross-validation, with intervals over people.

Pairs lie within a fold, whose model has seen neither person; the scores of all folds are pooled, so one threshold serves all.

    python benchmarks/cross_validation_pairs.py runs/cv-hand-pretrained-joined-lda
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handnet.metrics.embedded import load_part

FALSE_ACCEPT_RATE = 0.01
NUM_DRAWS = 500
Floats = npt.NDArray[np.floating]


def main() -> None:
    """Print a line for each folder that `handnet cv` has made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    for run in parser.parse_args().runs:
        scores, backs, palms = collect_pairs(run)
        names, codes = np.unique([backs, palms], return_inverse=True)
        first, second = codes.reshape(2, -1)
        order = np.argsort(-scores, kind="stable")
        first, second = first[order], second[order]
        random = np.random.default_rng(0)
        found = measure(first, second, np.ones(len(names)))
        draws = np.array(
            [
                measure(first, second, np.bincount(random.integers(0, len(names), len(names)), minlength=len(names)))
                for _ in range(NUM_DRAWS)
            ]
        )
        low, high = np.percentile(draws, (2.5, 97.5), axis=0)
        figures = [f"{100 * f:.1f} % [{100 * a:.1f}, {100 * b:.1f}]" for f, a, b in zip(found, low, high, strict=True)]
        print(f"{run}: EER {figures[0]}, TAR at {100 * FALSE_ACCEPT_RATE:g} % {figures[1]}, {len(scores):,} pairs")


def collect_pairs(run: Path) -> tuple[Floats, npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """Return the scores of all pairs of a back and a palm of the same fold, and the people on both sides."""
    scores, backs, palms = [], [], []
    files = sorted(run.glob("fold-*/cross-validation/embeddings.npz"))
    if not files:
        raise SystemExit(f"{str(run)!r} holds no folds. Run: handnet cv CONFIG --run {run}")
    for file in files:
        part = load_part(file)
        is_back = part.views == "dorsal"
        scores.append((part.embeddings[is_back] @ part.embeddings[~is_back].T).ravel())
        backs.append(np.repeat(part.identities[is_back], np.sum(~is_back)))
        palms.append(np.tile(part.identities[~is_back], np.sum(is_back)))
    return np.concatenate(scores), np.concatenate(backs), np.concatenate(palms)


def measure(first: npt.NDArray[np.intp], second: npt.NDArray[np.intp], counts: npt.ArrayLike) -> tuple[float, float]:
    """Return the equal error rate and the true accept rate where each person counts as often as they were drawn.

    Args:
        first: (N,) person of each pair's back, the pair of the highest score first.
        second: (N,) person of its palm.
        counts: (P,) how often each person was drawn.
    """
    drawn = np.asarray(counts, np.float64)
    same = first == second
    weights = np.where(same, drawn[first], drawn[first] * drawn[second])
    accepted = np.cumsum(weights * same) / max(np.sum(weights * same), 1e-12)
    falsely = np.cumsum(weights * ~same) / max(np.sum(weights * ~same), 1e-12)
    nearest = np.argmin(np.abs(1.0 - accepted - falsely))
    equal = (1.0 - accepted[nearest] + falsely[nearest]) / 2.0
    allowed = np.searchsorted(falsely, FALSE_ACCEPT_RATE, side="right") - 1
    return float(equal), float(accepted[allowed]) if allowed >= 0 else 0.0


if __name__ == "__main__":
    main()
