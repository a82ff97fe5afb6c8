"""k-fold cross-validation: every person is tested once, by a model that has never seen them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from handnet.config.run_folder import FACTS_FILE, read_run, read_run_split
from handnet.config.settings import Config
from handnet.config.toml import config_to_tree
from handnet.data.dataset import DataSet, require_both_views
from handnet.data.splits.rules import select_part
from handnet.embedding.encode import embed_part
from handnet.errors import RunError
from handnet.metrics.comparison import merge_folds
from handnet.metrics.embedded import EmbeddedPart, load_part
from handnet.metrics.ranking import write_metrics
from handnet.networks.encoder import load_encoder
from handnet.training.gradient import train

EMBEDDINGS_FILE = "embeddings.npz"


def fold_config(config: Config, num_folds: int, fold: int, seed: int) -> Config:
    """Return the settings of one fold: those given, but for the split."""
    # Nothing is chosen by validation people where the head is found in closed form: they train too.
    without = {"val": 0.0} if config.model.head == "lda" else {}
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
    echo: Callable[[str], None] = print,
    warn: Callable[[str], None] = print,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> dict[str, Any]:
    """Train and test each fold in `folder`/fold-K, then pool the test queries of all folds into `folder`/metrics.json.

    Folds that are finished are not done again, and one that was interrupted is continued.

    Args:
        config: the settings; their split is replaced.
        folder: made where it does not exist.
        dataset: the photos.
        num_folds: k, from 2.
        split_seed: of the shuffle of people before they are dealt out.
        command: what was typed, for the record.
        echo: prints one line.
        warn: prints one line of warning.
        progress: gives, for the name of a piece of work, a function to call with (done, all).

    Returns:
        What `merge_folds` returns.

    Raises:
        RunError: `folder` holds folds of other settings.
    """
    usable, note = require_both_views(dataset.examples, "Cross-validation")
    if note:
        echo(note)
    dataset = replace(dataset, examples=usable)
    parts: list[EmbeddedPart] = []
    for fold in range(num_folds):
        run_folder = folder / f"fold-{fold}"
        settings = fold_config(config, num_folds, fold, split_seed)
        has_run = (run_folder / FACTS_FILE).exists()
        if has_run and config_to_tree(read_run(run_folder).config) != config_to_tree(settings):
            raise RunError(f"{str(run_folder)!r} is a fold of other settings. Give another --run.")
        if not has_run or read_run(run_folder).facts["status"] != "finished":
            echo(f"fold {fold + 1} of {num_folds}")
            # The models of earlier folds are done with; their graphs would fill the memory.
            keras.backend.clear_session()
            train(
                settings,
                run_folder,
                dataset,
                resume=has_run,
                command=command,
                echo=echo,
                warn=warn,
                progress=progress,
            )
        parts.append(_embed_test(run_folder, dataset))
    metrics = merge_folds(parts)
    write_metrics(folder / "metrics.json", metrics)
    return metrics


def _embed_test(run_folder: Path, dataset: DataSet) -> EmbeddedPart:
    file = run_folder / "eval-test" / EMBEDDINGS_FILE
    if not file.exists():
        run = read_run(run_folder)
        examples = select_part(dataset, read_run_split(run), "test")
        embed_part(load_encoder(run).model, examples, run.config.image, name="test").save(file)
    return load_part(file)
