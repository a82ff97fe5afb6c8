"""The opening of every training: its people, device, encoder and photos, and the run folder that it begins or continues."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handnet.config.run_folder import (
    WEIGHTS_FILE,
    Run,
    check_absent,
    collect_facts,
    create_run,
    fingerprint_data,
    read_run,
    read_run_split,
    update_facts,
)
from handnet.config.settings import Config
from handnet.config.split import Split
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet, forget_views, has_one_view, people_to_match, require_both_views
from handnet.data.example import Example, write_label
from handnet.data.leaks import collect_seen_photos, find_copies, find_seen, select_photos
from handnet.data.splits.rules import make_split, select_part
from handnet.errors import RunError, quote
from handnet.files import check_free_space
from handnet.images.hand_finder import describe_hand_finder
from handnet.images.photo_store import PreparedPhotos, find_prepared, prepare_photos
from handnet.networks.backbones import find_backbone
from handnet.networks.backbones.sources import describe_missing
from handnet.networks.device import choose_precision, describe_device, set_precision, warn_device
from handnet.networks.encoder import Encoder, build_encoder, load_run_weights
from handnet.networks.heads import select_head
from handnet.training.nodes import ALONE, Nodes

# Weights, best weights and a checkpoint with two moments each, while both old and new lie on the disk.
_COPIES_OF_WEIGHTS = 8
_OTHER_BYTES = 100_000_000


class Job(NamedTuple):
    """What is to be trained, and who is told of it.

    Attributes:
        config: the settings.
        dataset: the photos.
        folder: the run folder; None where nothing is kept.
        resume: continue the run that lies there.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: told of each piece of work.
        nodes: the processes that train together.
    """

    config: Config
    dataset: DataSet
    folder: Path | None = None
    resume: bool = False
    command: Sequence[str] = ()
    echo: Echo = print
    warn: Echo = print
    progress: Progress = hide_progress
    nodes: Nodes = ALONE


class People(NamedTuple):
    """Who trains and who validates.

    Attributes:
        split: who is in which part.
        training: photos of the training people.
        validation: photos of those validation people who can be matched; none where they are fewer than two.
    """

    split: Split
    training: list[Example]
    validation: list[Example]


class Session(NamedTuple):
    """A training that can begin.

    Attributes:
        job: what is to be trained.
        people: who trains and who validates.
        precision: the precision of the layers, never "auto".
        encoder: as it begins; of a run that is continued, with the weights that it has reached.
        photos: decoded photos of the training people, then of the validation people.
        data: what a run remembers of its data.
    """

    job: Job
    people: People
    precision: str
    encoder: Encoder
    photos: PreparedPhotos
    data: Mapping[str, Any]

    @property
    def training_photos(self) -> PreparedPhotos:
        """The photos of the training people."""
        return self.photos.select(0, len(self.people.training))

    @property
    def validation_photos(self) -> PreparedPhotos:
        """The photos of the validation people."""
        return self.photos.select(len(self.people.training), len(self.photos.files))


def select_people(job: Job) -> People:
    """Split the data set by the settings, or as the run was that is continued, and say what is unusual about it.

    Raises:
        RunError: a run is in the way, or there is none to continue, or it is finished.
        DataError: too few people.
    """
    config = job.config
    if job.folder is not None and job.resume:
        # The run's own copy: the file that it was read from may have gone.
        split = read_run_split(_read_unfinished(job.folder))
    else:
        if job.folder is not None:
            check_absent(job.folder)
        split = make_split(config.data.split, job.dataset, config.data.split_options)
    if split.note:
        job.echo(split.note)
    dataset = job.dataset
    if has_one_view(dataset.examples) and config.loss.options.get("views") == "any":
        job.echo("all photos are of one view: those of a person are matched with one another.")
        dataset = forget_views(dataset)
    training, note = require_both_views(select_part(dataset, split, "train"), "Training")
    if note:
        job.echo(note)
    validation = select_part(dataset, split, "val") if split.val else []
    # A head in closed form needs nobody to choose its epoch by.
    if split.val or select_head(config.model).fit is None:
        validation = _select_validation(validation, job.warn)
    return People(split, training, validation)


def open_session(job: Job, people: People) -> Session:
    """Choose the device's precision, build the encoder, decode the photos, and check all that may stop a training later.

    Args:
        job: what is to be trained.
        people: from `select_people`.

    Raises:
        RunError: the run to continue was trained on other data, or its weights are damaged.
        DataError: photos that cannot be decoded.
        WeightsError: the backbone's weights are out of reach.
        DiskError: the run folder cannot be written, or its disk is too small.
    """
    config = job.config
    precision = choose_precision(config.train.precision)
    set_precision(precision)
    warn_device(job.warn)
    job.echo(describe_device(precision))
    if finder := describe_hand_finder(config.image):
        job.echo(finder)
    if missing := describe_missing(config.model.sources):
        job.echo(missing)
    if hint := find_backbone(config.model.arch).hint:
        job.echo(hint)
    encoder = _build_encoder(job)
    if job.folder is not None:
        check_free_space(job.folder, _COPIES_OF_WEIGHTS * 4 * encoder.model.count_params() + _OTHER_BYTES)
    examples = [*people.training, *people.validation]
    photos = _prepare_photos(job, [example.path for example in examples])
    fingerprint = fingerprint_data(photos.digests, [write_label(example) for example in examples])
    if job.folder is not None and job.resume and read_run(job.folder).facts["data"]["fingerprint"] != fingerprint:
        raise RunError(
            f"The data have changed since {str(job.folder)!r} was begun: another set of photos or labels. Resume with the "
            "same --data, or begin a new run."
        )
    return Session(job, people, precision, encoder, photos, _describe_data(job.dataset, people, fingerprint))


def begin_run(session: Session) -> Run:
    """Make the run folder, or read the one that is continued; of several processes the first one makes it.

    Raises:
        RunError: it exists, or does not.
        DiskError: it cannot be written.
    """
    job = session.job
    assert job.folder is not None
    if job.resume:
        return read_run(job.folder)
    facts = collect_facts(job.config, job.command, session.data)
    facts |= {"precision": session.precision, "num_parameters": session.encoder.model.count_params()}
    facts |= _find_leaks(job, session.people.split)
    if not job.nodes.is_first:
        return Run(job.folder, job.config, facts)
    seen = collect_seen_photos(job.config.model.weights, session.photos.digests)
    return create_run(job.folder, job.config, facts, session.people.split, seen)


def finish_run(
    run: Run, seconds: float, epochs_done: int, best_epoch: int, best: Mapping[str, float], *, write: bool = True
) -> Run:
    """Write down that a run is finished, after `seconds` more, with the figures of its best epoch; `write`: by this process.

    Raises:
        DiskError: the run folder cannot be written.
    """
    seconds += run.facts.get("train_seconds", 0.0)
    results = {"epochs_done": epochs_done, "best_epoch": best_epoch, "best": best, "train_seconds": round(seconds, 1)}
    changes = {"status": "finished", **results}
    return update_facts(run, changes) if write else run._replace(facts=run.facts | changes)


def count_people(examples: Sequence[Example]) -> int:
    """Return how many people the photos are of."""
    return len({example.identity for example in examples})


def _read_unfinished(folder: Path) -> Run:
    run = read_run(folder)
    # Another process may have finished it since the command was typed; its checkpoint is gone then.
    if run.facts["status"] == "finished" and (folder / WEIGHTS_FILE).is_file():
        raise RunError(f"The run {str(folder)!r} is finished already. Evaluate it: handnet eval {quote(folder)}")
    return run


def _prepare_photos(job: Job, paths: Sequence[str]) -> PreparedPhotos:
    """Let each process decode its share; with a cache that all of them see each photo is decoded once."""
    prepared = prepare_photos(paths[job.nodes.share(len(paths))], job.config.image, job.progress)
    if job.nodes.total == 1:
        return prepared
    return find_prepared(paths, job.nodes.gather_texts(prepared.digests), job.config.image, job.progress)


def _build_encoder(job: Job) -> Encoder:
    own = job.folder / WEIGHTS_FILE if job.folder is not None and job.resume else None
    if own is None or not own.is_file():
        return build_encoder(job.config)
    # The weights that the run began with are not needed any more, and may have gone.
    encoder = build_encoder(job.config, weights="none")
    load_run_weights(encoder.model, own)
    return encoder


def _select_validation(examples: list[Example], warn: Echo) -> list[Example]:
    both = set(people_to_match(examples))
    if len(both) < 2:
        warn(
            "fewer than two validation people have photos to match (both views, or two photos): no figures during training, "
            "and the last weights are kept."
        )
        return []
    return [example for example in examples if example.identity in both]


def _find_leaks(job: Job, split: Split) -> dict[str, Any]:
    """Warn of what makes figures too good, and return it for run.json."""
    copies = find_copies(job.dataset, split)
    for line in copies.describe():
        job.warn(line)
    facts: dict[str, Any] = {
        "identical_photos": {"under_two_people": len(copies.under_two_people), "in_two_parts": len(copies.across_parts)}
    }
    for part in ("test", "val"):
        examples = select_photos(job.dataset, split, part)
        seen = find_seen(job.config.model.weights, part, examples, job.dataset.directory, split.by)
        if seen is not None:
            job.warn(seen.describe())
            facts[f"{part}_seen_by_weights"] = {**seen._asdict(), "text": seen.describe()}
    return facts


def _describe_data(dataset: DataSet, people: People, fingerprint: str) -> dict[str, Any]:
    training, validation = people.training, people.validation
    return {
        # The folder itself, without `..` and links: it is found again when what they lead through has gone.
        "directory": os.path.realpath(dataset.directory),
        "reader": dataset.name,
        "fingerprint": fingerprint,
        "num_people": {"train": count_people(training), "val": count_people(validation)},
        "num_photos": {"train": len(training), "val": len(validation)},
        "problems": list(dataset.problems),
        "notes": list(dataset.notes),
        **({"without_hand": list(dataset.without_hand)} if dataset.without_hand else {}),
    }
