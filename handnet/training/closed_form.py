"""Training without epochs: the head of a frozen backbone, found at once from the features."""

import contextlib
import time

import numpy as np
import numpy.typing as npt

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.data.dataset import halve_views, has_views
from handnet.embedding.encode import embed_features
from handnet.embedding.features import compute_features, compute_views
from handnet.errors import ConfigError
from handnet.networks.backbones.taps import list_sources
from handnet.networks.heads import select_head
from handnet.training.callbacks.checkpoint import save_weights, write_history
from handnet.training.callbacks.validation import Validation
from handnet.training.session import Job, Session, begin_run, count_people, finish_run, open_session, select_people


def find_head(job: Job) -> Run:
    """Find the head from the training photos' features at once, and leave a run folder.

    Augmented views (`features.views`) count as photos of their own. The loss, the sampler and the optimizer play no part.
    The run folder is made once the head is found; a run that was killed before its weights were written is repeated.

    Args:
        job: what is to be trained, with a head that has a `fit`.
    """
    if job.nodes.total > 1:
        raise ConfigError(
            f"The head {job.config.model.head!r} is found by one process. Leave --nodes {job.nodes.total} out, or choose a head "
            "that is trained by gradient: --set model.head=mlp."
        )
    begin = time.monotonic()
    session = open_session(job, select_people(job))
    session.encoder.head.set_weights(_fit_head(session))
    figures = _validate(session)
    run = begin_run(session)
    save_weights(session.encoder.model, run.folder / WEIGHTS_FILE)
    write_history(run.folder, [figures])
    if session.people.validation:
        chance = (count_people(session.people.validation) + 1) / 2
        job.echo(
            f"validation: mean rank {figures['val_mean_rank']:.2f} (chance {chance:.1f}), R@1 "
            f"{100 * figures['val_recall_at_1']:.1f} %, R@5 {100 * figures['val_recall_at_5']:.1f} %"
        )
    run = finish_run(run, time.monotonic() - begin, 0, 0, figures)
    job.echo(f"found the head in {run.facts['train_seconds']:.0f} s in all; kept in {run.folder / WEIGHTS_FILE}")
    return run


def _fit_head(session: Session) -> list[npt.NDArray[np.float32]]:
    job, training = session.job, session.people.training
    photos, fit = session.training_photos, select_head(job.config.model).fit
    assert fit is not None, "this head is trained by gradient"
    views = compute_views(session.encoder.backbone, photos, job.config, progress=job.progress).values
    job.echo(f"finding the head from {views.shape[0]:,} photos of {count_people(training)} people")
    return fit(
        job.config.model,
        views.reshape(-1, views.shape[-1]),
        list_sources(session.encoder.backbone),
        np.repeat([example.identity for example in training], views.shape[1]).tolist(),
        np.repeat([example.view for example in training], views.shape[1]).tolist() if has_views(training) else None,
    )


def _validate(session: Session) -> dict[str, float]:
    """Return the figures of the validation people under the names that they have in any run's history."""
    figures: dict[str, float] = {"epoch": 0}
    people, encoder, job = session.people.validation, session.encoder, session.job
    if people:
        photos, config = session.validation_photos, job.config
        features = compute_features(
            encoder.backbone,
            photos,
            config.image,
            config.model,
            progress=job.progress,
            engine=config.features.engine,
        )
        validation = Validation(
            lambda: embed_features(encoder.head, features),
            [example.identity for example in people],
            halve_views(people),
            contextlib.nullcontext,
            as_pairs=not has_views(people),
        )
        validation.on_epoch_end(0, figures)
    return figures
