"""Does the interval of the FPIR hold the true rate? Simulated people, of whom there are as many as one likes.

    python benchmarks/open_set_simulation.py [--draws 60] [--strangers 2000] [--seed 7] [--bound estimate]

Each draw has new calibration people, a new gallery and new strangers. A person is a direction, of which a photo shows a noisy
copy; how strongly differs from person to person, so that some look like everybody. The strangers are so many that their rate
is as good as the true one. The threshold and the interval come from the calibration people alone, by the best estimate and by
the upper end; without the floor by Clopper and Pearson the interval would be the bootstrap's alone, which is printed too.
"""

import argparse
from unittest.mock import patch

import numpy as np
from machine import describe_machine

from handnet.gallery import identification_threshold
from handnet.gallery.identification_threshold import Compared, choose_threshold
from handnet.gallery.pairings import PairingFit

# Calibration people, enrolled people, FPIR asked for.
CASES = ((47, 22, 0.1), (47, 22, 0.2), (47, 46, 0.2), (100, 30, 0.1), (100, 90, 0.1))
WIDTH = 48


def draw_people(generator: np.random.Generator, count: int) -> np.ndarray:
    """Draw (people, 2 photos, WIDTH) unit vectors: backs and palms."""
    person = generator.normal(size=(count, 1, WIDTH)) * generator.uniform(0.6, 1.4, size=(count, 1, 1))
    vectors = 0.5 + person + 0.8 * generator.normal(size=(count, 2, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=2, keepdims=True), dtype=np.float32)


def make_fit(people: np.ndarray) -> PairingFit:
    """Return a calibration whose log ratio is the cosine: each back against the others' palms."""
    impostors = people[:, 0] @ people[:, 1].T
    np.fill_diagonal(impostors, np.nan)
    return PairingFit(1.0, 0.0, 0.1, 0.5, len(impostors), impostors, np.arange(len(impostors)))


def measure(
    case: tuple[int, int, float], bound: str, draws: int, num_strangers: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (draws, 4): best estimate, ends of the interval, measured rate; and whether the bootstrap's alone holds it."""
    num_calibration, enrolled, rate = case
    generator = np.random.default_rng(seed)
    rows, alone = [], []
    for _ in range(draws):
        compared = [Compared(make_fit(draw_people(generator, num_calibration)), enrolled)]
        threshold = choose_threshold(compared, rate, "", bound=bound)
        gallery, strangers = draw_people(generator, enrolled)[:, 1], draw_people(generator, num_strangers)[:, 0]
        measured = float(np.mean((strangers @ gallery.T).max(axis=1) >= threshold.log_ratio))
        rows.append((threshold.predicted, *threshold.interval, measured))
        with patch.object(identification_threshold, "_bound_people", lambda *_: (1.0, 0.0)):
            low, high = identification_threshold.bootstrap_fpir(compared, threshold.log_ratio)
        alone.append(low <= measured <= high)
    return np.array(rows), np.array(alone)


def main() -> None:
    """Print a line for each case and bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--strangers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bound", nargs="+", choices=identification_threshold.BOUNDS, default=["estimate"])
    given = parser.parse_args()
    print(describe_machine(("numpy", "scipy")))
    for case in CASES:
        for bound in given.bound:
            rows, alone = measure(case, bound, given.draws, given.strangers, given.seed)
            predicted, low, high, measured = rows.T
            inside = np.mean((low <= measured) & (measured <= high))
            print(
                f"{case[0]} calibration people, {case[1]} enrolled, asked {case[2]:.0%} as {bound}: predicted "
                f"{predicted.mean():.1%}, interval {low.mean():.1%} to {high.mean():.1%}, measured {measured.mean():.1%}, inside "
                f"in {inside:.0%} of {len(rows)} draws (by the bootstrap alone {alone.mean():.0%}), above the rate asked for in "
                f"{np.mean(measured > case[2]):.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
