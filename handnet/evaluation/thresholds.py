"""A run's thresholds and calibration: fitted on its validation people and kept in calibration.json, which this module owns.

The file says what it was fitted on. Where weights, people, labels or photos have changed since, the calibration is fitted again,
so that no figure depends on the order of the commands. Figures of other data than the run's own have a calibration of their own,
next to the figures: it never decides in `handnet verify` or in an exported model.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handnet.config.run_folder import WEIGHTS_FILE, Run, read_seen_photos
from handnet.console import Echo
from handnet.data.dataset import DataSet, people_to_match
from handnet.data.example import Example
from handnet.embedding.run_vectors import compute_run_vectors, embed_run_part
from handnet.errors import DiskError, EvaluationError
from handnet.evaluation.kept_thresholds import (
    CALIBRATION_FILE,
    Basis,
    digest_photos,
    fingerprint_basis,
    name_changes,
    read_fitted_on,
    select_basis,
)
from handnet.metrics.pairs.all_pairs import score_pairs
from handnet.metrics.pairs.calibration import Calibration, fit_calibration, load_calibration, save_calibration
from handnet.metrics.pairs.pair_list import collect_pairs, score_cosine
from handnet.networks.weights.manifest import hash_file

if TYPE_CHECKING:
    from handnet.networks.encoder import Encoder

OTHER_CALIBRATION_FILE = "calibration_of_these_data.json"


def find_thresholds(
    run: Run, load: "Callable[[], Encoder]", dataset: DataSet, echo: Echo = print, other: Path | None = None
) -> Calibration | None:
    """Return the run's calibration, the kept one where it fits what it was fitted on, else fitted now and kept.

    With views it is fitted on all pairs of a back and a palm of the validation people; without views on the pairs of
    photos that the classifier of pairs keeps back. A run folder that cannot be written is read all the same.

    Args:
        run: a finished run.
        load: loads its encoder, where something is to be computed.
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
    basis = select_basis(run, dataset)
    own = isinstance(basis, str) or _is_own(run, dataset, basis.examples)
    if not own and other is None:
        basis = f"{dataset.directory!r} is not what the run was trained on."
    if isinstance(basis, str):
        if kept is not None and kept[1].get("weights") == hash_file(run.folder / WEIGHTS_FILE):
            echo(f"thresholds: those of {str(file)!r}; they cannot be checked on these data: {basis}")
            return kept[0]
        echo(f"no thresholds and no probabilities: {basis}")
        return None
    fitted_on = fingerprint_basis(run, basis)
    if not own and other is not None:
        return _fit_other(run, load, basis, fitted_on, other, echo)
    if kept is not None:
        changed = name_changes(kept[1], fitted_on)
        if not changed:
            return kept[0]
        reason = (
            f"it was fitted on other {' and '.join(changed)}" if kept[1] else "it does not say what it was fitted on"
        )
    if reason:
        echo(f"thresholds: fitted again, {str(file)!r} is out of date: {reason}")
    calibration = _fit(run, load, basis)
    try:
        save_calibration(file, calibration, fitted_on)
    except DiskError as error:
        echo(f"thresholds: used here and not kept in the run. {error}")
    return calibration


def _fit_other(
    run: Run, load: "Callable[[], Encoder]", basis: Basis, fitted_on: Mapping[str, str], folder: Path, echo: Echo
) -> Calibration:
    """Fit a calibration for the figures of data that are not the run's own, and write it next to them."""
    calibration = _fit(run, load, basis)
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
    return bool(seen) and seen.issuperset(
        digest_photos([example for example in examples if example.identity in matched])
    )


def _read_kept(file: Path) -> tuple[tuple[Calibration, Mapping[str, str]] | None, str]:
    """Return the kept calibration with what it was fitted on, or None and, where a file is damaged, that."""
    if not file.exists():
        return None, ""
    try:
        return (load_calibration(file), read_fitted_on(file)), ""
    except EvaluationError as error:
        return None, str(error)


def _fit(run: Run, load: "Callable[[], Encoder]", basis: Basis) -> Calibration:
    table = basis.table
    if table is None:
        return fit_calibration(score_pairs(embed_run_part(run, load, basis.examples, name="val")))
    vectors = compute_run_vectors(run, load, [example.path for example in basis.examples]).embeddings
    scores = score_cosine(vectors[table.rows[:, 0]], vectors[table.rows[:, 1]])
    return fit_calibration(collect_pairs(scores, table.same, table.people))
