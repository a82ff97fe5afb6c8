"""Training without epochs: the head of a frozen backbone, found at once from the features."""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from handnet.config.run_folder import WEIGHTS_FILE, Run, check_absent, collect_facts, create_run, read_run, update_facts
from handnet.config.settings import Config
from handnet.data.dataset import DataSet, halve_views, has_views
from handnet.embedding.features import compute_features, compute_views, embed_features
from handnet.errors import RunError
from handnet.files import check_free_space
from handnet.images.store import prepare_photos
from handnet.metrics.lda import fit_discriminant
from handnet.networks.device import choose_precision, describe_device, set_precision, warn_device
from handnet.networks.encoder import LINEAR_HEAD, build_encoder
from handnet.training.callbacks.checkpoint import save_weights, write_history
from handnet.training.callbacks.validation import Validation
from handnet.training.session import Echo, People, count_people, describe_data, fingerprint_people, select_people


def train_closed_form(
    config: Config,
    folder: Path,
    dataset: DataSet,
    *,
    resume: bool = False,
    command: Sequence[str] = (),
    echo: Echo = print,
    warn: Echo = print,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> Run:
    """Find the head by discriminant analysis of the training photos' features, and leave a run folder as `train` does.

    Augmented views (`features.views`) count as photos of their own. The loss, the sampler and the optimizer play no part.

    Args:
        config: the settings, with model.head = "lda".
        folder: the run folder, made here once the head is found; with `resume` it exists.
        dataset: the photos.
        resume: repeat a run that was killed before its weights were written; its features are in the cache.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: gives, for the name of a piece of work, a function to call with (done, all).

    Returns:
        The finished run.

    Raises:
        RunError: the run exists (or, with `resume`, does not), or was trained on other data.
        DataError: the data do not suffice.
        WeightsError: the backbone's weights are out of reach.
        DiskError: the run cannot be written.
    """
    if not resume:
        check_absent(folder)
    begin = time.monotonic()
    people = select_people(config, dataset, echo, warn)
    precision = choose_precision(config.train.precision)
    set_precision(precision)
    warn_device(warn)
    echo(describe_device(precision))
    encoder = build_encoder(config)
    check_free_space(folder, 4 * encoder.model.count_params() + 100_000_000)

    training, validation = people.training, people.validation
    show = progress("decode photos") if progress else None
    photos = prepare_photos([example.path for example in [*training, *validation]], config.image, show)
    fingerprint = fingerprint_people(people, photos.digests)
    if resume and read_run(folder).facts["data"]["fingerprint"] != fingerprint:
        raise RunError(
            f"The data have changed since {str(folder)!r} was begun: another set of photos or labels. Resume with the "
            "same --data, or begin a new run."
        )
    views = compute_views(encoder.backbone, photos.select(0, len(training)), config, progress=progress).values
    val_photos = photos.select(len(training), len(photos.files))
    val_features = compute_features(encoder.backbone, val_photos, config.image, config.model, progress=progress)
    echo(f"finding the head from {views.shape[0]:,} photos of {count_people(training)} people")
    kernel, bias = fit_discriminant(
        views.reshape(-1, views.shape[-1]),
        np.repeat([example.identity for example in training], views.shape[1]).tolist(),
        np.repeat([example.view for example in training], views.shape[1]).tolist() if has_views(training) else None,
        config.model.embedding_size,
        config.model.lda_penalty,
    )
    encoder.head.get_layer(LINEAR_HEAD).set_weights([kernel, bias])

    if resume:
        run = read_run(folder)
    else:
        facts = collect_facts(config, command, describe_data(dataset, people, fingerprint))
        number = encoder.model.count_params()
        run = create_run(folder, config, {**facts, "precision": precision, "num_parameters": number}, people.split)
    save_weights(encoder.model, folder / WEIGHTS_FILE)
    figures = _validate(people, encoder.head, val_features)
    write_history(folder, [figures])
    if validation:
        echo(
            f"validation: mean rank {figures['val_mean_rank']:.2f} (chance {(count_people(validation) + 1) / 2:.1f}), R@1 "
            f"{100 * figures['val_recall_at_1']:.1f} %, R@5 {100 * figures['val_recall_at_5']:.1f} %"
        )
    run = update_facts(
        run,
        {
            "status": "finished",
            "epochs_done": 0,
            "best_epoch": 0,
            "best": figures,
            "train_seconds": round(time.monotonic() - begin, 1),
        },
    )
    echo(f"found the head in {run.facts['train_seconds']:.0f} s in all; kept in {folder / WEIGHTS_FILE}")
    return run


def _validate(people: People, head: keras.Model, features: np.ndarray) -> dict[str, float]:
    """Return the figures of the validation people under the names that they have in any run's history."""
    figures: dict[str, float] = {"epoch": 0}
    if people.validation:
        names, views = [example.identity for example in people.validation], halve_views(people.validation)
        judge = Validation(
            lambda: embed_features(head, features),
            names,
            views,
            contextlib.nullcontext,
            as_pairs=not has_views(people.validation),
        )
        judge.on_epoch_end(0, figures)
    return figures
