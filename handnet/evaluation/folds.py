"""k-fold cross-validation: every person is tested once, by a model that has never seen them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras

from handnet.config.run_folder import FACTS_FILE, WEIGHTS_FILE, fingerprint_data, read_run
from handnet.config.settings import Config
from handnet.config.toml import config_to_tree
from handnet.console import Echo, Progress, hide_progress
from handnet.data.dataset import DataSet, distinct_identities, has_one_view, has_views, require_both_views
from handnet.data.example import Example, write_label
from handnet.data.leaks import find_seen
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import compute_vectors, embed_files
from handnet.errors import ConfigError, DataError, RunError
from handnet.files import parse_json, write_json
from handnet.images.finder_choice import settle_hand_finder
from handnet.images.photo_store import prepare_photos
from handnet.images.without_hand import leave_out_without_hand
from handnet.metrics.all_figures import write_metrics
from handnet.metrics.embedded import EmbeddedPart, label_embeddings, load_part
from handnet.metrics.ranking_summary import merge_folds
from handnet.networks.encoder import Encoder, load_encoder
from handnet.networks.heads import select_head
from handnet.networks.weights.manifest import hash_file
from handnet.training.batches import plan_training
from handnet.training.objective import build_training_loss
from handnet.training.session import Job, People, select_people
from handnet.training.train import train

# Not where `handnet eval` writes: what is evaluated on other data must not change the pooled figures.
VECTORS_FOLDER = "cross-validation"
EMBEDDINGS_FILE, MADE_FROM_FILE = "embeddings.npz", "made_from.json"


class Fold(NamedTuple):
    """One fold before it is trained.

    Attributes:
        folder: its run folder.
        config: its settings: those given, but for the split.
        people: who trains and who validates.
        test: photos of the people that it is tested on.
    """

    folder: Path
    config: Config
    people: People
    test: list[Example]


def fold_config(config: Config, num_folds: int, fold: int, seed: int) -> Config:
    """Return the settings of one fold: those given, but for the split."""
    # Nothing is chosen by validation people where the head is found in closed form: they train too.
    without = {"val": 0.0} if select_head(config.model).fit is not None else {}
    options = {"folds": num_folds, "fold": fold, "seed": seed, **without}
    return replace(config, data=replace(config.data, split="k-fold", split_options=options))


def cross_validate(
    config: Config,
    folder: Path,
    dataset: DataSet,
    num_folds: int,
    *,
    split_seed: int = 42,
    command: Sequence[str] = (),
    echo: Echo = print,
    warn: Echo = print,
    progress: Progress = hide_progress,
) -> dict[str, Any]:
    """Train and test each fold in `folder`/fold-K, then pool the test queries of all folds into `folder`/metrics.json.

    Folds that are finished are not trained again, and one that was interrupted is continued.

    Args:
        config: the settings; their split is replaced.
        folder: made where it does not exist.
        dataset: the photos.
        num_folds: k, from 2.
        split_seed: random seed for the shuffle of people before they are dealt out.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: told of each piece of work.

    Returns:
        What `merge_folds` returns.

    Raises:
        ConfigError, DataError: the settings or the data do not suffice for every fold; said before any is trained.
        RunError: `folder` holds folds of other settings, photos or labels.
    """
    usable, note = _choose_photos(config, dataset)
    config = settle_hand_finder(config, [example.path for example in usable], echo)
    dataset = leave_out_without_hand(dataset, config, echo, progress)
    usable, note = _choose_photos(config, dataset)
    if note:
        echo(note)
    dataset = replace(dataset, examples=usable)
    folds = plan_folds(config, folder, dataset, num_folds, split_seed)
    paths = [example.path for example in usable]
    digests = dict(zip(paths, prepare_photos(paths, config.image, progress).digests, strict=True))
    for fold in folds:
        _refuse_seen(fold, dataset)
        _check_kept(fold, digests)
    parts: list[EmbeddedPart] = []
    for number, fold in enumerate(folds):
        has_run = (fold.folder / FACTS_FILE).exists()
        if not has_run or read_run(fold.folder).facts["status"] != "finished":
            echo(f"fold {number + 1} of {num_folds}")
            # The models of earlier folds are done with; their graphs would fill the memory.
            keras.backend.clear_session()
            train(
                fold.config,
                fold.folder,
                dataset,
                resume=has_run,
                command=command,
                echo=echo,
                warn=warn,
                progress=progress,
            )
        parts.append(_embed_test(fold, digests))
    metrics = merge_folds(parts)
    if dataset.without_hand:
        metrics["without_hand"] = list(dataset.without_hand)
    write_metrics(folder / "metrics.json", metrics)
    return metrics


def plan_folds(config: Config, folder: Path, dataset: DataSet, num_folds: int, split_seed: int) -> list[Fold]:
    """Deal the people out, and check for every fold what would stop its training or its test.

    Raises:
        ConfigError: settings that do not fit each other.
        DataError: too few people for a fold.
    """
    folds = []
    for number in range(num_folds):
        settings = fold_config(config, num_folds, number, split_seed)
        people = select_people(Job(settings, dataset, echo=_hide, warn=_hide))
        if select_head(settings.model).method == "gradient":
            plan = plan_training(people.training, settings)
            build_training_loss(settings, plan.num_identities, has_views(people.training))
        test = select_part(dataset, people.split, "test")
        num_tested = len(distinct_identities(test))
        if num_tested < 2:
            raise DataError(
                f"A fold must test at least 2 people: one alone is always found. Received: {num_tested} in fold "
                f"{number + 1} of {num_folds}, of {len(dataset.identities)} people with both views. Give fewer --folds."
            )
        folds.append(Fold(folder / f"fold-{number}", settings, people, test))
    return folds


def _choose_photos(config: Config, dataset: DataSet) -> tuple[list[Example], str]:
    if config.pairs.form != "none":
        raise ConfigError(
            "Cross-validation ranks photos and trains no classifier of pairs. Give --set pairs.form=none. Received: "
            f"pairs.form={config.pairs.form!r}."
        )
    if not has_views(dataset.examples):
        raise DataError(
            "Cross-validation ranks backs against palms, and these photos have no views. Give a table that names them, or "
            "train and evaluate on pairs of photos: handnet train, handnet eval."
        )
    if has_one_view(dataset.examples):
        raise DataError(
            "Cross-validation ranks backs against palms, and all photos are of one view. To match them with one another, "
            "train and evaluate on pairs of photos: handnet train … --set loss.options.views=any, then handnet eval."
        )
    return require_both_views(dataset.examples, "Cross-validation")


def _refuse_seen(fold: Fold, dataset: DataSet) -> None:
    """Refuse to begin with weights that were trained on people whom the fold is tested on."""
    seen = find_seen(fold.config.model.weights, "test", fold.test, dataset.directory)
    if seen is not None:
        raise DataError(
            f"Cross-validation tests everybody, and {seen.describe()} Give weights that were trained on other people, e.g. "
            f"--set model.weights=preset. Received: {fold.folder.name} with model.weights={fold.config.model.weights!r}."
        )


def _check_kept(fold: Fold, digests: Mapping[str, str]) -> None:
    """Refuse a fold that was begun with other settings or on other data."""
    if not (fold.folder / FACTS_FILE).exists():
        return
    run = read_run(fold.folder)
    if config_to_tree(run.config) != config_to_tree(fold.config):
        raise RunError(f"{str(fold.folder)!r} is a fold of other settings. Give another --run.")
    if run.facts["data"]["fingerprint"] != _fingerprint([*fold.people.training, *fold.people.validation], digests):
        raise RunError(
            f"{str(fold.folder)!r} was trained on other photos or labels than these. Give another --run, or delete the folder "
            "to train it again."
        )


def _fingerprint(examples: Sequence[Example], digests: Mapping[str, str]) -> str:
    return fingerprint_data([digests[example.path] for example in examples], [write_label(e) for e in examples])


def _embed_test(fold: Fold, digests: Mapping[str, str]) -> EmbeddedPart:
    """Return the vectors of a fold's test photos, those kept where they are of these photos, labels and weights."""
    kept = fold.folder / VECTORS_FOLDER
    made_from = {"weights": hash_file(fold.folder / WEIGHTS_FILE), "photos": _fingerprint(fold.test, digests)}
    if not (kept / EMBEDDINGS_FILE).exists() or _read_made_from(kept / MADE_FROM_FILE) != made_from:
        encoder = load_encoder(read_run(fold.folder))
        _embed(fold, encoder).save(kept / EMBEDDINGS_FILE)
        # Last: vectors without it are made again.
        write_json(kept / MADE_FROM_FILE, made_from)
    return load_part(kept / EMBEDDINGS_FILE)


def _embed(fold: Fold, encoder: Encoder) -> EmbeddedPart:
    config = fold.config
    if select_head(config.model).method == "gradient":
        # Its backbone may be of this fold alone: nothing to keep.
        files = prepare_photos([example.path for example in fold.test], config.image).files
        return label_embeddings(embed_files(encoder.model, files), fold.test, "test")
    # Whom one fold tests the others train on: the backbone has seen their photos, or will.
    paths = [example.path for example in fold.test]
    return label_embeddings(compute_vectors(config, encoder, paths).embeddings, fold.test, "test")


def _read_made_from(file: Path) -> Any:
    try:
        return parse_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Absent or cut off: what lies next to it is made again.
        return None


def _hide(line: str) -> None:
    """Say nothing: training itself says it, once."""
    del line
