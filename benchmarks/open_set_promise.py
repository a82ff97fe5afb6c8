"""Does a gallery keep the FPIR that it promises? Real people dealt into calibration, enrolled and strangers, many times.

python benchmarks/open_set_promise.py RUN… --data DIR [--calibration 47] [--enrolled 24] [--rates 0.1 0.2] [--draws 40]

Only the runs' validation and test people take part: nothing was trained on them. Every person of a draw is in one role. The
enrolled have all their palms in the gallery; every back of the strangers and of the enrolled is searched. Rates are means
over people, not photos. The threshold and the interval come from the calibration people alone, by the best estimate and by
the upper bound.

The measured rate of a few strangers has noise of its own. So a draw counts twice: as it is, whether the measured rate lies
in the interval promised; and with that noise allowed for, whether the 95 % interval of measured minus promised rate holds 0.
That interval squares and adds the promised interval and the Clopper-Pearson interval of so many strangers (Newcombe,
Statistics in Medicine 17, 1998, method 10).
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from machine import describe_machine
from scipy.stats import beta

from handnet.config.run_folder import read_run, read_run_split
from handnet.data.readers import read_dataset
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import embed_part
from handnet.errors import EvaluationError
from handnet.gallery.identification_threshold import BOUNDS, Threshold, choose_threshold
from handnet.gallery.index import TemplateIndex
from handnet.gallery.pairings import fit_matching
from handnet.gallery.records import HandKind, Person, Photo
from handnet.gallery.templates import build_templates
from handnet.metrics.embedded import EmbeddedPart
from handnet.networks.encoder import load_encoder


def embed_people(folder: Path, data: str) -> EmbeddedPart:
    """Return the vectors of a run's validation and test people."""
    run = read_run(folder)
    dataset, split = read_dataset(run.config.data.reader, data), read_run_split(run)
    examples = [*select_part(dataset, split, "val"), *select_part(dataset, split, "test")]
    return embed_part(run.config, load_encoder(run), examples)


def list_kinds(part: EmbeddedPart) -> list[HandKind]:
    """Return view and side of each photo."""
    return [HandKind(str(view), str(side)) for view, side in zip(part.views, part.sides, strict=True)]


def enrol(part: EmbeddedPart, index: TemplateIndex) -> None:
    """Fill the index with the palms."""
    palms = part.select(part.views == "palmar")
    photos = [
        Photo("", str(person), "", kind, 1.0, "", "", vector)
        for person, kind, vector in zip(palms.identities, list_kinds(palms), palms.embeddings, strict=True)
    ]
    index.fill([Person(name, name, "") for name in dict.fromkeys(palms.identities.tolist())], build_templates(photos))


def search_backs(
    part: EmbeddedPart, index: TemplateIndex, thresholds: Mapping[HandKind, Threshold], enrolled: bool
) -> tuple[np.ndarray, list[Threshold]]:
    """Return how often the searches of each person go wrong, and the threshold of each search."""
    backs = part.select(part.views == "dorsal")
    wrong: dict[str, list[bool]] = {}
    used: list[Threshold] = []
    for person, kind, vector in zip(backs.identities.tolist(), list_kinds(backs), backs.embeddings, strict=True):
        hits = index.search(kind, vector[None], 1)[0]
        if not hits.num_compared:
            continue
        used.append(thresholds[kind])
        named = hits.log_ratios[0] >= used[-1].log_ratio
        right = named and hits.people[0].id == person
        wrong.setdefault(person, []).append(bool(not right if enrolled else named))
    return np.array([np.mean(rows) for rows in wrong.values()]), used


def is_kept(wrong: np.ndarray, promised: Sequence[float]) -> bool:
    """Return whether the 95 % interval of measured minus promised rate holds 0: Newcombe's method 10.

    Args:
        wrong: (strangers,) how often each was named.
        promised: predicted rate and the ends of its interval.
    """
    predicted, low, high = promised
    hits, misses, measured = wrong.sum(), (1 - wrong).sum(), wrong.mean()
    lower = beta.ppf(0.025, hits, misses + 1) if hits else 0.0
    upper = beta.ppf(0.975, hits + 1, misses) if misses else 1.0
    apart = measured - predicted
    return bool(-np.hypot(upper - measured, predicted - low) <= apart <= np.hypot(measured - lower, high - predicted))


def measure(
    part: EmbeddedPart, counts: tuple[int, int], rates: Sequence[float], draws: int, seed: int
) -> dict[tuple[float, str], np.ndarray]:
    """Return (draws, 6) for each rate and bound: FPIR, FNIR, predicted FPIR, its interval's ends, whether it `is_kept`."""
    generator = np.random.default_rng(seed)
    rows: dict[tuple[float, str], list[list[float]]] = {row: [] for row in itertools.product(rates, BOUNDS)}
    for draw in range(draws):
        people = generator.permutation(np.unique(part.identities))
        calibration, enrolled, strangers = (
            part.select(np.isin(part.identities, chosen)) for chosen in np.split(people, np.cumsum(counts))
        )
        matching = fit_matching(
            calibration.embeddings, calibration.identities.tolist(), list_kinds(calibration), seed=draw
        )
        index = TemplateIndex(matching, part.embeddings.shape[1])
        enrol(enrolled, index)
        kinds = {kind for kind in list_kinds(part) if kind.view == "dorsal"}
        for rate, bound in rows:
            try:
                thresholds = {kind: choose_threshold(index.compare(kind), rate, "", bound=bound) for kind in kinds}
            except EvaluationError as error:
                print(f"refused: {error}")
                continue
            named, used = search_backs(strangers, index, thresholds, enrolled=False)
            missed, _ = search_backs(enrolled, index, thresholds, enrolled=True)
            promised = np.mean([[row.predicted, *row.interval] for row in used], axis=0)
            rows[rate, bound].append([named.mean(), missed.mean(), *promised, is_kept(named, promised)])
    return {row: np.array(found) for row, found in rows.items() if found}


def main() -> None:
    """Print a line for each run, way of comparing, rate and bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--data", required=True)
    parser.add_argument("--calibration", type=int, default=47)
    parser.add_argument("--enrolled", type=int, default=24)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.2])
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(describe_machine(("numpy",)))
    counts = (arguments.calibration, arguments.enrolled)
    for folder in arguments.runs:
        known = embed_people(folder, arguments.data)
        unknown = EmbeddedPart(
            known.embeddings,
            known.identities,
            known.views,
            np.full_like(known.sides, ""),
            known.attributes,
            known.paths,
        )
        for name, part in (("same hand", known), ("side not known", unknown)):
            found = measure(part, counts, arguments.rates, arguments.draws, arguments.seed)
            for (rate, bound), rows in found.items():
                false, missed, predicted, low, high, kept = rows.mean(axis=0)
                above = np.mean(rows[:, 0] > rate)
                inside = np.mean((rows[:, 0] >= rows[:, 3]) & (rows[:, 0] <= rows[:, 4]))
                print(
                    f"{folder.name}, {name}, {len(np.unique(part.identities))} people, {len(rows)} draws: asked {rate:.0%} "
                    f"as {bound}, predicted {predicted:.1%}, interval {low:.1%} to {high:.1%}, measured {false:.1%} "
                    f"(inside in {inside:.0%}, with their own noise {kept:.0%}, above the rate asked for in {above:.0%}), "
                    f"FNIR {missed:.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
