"""Training: one function, read from top to bottom, around `model.fit`."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from handnet.config.presets import check_name
from handnet.config.run_folder import WEIGHTS_FILE, Run, check_absent, collect_facts, create_run, read_run, update_facts
from handnet.config.settings import Config
from handnet.data.dataset import DataSet, halve_views, has_views
from handnet.embedding.encode import embed_files
from handnet.embedding.features import compute_features, compute_views, count_views, embed_features
from handnet.errors import ConfigError, DataError, RunError
from handnet.files import check_free_space, remove_leftovers
from handnet.images.store import prepare_photos
from handnet.losses import LOSSES, MetricLoss, attach, build_loss
from handnet.networks.backbones.report import describe_parameters
from handnet.networks.backbones.training import find_layer_rates
from handnet.networks.device import choose_precision, describe_device, set_precision, warn_device
from handnet.networks.encoder import Encoder, build_encoder, build_twin, load_encoder_weights
from handnet.training.batch_statistics import BatchStatistics
from handnet.training.batches import EpochTemplates, Plan, build_training_data, plan_training
from handnet.training.callbacks.checkpoint import (
    averaged_weights,
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
from handnet.training.closed_form import train_closed_form
from handnet.training.optimizer import build_optimizer
from handnet.training.session import Echo, count_people, describe_data, fingerprint_people, select_people


def train(
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
    """Train an encoder and leave everything about it in a run folder.

    Args:
        config: the settings; with `resume` those of the run.
        folder: the run folder, made here; with `resume` it exists.
        dataset: the photos.
        resume: continue an interrupted run from its last whole epoch.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: gives, for the name of a piece of work, a function to call with (done, all).

    Returns:
        The finished run.

    Raises:
        RunError: the run exists (or, with `resume`, does not), is finished, or was trained on other data.
        DataError: the data do not suffice.
        WeightsError: the backbone's weights are out of reach.
        DiskError: the run cannot be written.
    """
    if config.model.head == "lda":
        return train_closed_form(
            config,
            folder,
            dataset,
            resume=resume,
            command=command,
            echo=echo,
            warn=warn,
            progress=progress,
        )
    if not resume:
        check_absent(folder)
    people = select_people(config, dataset, echo, warn)
    split, training, validation = people

    precision = choose_precision(config.train.precision)
    set_precision(precision)
    # What can be wrong with the settings shows before weights are fetched or photos decoded.
    plan = plan_training(training, config)
    loss = build_training_loss(config, plan.num_identities, has_views(training))
    from_features = _choose_features(config, plan, len(training), len(validation), echo)
    warn_device(warn)
    echo(describe_device(precision))
    encoder = build_encoder(config)
    decay = config.optimizer.layer_decay
    rates = find_layer_rates(encoder.backbone, decay) if decay != 1.0 else None
    num_parameters = encoder.model.count_params()
    # Weights, best weights and a checkpoint with two moments each, while both old and new lie on the disk.
    check_free_space(folder, 8 * 4 * num_parameters + 100_000_000)

    show = progress("decode photos") if progress else None
    photos = prepare_photos([example.path for example in [*training, *validation]], config.image, show)
    fingerprint = fingerprint_people(people, photos.digests)
    train_files, val_files = photos.files[: len(training)], photos.files[len(training) :]

    if resume:
        run = read_run(folder)
        if run.facts["data"]["fingerprint"] != fingerprint:
            raise RunError(
                f"The data have changed since {str(folder)!r} was begun: another set of photos or labels. Resume with the "
                "same --data, or begin a new run."
            )
    memory = read_memory(folder) if resume else {}
    first_epoch = memory.get("epochs_done", 0)
    if memory:
        load_encoder_weights(encoder.model, folder / WEIGHTS_FILE)
    templates = EpochTemplates() if config.sampler.alike_fraction else None
    # Of an encoder whose backbone is frozen only the head is trained, and it needs no more than the backbone's features.
    if from_features:
        backbone, network = encoder.backbone, encoder.head
        feature_views = compute_views(backbone, photos.select(0, len(training)), config, progress=progress)
        val_photos = photos.select(len(training), len(photos.files))
        val_features = compute_features(backbone, val_photos, config.image, config.model, progress=progress)
        data = build_training_data(plan, feature_views, config, first_epoch, templates)
        embed_training = partial(embed_features, network, feature_views.values[:, 0])
        embed_validation = partial(embed_features, network, val_features)
    else:
        network = encoder.model
        data = build_training_data(plan, train_files, config, first_epoch, templates)
        embed_training = partial(embed_files, encoder.model, train_files)
        embed_validation = partial(embed_files, encoder.model, val_files)
    model = build_training_model(network, loss)
    model.compile(
        optimizer=build_optimizer(config.optimizer, plan.steps_per_epoch * config.train.epochs, rates),
        loss=loss,
        metrics=_build_statistics(loss),
        jit_compile=config.train.jit,
    )
    model.optimizer.build(model.trainable_variables)
    variables = _checkpoint_variables(model, encoder, config)

    if resume:
        remove_leftovers(folder)
        if memory:
            restore_checkpoint(folder, variables, memory)
        echo(f"resumed after epoch {first_epoch} of {config.train.epochs}")
    else:
        facts = collect_facts(config, command, describe_data(dataset, people, fingerprint))
        run = create_run(folder, config, {**facts, "precision": precision, "num_parameters": num_parameters}, split)
    if not memory:
        # The first checkpoint is the beginning itself, so that a run killed in its first epoch can be resumed too.
        save_weights(encoder.model, folder / WEIGHTS_FILE)
        memory = write_checkpoint(folder, variables, {})
    echo(describe_parameters(encoder.model, _count_batch_photos(config)))
    echo(
        f"training on {len(training):,} photos of {count_people(training)} people, validating on {len(validation):,} of "
        f"{count_people(validation)}; {plan.steps_per_epoch} steps an epoch"
    )

    swap = partial(averaged_weights, model)
    keep_last = config.train.keep == "last"
    keeper = Keeper(folder, encoder.model, variables, config.train.patience, memory, swap, keep_last)
    callbacks: list[keras.callbacks.Callback] = []
    if validation:
        names = [example.identity for example in validation]
        views = halve_views(validation)
        judge = Validation(embed_validation, names, views, swap, as_pairs=not has_views(validation))
        pictures = TrainingPictures(
            folder / "tensorboard",
            lambda: judge.embeddings,
            val_files,
            names,
            views,
            config.image.size_px,
            train_files[:6],
            config.augment,
            config.image.background,
            seed=config.train.seed,
        )
        callbacks += [judge, pictures]
    if templates:
        look_alikes = LookAlikes(embed_training, plan.pools, templates)
        callbacks.append(look_alikes)
    margin = getattr(loss, "margin", None)
    callbacks += [
        EpochLines(config.train.epochs, first_epoch, plan.steps_per_epoch, (count_people(validation) + 1) / 2),
        CollapseDetector(margin if isinstance(margin, float) else None, warn),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
        keeper,
    ]
    begin = time.monotonic()
    if not keeper.memory["finished"] and first_epoch < config.train.epochs:
        if templates:
            look_alikes.find(first_epoch)
        try:
            model.fit(
                data,
                steps_per_epoch=plan.steps_per_epoch,
                epochs=config.train.epochs,
                initial_epoch=first_epoch,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        finally:
            if templates:
                templates.close()
    best = keeper.memory["best_epoch"]
    run = update_facts(
        run,
        {
            "status": "finished",
            "epochs_done": keeper.memory["epochs_done"],
            "best_epoch": best,
            "best": keeper.memory["history"][best] if keeper.memory["history"] else {},
            "train_seconds": round(run.facts.get("train_seconds", 0.0) + time.monotonic() - begin, 1),
        },
    )
    remove_checkpoint(folder)
    which = f"the weights of epoch {best + 1}" if best >= 0 else "the weights as they were"
    echo(f"kept {which} in {folder / WEIGHTS_FILE}")
    return run


def _choose_features(config: Config, plan: Plan, num_training: int, num_validation: int, echo: Echo) -> bool:
    """Decide whether to train on features; say so where the backbone is frozen."""
    if config.model.trainable != "none":
        if config.features.cache == "on":
            raise ConfigError(
                f"features.cache = 'on' needs a frozen backbone: model.trainable = 'none'. Received: {config.model.trainable!r}."
            )
        return False
    num_views = count_views(config)
    once = num_training * num_views + num_validation
    epochs = config.train.epochs
    each_epoch = plan.steps_per_epoch * _count_batch_photos(config) + num_validation
    if config.features.cache == "off" or (config.features.cache == "auto" and once >= epochs * each_epoch):
        return False
    echo(
        f"the backbone is frozen: its features of {num_training:,} photos, {num_views} view{'s' * (num_views > 1)} each, and of "
        f"{num_validation:,} validation photos are computed once ({once:,} pictures rather than {epochs * each_epoch:,}); "
        "--set features.cache=off computes them in every epoch"
    )
    return True


def build_training_loss(config: Config, num_identities: int, with_views: bool) -> MetricLoss:
    """Build the loss of a configuration; DataError where it does not fit the sampler or the photos."""
    name = config.loss.name
    check_name("loss", name, LOSSES)
    classes = {"num_classes": num_identities} if LOSSES[name].needs_classes else {}
    loss = build_loss(name, {**classes, **config.loss.options})
    expected = "pairs" if loss.consumes == "distances" else "people"
    if config.sampler.name != expected:
        raise DataError(f"The loss {name!r} needs sampler.name = {expected!r}. Received: {config.sampler.name!r}.")
    if not with_views and getattr(loss, "views", "any") != "any":
        raise DataError(
            f"The loss {name!r} compares views here, and these photos have none. Give --set loss.options.views=any. "
            f"Received: views={loss.views!r}."
        )
    return loss


def build_training_model(encoder: keras.Model, loss: MetricLoss) -> keras.Model:
    """Return the model that is fitted: twin network, encoder with the loss's own weights, or the encoder itself."""
    if loss.consumes == "distances":
        return build_twin(encoder)
    return encoder if loss.state is None else keras.Model(encoder.input, attach(loss, encoder.output), name="training")


def _build_statistics(loss: MetricLoss) -> list[keras.metrics.Metric]:
    """Return what is logged of the batches beside the loss: active triplets, distances, collapse; pairs have none."""
    if loss.consumes == "distances":
        return []
    margin = getattr(loss, "margin", None)
    return [BatchStatistics(margin)] if isinstance(margin, float) else [BatchStatistics()]


def _checkpoint_variables(model: keras.Model, encoder: Encoder, config: Config) -> list[Any]:
    """Return what changes in training: a frozen backbone's weights do not, and are in the run's weights already."""
    frozen: set[int] = set()
    if config.model.trainable == "none":
        frozen = {id(variable) for variable in encoder.backbone.variables}
    kept = [variable for variable in model.variables if id(variable) not in frozen]
    return kept + [v for v in model.optimizer.variables if id(v) not in {id(k) for k in kept}]


def _count_batch_photos(config: Config) -> int:
    sampler = config.sampler
    if sampler.name == "pairs":
        return 2 * sampler.pairs_per_batch
    return 2 * sampler.people_per_batch * sampler.photos_per_view
