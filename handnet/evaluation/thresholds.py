"""A run's thresholds and calibration: fitted on its validation people and kept in calibration.json, which this module owns.

The file says what it was fitted on. Where weights, people, labels or photos have changed since, the calibration is fitted again,
so that no figure depends on the order of the commands. Figures of other data than the run's own have a calibration of their own,
next to the figures: it never decides in `handnet verify` or in an exported model.
"""

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handnet.config.run_folder import WEIGHTS_FILE, Run, fingerprint_data, read_run_split, read_seen_photos
from handnet.console import Echo
from handnet.data.cache import digest_bytes
from handnet.data.checks import read_photo
from handnet.data.dataset import DataSet, has_views, people_to_match, people_with_both_views
from handnet.data.example import Example
from handnet.data.pair_table import PairTable
from handnet.data.readers import FILLING_READERS, read_dataset
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import compute_vectors, embed_part
from handnet.errors import DataError, DiskError, EvaluationError, HandnetError, RunError, quote
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import Calibration, fit_calibration, load_calibration, save_calibration
from handnet.metrics.pairs.pair_list import collect_pairs, score_cosine
from handnet.networks.encoder import Encoder
from handnet.networks.weights.manifest import hash_file
from handnet.training.pair_training import choose_tables
from handnet.training.session import write_label

CALIBRATION_FILE = "calibration.json"
OTHER_CALIBRATION_FILE = "calibration_of_these_data.json"


class _Basis(NamedTuple):
    """What a calibration is fitted on: photos of validation people, and, without views, pairs of them."""

    examples: list[Example]
    table: PairTable | None


def find_thresholds(
    run: Run, encoder: Encoder, dataset: DataSet, echo: Echo = print, other: Path | None = None
) -> Calibration | None:
    """Return the run's calibration, the kept one where it fits what it was fitted on, else fitted now and kept.

    With views it is fitted on all pairs of a back and a palm of the validation people; without views on the pairs of
    photos that the classifier of pairs keeps back. A run folder that cannot be written is read all the same.

    Args:
        run: a finished run.
        encoder: its encoder, from `load_encoder`.
        dataset: the photos. Where they hold no validation people, a kept calibration of the same weights is taken as it is.
        echo: told what was fitted again and why, and why there are no thresholds.
        other: folder of the figures. On data that are not the run's own the calibration is fitted on these and written there;
            with None the run's kept one is taken on such data, or none.

    Returns:
        The calibration; None where the validation people do not suffice and nothing that fits was kept.

    Raises:
        DataError: photos that cannot be decoded.
    """
    file = run.folder / CALIBRATION_FILE
    kept, reason = _read_kept(file)
    basis = _select_basis(run, dataset)
    own = isinstance(basis, str) or _is_own(run, dataset, basis.examples)
    if not own and other is None:
        basis = f"{dataset.directory!r} is not what the run was trained on."
    if isinstance(basis, str):
        if kept is not None and kept[1].get("weights") == hash_file(run.folder / WEIGHTS_FILE):
            echo(f"thresholds: those of {str(file)!r}; they cannot be checked on these data: {basis}")
            return kept[0]
        echo(f"no thresholds and no probabilities: {basis}")
        return None
    fitted_on = _fingerprint(run, basis)
    if not own and other is not None:
        return _fit_other(run, encoder, basis, fitted_on, other, echo)
    if kept is not None:
        changed = _name_changes(kept[1], fitted_on)
        if not changed:
            return kept[0]
        reason = (
            f"it was fitted on other {' and '.join(changed)}" if kept[1] else "it does not say what it was fitted on"
        )
    if reason:
        echo(f"thresholds: fitted again, {str(file)!r} is out of date: {reason}")
    calibration = _fit(run, encoder, basis)
    try:
        save_calibration(file, calibration, fitted_on)
    except DiskError as error:
        echo(f"thresholds: used here and not kept in the run. {error}")
    return calibration


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
        raise RunError(
            f"{str(run.folder)!r} has no calibration yet: evaluate it first with handnet eval {quote(run.folder)}"
        )
    calibration, fitted_on = load_calibration(file), _read_fitted_on(file)
    if not fitted_on:
        warn(
            f"{str(file)!r} does not say what it was fitted on (an earlier version wrote it): fit it again with handnet eval "
            f"{quote(run.folder)}"
        )
    elif fitted_on.get("weights") != hash_file(run.folder / WEIGHTS_FILE):
        raise RunError(
            f"{str(file)!r} was fitted on the vectors of other weights. Fit it again: handnet eval {quote(run.folder)}"
        )
    elif changed := _compare_with_own_data(run, fitted_on):
        raise RunError(
            f"{str(file)!r} was fitted on other {' and '.join(changed)} than {run.facts['data']['directory']!r} holds now. Fit "
            f"it again: handnet eval {quote(run.folder)}"
        )
    return calibration


