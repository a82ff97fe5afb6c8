"""Training by gradient descent: `model.fit` over the photos, or over the features of a frozen backbone."""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from handnet.config.run_folder import WEIGHTS_FILE, Run
from handnet.config.settings import Config
from handnet.console import Echo
from handnet.data.batch_plan import FloatArray
from handnet.data.dataset import halve_views, has_views
from handnet.embedding.encode import embed_features, embed_files
from handnet.embedding.features import FeatureViews, compute_features, compute_views, count_views
from handnet.errors import ConfigError
from handnet.files import remove_leftovers
from handnet.losses import MetricLoss
from handnet.networks.backbones.parameters import describe_parameters
from handnet.networks.backbones.trainable import find_layer_rates
from handnet.networks.encoder import Encoder
from handnet.training.batches import EpochTemplates, Plan, build_training_data, plan_training
from handnet.training.callbacks.checkpoint import (
    averaged_weights,
    new_memory,
    read_memory,
    remove_checkpoint,
    restore_checkpoint,
    save_weights,
    write_checkpoint,
)
from handnet.training.callbacks.collapse import CollapseDetector
from handnet.training.callbacks.epoch_lines import EpochLines
from handnet.training.callbacks.keeper import Keeper
from handnet.training.callbacks.look_alikes import LookAlikes
from handnet.training.callbacks.pictures import TrainingPictures
from handnet.training.callbacks.validation import Validation
from handnet.training.mirrored import spread_over_gpus, synchronize
from handnet.training.nodes import Nodes, check_batch
from handnet.training.objective import build_statistics, build_training_loss, build_training_model, count_batch_photos
from handnet.training.optimizer import build_optimizer
from handnet.training.session import (
    Job,
    People,
    Session,
    begin_run,
    count_people,
    finish_run,
    open_session,
    select_people,
)


class Inputs(NamedTuple):
    """What is trained and validated on: photos, or the features of a frozen backbone.

    Attributes:
        network: the whole encoder, or its head alone.
        data: batches for the network, from the first epoch that is to be trained.
        embed_training: returns the vectors of the training photos, float32 (N, D), by the weights as they are.
        embed_validation: the same of the validation photos.
        templates: where the batches wait for who looks similar; None where they are drawn without.
    """

    network: keras.Model
    data: tf.data.Dataset
    embed_training: Callable[[], FloatArray]
    embed_validation: Callable[[], FloatArray]
    templates: EpochTemplates | None


def train_by_gradient(job: Job) -> Run:
    """Train an encoder epoch by epoch; an interrupted run goes on from its last whole epoch.

    Args:
        job: what is to be trained.
    """
    people = select_people(job)
    # What can be wrong with the settings shows before weights are fetched or photos decoded.
    plan = plan_training(people.training, job.config)
    from_features = _choose_features(job.config, plan, people, job.echo)
    check_batch(plan.batch_shape[0])
    # A head on features is too small to gain by it.
    with contextlib.nullcontext() if from_features else spread_over_gpus(job.config, job.echo):
        return _train(job, people, plan, from_features)


def _train(job: Job, people: People, plan: Plan, from_features: bool) -> Run:
    loss = build_training_loss(job.config, plan.num_identities, has_views(people.training))
    session = open_session(job, people)
    memory = read_memory(job.folder) if job.folder is not None and job.resume else {}
    inputs = _build_inputs(session, plan, from_features, memory.get("epochs_done", 0))
    model = _compile_model(session, plan, loss, inputs.network)
    run, keeper = _begin(session, plan, model, memory)
    begin = time.monotonic()
    _fit(session, plan, loss, model, inputs, keeper)
    memory, best = keeper.memory, keeper.memory["best_epoch"]
    figures = memory["history"][best] if memory["history"] else {}
    is_first = job.nodes.is_first
    run = finish_run(run, time.monotonic() - begin, memory["epochs_done"], best, figures, write=is_first)
    if is_first:
        remove_checkpoint(run.folder)
    which = f"the weights of epoch {best + 1}" if best >= 0 else "the weights as they were"
    job.echo(f"kept {which} in {run.folder / WEIGHTS_FILE}")
    return run


