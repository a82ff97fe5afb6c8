"""A gallery with its model, from Python: `handnet.open_gallery`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handnet.library.start import start_tensorflow

if TYPE_CHECKING:
    from handnet.config.run_folder import Run
    from handnet.gallery.gallery import Gallery


def open_gallery(
    gallery: str | Path,
    *,
    model: "str | Path | Run | None" = None,
    store: str = "",
    key_file: str | Path | None = None,
) -> "Gallery":
    """Open a gallery that `handnet gallery create` made, with its model: to enrol, identify and verify.

    Close it when you are done, or use it in a `with` statement.

    Args:
        gallery: its folder, or its name on a server.
        model: a run or the version of a SavedModel, where the model has moved; without it the one it was created with.
        store: address of a server, e.g. "milvus+http://127.0.0.1:19530"; "": a folder.
        key_file: file of the key of a protected gallery; without it $HANDNET_GALLERY_KEY, if set.

    Raises:
        HandnetError: there is no gallery, it is damaged, the key does not fit, or the model is another; one line each.
    """
    from handnet.config.run_folder import is_run

    source: dict[str, str] = {}
    if model is not None:
        folder = Path(model) if isinstance(model, str | Path) else model.folder
        source = {"kind": "run" if is_run(folder) else "saved_model", "path": str(folder)}
    return open_bound(str(gallery), source, store, None if key_file is None else Path(key_file))


def open_bound(gallery: str, source: Mapping[str, str], store: str, key_file: Path | None) -> "Gallery":
    """Open a gallery with the model of `source`, else with the one that it was made with; see `open_gallery`."""
    from handnet.gallery.gallery import Gallery
    from handnet.gallery.protection import read_key

    opened = Gallery.open(gallery, store=store, key=read_key(key_file))
    try:
        start_tensorflow()
        from handnet.gallery.bound_models import load_model

        opened.bind(load_model(dict(source or opened.header.source)))
    except BaseException:
        opened.close()
        raise
    return opened