def _fit_other(
    run: Run, encoder: Encoder, basis: _Basis, fitted_on: Mapping[str, str], folder: Path, echo: Echo
) -> Calibration:
    """Fit a calibration for the figures of data that are not the run's own, and write it next to them."""
    calibration = _fit(run, encoder, basis)
    file = folder / OTHER_CALIBRATION_FILE
    save_calibration(file, calibration, fitted_on)
    echo(
        f"thresholds: fitted on the validation people of these data, which the run was not trained on, for these figures alone "
        f"({str(file)!r}); verify and export keep those of the run's own data."
    )
    return calibration


def _is_own(run: Run, dataset: DataSet, examples: list[Example]) -> bool:
    """Tell whether the run was trained on these data, wherever they lie now, and with labels corrected or not."""
    if os.path.realpath(dataset.directory) == os.path.realpath(run.facts["data"]["directory"]):
        return True
    counts = run.facts["data"].get("num_photos", {})
    # The photos that the weights before it have seen follow those of the run itself.
    seen = set(read_seen_photos(run)[: sum(counts.values())])
    matched = set(people_to_match(examples))
    return bool(seen) and seen.issuperset(_digest([example for example in examples if example.identity in matched]))


def _compare_with_own_data(run: Run, fitted_on: Mapping[str, str]) -> list[str]:
    """Return what of the run's own data has changed since; nothing where that cannot be told, e.g. away from the data."""
    data = run.config.data
    if data.reader in FILLING_READERS and data.fill_labels:
        # Their labels are partly what the hand finder sees in all photos; `handnet eval` looks again.
        return []
    try:
        basis = _select_basis(run, read_dataset(data.reader, Path(run.facts["data"]["directory"])))
    except HandnetError:
        # A run is used without its data too.
        return []
    return [] if isinstance(basis, str) else _name_changes(fitted_on, _fingerprint(run, basis))


def _name_changes(kept: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name, digest in now.items() if kept.get(name) != digest]


def _read_kept(file: Path) -> tuple[tuple[Calibration, Mapping[str, str]] | None, str]:
    """Return the kept calibration with what it was fitted on, or None and, where a file is damaged, that."""
    if not file.exists():
        return None, ""
    try:
        return (load_calibration(file), _read_fitted_on(file)), ""
    except EvaluationError as error:
        return None, str(error)


def _read_fitted_on(file: Path) -> Mapping[str, str]:
    found = json.loads(file.read_text(encoding="utf-8")).get("fitted_on", {})
    return found if isinstance(found, dict) else {}


def _select_basis(run: Run, dataset: DataSet) -> _Basis | str:
    """Return what the calibration is fitted on, or why there is nothing to fit it on."""
    split = read_run_split(run)
    if not split.val:
        return "the run has no validation people."
    try:
        if not has_views(dataset.examples):
            table = choose_tables(run, dataset)[1]
            return _Basis(table.examples, table)
        examples = select_part(dataset, split, "val")
    except DataError as error:
        return str(error)
    if split.by == "photo":
        return "the split deals out photos, so that validation and test share people."
    if len(people_with_both_views(examples)) < 2:
        return "fewer than two validation people have photos of both views here."
    return _Basis(examples, None)


def _fingerprint(run: Run, basis: _Basis) -> dict[str, str]:
    examples = basis.examples
    digests = _digest(examples)
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


def _digest(examples: list[Example]) -> list[str]:
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda example: digest_bytes(read_photo(example.path)[0]), examples))


def _fit(run: Run, encoder: Encoder, basis: _Basis) -> Calibration:
    table = basis.table
    if table is None:
        return fit_calibration(score_pairs(embed_part(encoder.model, basis.examples, run.config.image, name="val")))
    vectors = compute_vectors(run.config, encoder, [example.path for example in basis.examples]).embeddings
    scores = score_cosine(vectors[table.rows[:, 0]], vectors[table.rows[:, 1]])
    return fit_calibration(collect_pairs(scores, table.same, table.people))