def _choose_features(config: Config, plan: Plan, people: People, echo: Echo) -> bool:
    """Decide whether to train on features; say so where the backbone is frozen."""
    if config.model.trainable != "none":
        if config.features.cache == "on":
            raise ConfigError(
                f"features.cache = 'on' needs a frozen backbone: model.trainable = 'none'. Received: {config.model.trainable!r}."
            )
        return False
    num_training, num_validation, num_views = len(people.training), len(people.validation), count_views(config)
    once = num_training * num_views + num_validation
    epochs = config.train.epochs
    each_epoch = plan.steps_per_epoch * count_batch_photos(config) + num_validation
    if config.features.cache == "off" or (config.features.cache == "auto" and once >= epochs * each_epoch):
        return False
    echo(
        f"the backbone is frozen: its features of {num_training:,} photos, {num_views} view{'s' * (num_views > 1)} each, and of "
        f"{num_validation:,} validation photos are computed once ({once:,} pictures rather than {epochs * each_epoch:,}); "
        "--set features.cache=off computes them in every epoch"
    )
    return True


def _build_inputs(session: Session, plan: Plan, from_features: bool, first_epoch: int) -> Inputs:
    config, encoder, progress, nodes = session.job.config, session.encoder, session.job.progress, session.job.nodes
    templates = EpochTemplates() if config.sampler.alike_fraction else None
    photos, val_photos = session.training_photos, session.validation_photos
    if not from_features:
        return Inputs(
            encoder.model,
            build_training_data(plan, photos.files, config, first_epoch, templates, nodes),
            partial(_embed_together, nodes, encoder.model, photos.files),
            partial(_embed_together, nodes, encoder.model, val_photos.files),
            templates,
        )
    # Only the head is trained, and it needs no more than the backbone's features.
    own, own_val = (nodes.share(len(some.files)) for some in (photos, val_photos))
    views = compute_views(encoder.backbone, photos.select(own.start, own.stop), config, progress=progress)
    views = FeatureViews(nodes.gather(views.values), nodes.gather(views.mirrored))
    val_features = nodes.gather(
        compute_features(
            encoder.backbone,
            val_photos.select(own_val.start, own_val.stop),
            config.image,
            config.model,
            progress=progress,
            engine=config.features.engine,
        )
    )
    return Inputs(
        encoder.head,
        build_training_data(plan, views, config, first_epoch, templates, nodes),
        partial(embed_features, encoder.head, views.values[:, 0]),
        partial(embed_features, encoder.head, val_features),
        templates,
    )


def _embed_together(nodes: Nodes, model: keras.Model, files: Sequence[str]) -> FloatArray:
    """Return the vectors of all photos, of which each process embeds its share."""
    return nodes.gather(embed_files(model, files[nodes.share(len(files))]))


