"""A run's kept calibration, read and checked against what it was fitted on; without TensorFlow, so that an answer need not wait.

`handnet.evaluation.thresholds` fits it and says when.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handnet.config.run_folder import WEIGHTS_FILE, Run, fingerprint_data, read_run_split
from handnet.console import Echo
from handnet.data.cache import digest_bytes
from handnet.data.checks import read_photo
from handnet.data.dataset import DataSet, has_views, leave_known_out, people_with_both_views
from handnet.data.example import Example, write_label
from handnet.data.pair_table import PairTable, choose_tables
from handnet.data.readers import FILLING_READERS, read_dataset
from handnet.data.splits.rules import select_part
from handnet.errors import DataError, HandnetError, RunError, quote
from handnet.files import parse_json
from handnet.metrics.pairs.calibration import Calibration, load_calibration
from handnet.networks.weights.manifest import hash_file

CALIBRATION_FILE = "calibration.json"


class Basis(NamedTuple):
    """What a calibration is fitted on: photos of validation people, and, without views, pairs of them."""

    examples: list[Example]
    table: PairTable | None


def load_thresholds(run: Run, warn: Echo = print) -> Calibration:
    """Return the run's kept calibration, without fitting one; where the run's own data can be read, checked against them.

    Args:
        run: a run that was evaluated.
        warn: told where the file does not say what it was fitted on.

    Raises:
        RunError: there is none yet, or it was fitted on other weights, people, labels or photos than the run has now.
        EvaluationError: the file is damaged.
    """
    file = run.folder / CALIBRATION_FILE
    if not file.exists():
        raise RunError(f"{str(run.folder)!r} has no calibration yet: evaluate it first with {_advise_fit(run)}")
    calibration, fitted_on = load_calibration(file), read_fitted_on(file)
    if not fitted_on:
        warn(
            f"{str(file)!r} does not say what it was fitted on (an earlier version wrote it): fit it again with "
            f"{_advise_fit(run)}"
        )
    elif fitted_on.get("weights") != hash_file(run.folder / WEIGHTS_FILE):
        raise RunError(f"{str(file)!r} was fitted on the vectors of other weights. Fit it again: {_advise_fit(run)}")
    elif changed := _compare_with_own_data(run, fitted_on):
        raise RunError(
            f"{str(file)!r} was fitted on other {' and '.join(changed)} than {run.facts['data']['directory']!r} holds now. Fit "
            f"it again: {_advise_fit(run)}"
        )
    return calibration


def _advise_fit(run: Run) -> str:
    # It is fitted on validation people whichever part is evaluated, and photos of test people may not be there.
    return f"handnet eval {quote(run.folder)} --part val"


def select_basis(run: Run, dataset: DataSet) -> Basis | str:
    """Return what the calibration is fitted on, or why there is nothing to fit it on."""
    split = read_run_split(run)
    if not split.val:
        return "the run has no validation people."
    try:
        if not has_views(dataset.examples):
            table = choose_tables(run, dataset)[1]
            return Basis(table.examples, table)
        examples = select_part(dataset, split, "val")
    except DataError as error:
        return str(error)
    if split.by == "photo":
        return "the split deals out photos, so that validation and test share people."
    if len(people_with_both_views(examples)) < 2:
        return "fewer than two validation people have photos of both views here."
    return Basis(examples, None)


def fingerprint_basis(run: Run, basis: Basis) -> dict[str, str]:
    """Return the digests of the weights and of the people, labels and photos that a calibration is fitted on."""
    examples = basis.examples
    digests = digest_photos(examples)
    labels = [write_label(example) for example in examples]
    if basis.table is not None:
        labels += [f"{a}|{b}|{same}" for (a, b), same in zip(basis.table.rows, basis.table.same, strict=True)]
    people = np.unique([example.identity for example in examples]).tolist()
    return {
        "weights": hash_file(run.folder / WEIGHTS_FILE),
        "people": fingerprint_data(people, people),
        "labels": fingerprint_data(labels, labels),
        "photos": fingerprint_data(digests, digests),
    }


def name_changes(kept: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return which of the digests that a calibration was fitted on are other ones now."""
    return [name for name, digest in now.items() if kept.get(name) != digest]


def read_fitted_on(file: Path) -> Mapping[str, str]:
    """Return what a kept calibration says that it was fitted on; of an earlier version's file nothing."""
    found = parse_json(file.read_text(encoding="utf-8")).get("fitted_on", {})
    return found if isinstance(found, dict) else {}


def digest_photos(examples: Sequence[Example]) -> list[str]:
    """Return the digest of each photo's bytes, in order."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda example: digest_bytes(read_photo(example.path)[0]), examples))


def _compare_with_own_data(run: Run, fitted_on: Mapping[str, str]) -> list[str]:
    """Return what of the run's own data has changed since; nothing where that cannot be told, e.g. away from the data."""
    data = run.config.data
    if data.reader in FILLING_READERS and data.fill_labels:
        # Their labels are partly what the hand finder sees in all photos; `handnet eval` looks again.
        return []
    try:
        dataset = read_dataset(data.reader, Path(run.facts["data"]["directory"]))
        basis = select_basis(run, leave_known_out(dataset, run.facts["data"]))
    except HandnetError:
        # A run is used without its data too.
        return []
    return [] if isinstance(basis, str) else name_changes(fitted_on, fingerprint_basis(run, basis))
