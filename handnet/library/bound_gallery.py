"""A gallery with its model, from Python and for the commands: `handnet.create_gallery` and `handnet.open_gallery`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handnet.console import Echo, Progress, hide_progress
from handnet.errors import ConfigError, GalleryError
from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.data.example import Example
    from handnet.gallery.gallery import Gallery
    from handnet.gallery.pairings import Matching
    from handnet.gallery.photo_encoder import PhotoEncoder


def create_gallery(
    gallery: str | Path,
    model: "str | Path | Run",
    *,
    data: str | Path = "",
    store: str = "",
    key_file: str | Path | None = None,
    keep_photos: bool = False,
    review: str = "standard",
    index: str = "exact",
    shards: int = 1,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> "Gallery":
    """Make an empty gallery, bound to one model, and return it open: to enrol, identify and verify.

    Close it when you are done, or use it in a `with` statement.

    Args:
        gallery: the folder to make, or a name on a server.
        model: a run or an exported SavedModel: saved_models/NAME/1, or saved_models/NAME for the newest version.
        data: people to calibrate an exported model with, whom it was not trained on; with a run, where its data set is, ""
            for where it was in training.
        store: address of a server, e.g. "milvus+http://127.0.0.1:19530"; "": a folder.
        key_file: file of a key, with which templates are protected; without it $HANDNET_GALLERY_KEY, if set.
        keep_photos: keep the photos too; another model can then be migrated to.
        review: how photos are reviewed at enrolment: "off", "standard" or "strict".
        index: how a server searches: "exact", "hnsw", "ivf", "ivf-sq8" or "diskann".
        shards: over how many channels a Milvus cluster spreads what is written.
        echo: is given notes, e.g. what was left out of the data set.
        progress: is told of each piece of work.

    Raises:
        HandnetError: there is something of that name, no model, or nobody to calibrate it with; one line each.
    """
    return create_bound(
        str(gallery),
        _find_source(model),
        str(data),
        store,
        None if key_file is None else Path(key_file),
        keep_photos,
        review,
        index,
        shards,
        echo,
        progress,
    )


def create_bound(
    gallery: str,
    source: Mapping[str, str],
    data: str,
    store: str,
    key_file: Path | None,
    keep_photos: bool,
    review: str,
    index: str,
    shards: int,
    echo: Echo,
    progress: Progress,
) -> "Gallery":
    """Make a gallery with the model of `source`; see `create_gallery`."""
    from handnet.gallery.gallery import Gallery
    from handnet.gallery.protection import read_key
    from handnet.gallery.stores import check_layout

    if not source:
        raise ConfigError("A gallery needs a model: --run RUN or --model saved_models/NAME.")
    if not gallery.strip():
        raise ConfigError("The gallery needs a name: the folder to make. Received: a blank one.")
    if not store and os.path.lexists(gallery):
        raise GalleryError(f"{gallery!r} exists already. Give another name, or remove it first.")
    # Calibration takes minutes: what cannot be made is refused before.
    check_layout(store, index, shards)
    if source["kind"] == "saved_model":
        _check_export(Path(source["path"]))
    key = read_key(key_file)
    examples, whose = _find_people(source, data, echo, progress)
    start_tensorflow()
    from handnet.gallery.bound_models import calibrate, load_model

    encoder = load_model(dict(source))
    matching = calibrate(encoder, examples, whose, progress=progress("calibrate"))
    return Gallery.create(
        gallery,
        encoder,
        matching,
        store=store,
        key=key,
        keep_photos=keep_photos,
        review=review,
        index=index,
        shards=shards,
    )


def _check_export(folder: Path) -> None:
    from handnet.export.exported_model import is_export

    if not is_export(folder):
        raise GalleryError(
            f"There is no exported model {str(folder)!r}. Expected saved_models/NAME, or NAME/1, from handnet export."
        )


def calibrate_model(
    encoder: "PhotoEncoder",
    source: Mapping[str, str],
    data: str,
    echo: Echo = print,
    progress: Progress = hide_progress,
) -> "Matching":
    """Calibrate a run on its validation people, or an exported model on the people of `data`.

    Raises:
        ConfigError: an exported model without data.
        EvaluationError: too few people, or too few photos of each.
    """
    from handnet.gallery.bound_models import calibrate

    examples, whose = _find_people(source, data, echo, progress)
    return calibrate(encoder, examples, whose, progress=progress("calibrate"))


def _find_people(
    source: Mapping[str, str], data: str, echo: Echo, progress: Progress
) -> "tuple[Sequence[Example], str]":
    """Return the photos to calibrate with, and whose they are; too few people are refused before a photo is embedded."""
    from handnet.gallery.pairings import check_people
    from handnet.library.data_folder import read_data
    from handnet.library.opened_run import open_run

    if source["kind"] == "run":
        examples: Sequence[Example] = open_run(Path(source["path"]), data, "val", echo, progress).examples
        whose = f"the validation people of the run {Path(source['path']).name}"
    elif data:
        folder = Path(data)
        reader = "hands11k" if (folder / "HandInfo.csv").is_file() else "folder"
        examples = read_data(reader, data, True, echo, progress).examples
        whose = f"the people of {folder.name}"
    else:
        raise ConfigError(
            "An exported model has no people to calibrate with. Give photos of people whom it was not trained on: --data DIR."
        )
    check_people([example.identity for example in examples])
    return examples, whose


def open_gallery(
    gallery: str | Path,
    *,
    model: "str | Path | Run | None" = None,
    store: str = "",
    key_file: str | Path | None = None,
) -> "Gallery":
    """Open a gallery that `create_gallery` or `handnet gallery create` made, with its model: to enrol, identify and verify.

    Close it when you are done, or use it in a `with` statement.

    Args:
        gallery: its folder, or its name on a server.
        model: a run or an exported SavedModel, where the model has moved; without it the one it was created with.
        store: address of a server, e.g. "milvus+http://127.0.0.1:19530"; "": a folder.
        key_file: file of the key of a protected gallery; without it $HANDNET_GALLERY_KEY, if set.

    Raises:
        HandnetError: there is no gallery, it is damaged, the key does not fit, or the model is another; one line each.
    """
    source = {} if model is None else _find_source(model)
    return open_bound(str(gallery), source, store, None if key_file is None else Path(key_file))


def _find_source(model: "str | Path | Run") -> dict[str, str]:
    from handnet.config.run_folder import is_run

    folder = Path(model) if isinstance(model, str | Path) else model.folder
    return {"kind": "run", "path": str(folder)} if is_run(folder) else name_export(folder)


def name_export(folder: Path) -> dict[str, str]:
    """Return how a gallery names the version of an exported model that a folder is, or the newest that lies in it."""
    from handnet.export.exported_model import find_export

    return {"kind": "saved_model", "path": str(find_export(folder) or folder)}


def open_bound(
    gallery: str, source: Mapping[str, str], store: str, key_file: Path | None, quick: bool = False
) -> "Gallery":
    """Open a gallery with the model of `source`, else with the one that it was made with; see `open_gallery`.

    Args:
        gallery: its folder, or its name on a server.
        source: {"kind": …, "path": …}; {}: the model that it was made with.
        store: address of a server; "": a folder.
        key_file: of its key, or None.
        quick: for a few photos and one thread: a run's frozen graphs will do, if its first answer has left them.
    """
    from handnet.gallery.gallery import Gallery
    from handnet.gallery.protection import read_key

    opened = Gallery.open(gallery, store=store, key=read_key(key_file))
    try:
        named = dict(source or opened.header.source)

        def load() -> "PhotoEncoder":
            start_tensorflow()
            from handnet.gallery.bound_models import load_model

            return load_model(named)

        found = None
        if quick:
            from handnet.gallery.quick_models import load_quickly

            found = load_quickly(named, load)
        opened.bind(found or load())
    except BaseException:
        opened.close()
        raise
    return opened