def _compile_model(session: Session, plan: Plan, loss: MetricLoss, network: keras.Model) -> keras.Model:
    config = session.job.config
    decay = config.optimizer.layer_decay
    rates = find_layer_rates(session.encoder.backbone, decay) if decay != 1.0 else None
    model = build_training_model(network, loss)
    synchronize(model)
    model.compile(
        optimizer=build_optimizer(config.optimizer, plan.steps_per_epoch * config.train.epochs, rates),
        loss=loss,
        metrics=build_statistics(loss),
        # On JAX what is not compiled runs operation by operation, and sees one device's rows.
        jit_compile=config.train.jit or keras.backend.backend() == "jax",
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _begin(session: Session, plan: Plan, model: keras.Model, memory: dict[str, Any]) -> tuple[Run, Keeper]:
    """Make the run folder with its first checkpoint, or restore the last one, of which `memory` is."""
    job, config, encoder = session.job, session.job.config, session.encoder
    variables = _list_changing(model, encoder, config)
    run = begin_run(session)
    if job.resume:
        if job.nodes.is_first:
            remove_leftovers(run.folder)
        if memory:
            restore_checkpoint(run.folder, variables, memory)
        job.echo(f"resumed after epoch {memory.get('epochs_done', 0)} of {config.train.epochs}")
    if not memory:
        # The first checkpoint is the beginning itself, so that a run killed in its first epoch can be resumed too.
        memory = new_memory()
        save_weights(encoder.model, run.folder / WEIGHTS_FILE, write=job.nodes.is_first)
        if job.nodes.is_first:
            memory = write_checkpoint(run.folder, variables, memory)
    training, validation = session.people.training, session.people.validation
    job.echo(describe_parameters(encoder.model, count_batch_photos(config)))
    job.echo(
        f"training on {len(training):,} photos of {count_people(training)} people, validating on {len(validation):,} of "
        f"{count_people(validation)}; {plan.steps_per_epoch} steps an epoch"
    )
    keep_last, patience = config.train.keep == "last", config.train.patience
    swap = partial(averaged_weights, model)
    writes = job.nodes.is_first
    return run, Keeper(run.folder, encoder.model, variables, patience, memory, swap, keep_last, writes)


def _list_changing(model: keras.Model, encoder: Encoder, config: Config) -> list[Any]:
    """Return the variables that change in training: a frozen backbone's do not, and are in the run's weights already."""
    frozen: set[int] = set()
    if config.model.trainable == "none":
        frozen = {id(variable) for variable in encoder.backbone.variables}
    kept = [variable for variable in model.variables if id(variable) not in frozen]
    return kept + [v for v in model.optimizer.variables if id(v) not in {id(k) for k in kept}]


def _fit(session: Session, plan: Plan, loss: MetricLoss, model: keras.Model, inputs: Inputs, keeper: Keeper) -> None:
    config, first_epoch = session.job.config, keeper.memory["epochs_done"]
    if keeper.memory["finished"] or first_epoch >= config.train.epochs:
        return
    callbacks = _list_callbacks(session, plan, loss, model, inputs, first_epoch)
    with contextlib.ExitStack() as stack:
        if inputs.templates is not None:
            look_alikes = LookAlikes(inputs.embed_training, plan.pools, inputs.templates)
            callbacks.append(look_alikes)
            stack.callback(inputs.templates.close)
            look_alikes.find(first_epoch)
        model.fit(
            inputs.data,
            steps_per_epoch=plan.steps_per_epoch,
            epochs=config.train.epochs,
            initial_epoch=first_epoch,
            callbacks=[*callbacks, keeper],
            shuffle=False,
            verbose=0,
        )


def _list_callbacks(
    session: Session, plan: Plan, loss: MetricLoss, model: keras.Model, inputs: Inputs, first_epoch: int
) -> list[keras.callbacks.Callback]:
    job, config, people = session.job, session.job.config, session.people
    assert job.folder is not None
    folder = job.folder / "tensorboard"
    callbacks: list[keras.callbacks.Callback] = []
    if people.validation:
        names, views = [example.identity for example in people.validation], halve_views(people.validation)
        as_pairs = not has_views(people.validation)
        validation = Validation(inputs.embed_validation, names, views, partial(averaged_weights, model), as_pairs)
        callbacks.append(validation)
    # What only tells or draws is the first process's; what computes is on all, so that they stay in step.
    if not job.nodes.is_first:
        return callbacks
    if people.validation:
        callbacks.append(
            TrainingPictures(
                folder,
                lambda: validation.embeddings,
                session.validation_photos.files,
                names,
                views,
                config.image.size_px,
                session.training_photos.files[:6],
                config.augment,
                config.image.background,
                seed=config.train.seed,
            )
        )
    margin = getattr(loss, "margin", None)
    chance_rank = (count_people(people.validation) + 1) / 2
    return [
        *callbacks,
        EpochLines(config.train.epochs, first_epoch, plan.steps_per_epoch, chance_rank, job.echo),
        CollapseDetector(margin if isinstance(margin, float) else None, job.warn),
        keras.callbacks.TensorBoard(str(folder), write_graph=False),
    ]
