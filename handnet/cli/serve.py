"""`handnet serve`."""

import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handnet.cli._console import echo, warn
from handnet.cli._gallery import ModelChoice, Place, is_gallery, with_model
from handnet.errors import ConfigError, GalleryError

if TYPE_CHECKING:
    from handnet.serving.api.keys import KeyFile
    from handnet.serving.api.service import Service


@click.command()
@click.argument("galleries", metavar="G…", nargs=-1)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; other machines need API keys.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of galleries: all in it are served too, and an administrator can make more there over the API.",
)
@click.option(
    "--keys",
    "key_path",
    type=click.Path(path_type=Path),
    help="File of API keys.  [default: api_keys.json in the first gallery, or without one in --root]",
)
@click.option("--add-key", metavar="ROLE", help="Make an API key (read, enrol or admin), print it, and end.")
@click.option("--list-keys", is_flag=True, help="Print the API keys' ids and roles, and end.")
@click.option("--revoke-key", metavar="ID", help="Revoke an API key, and end.")
@click.option("--explore", type=click.Path(path_type=Path), help="An evaluated run whose test part the page shows.")
@click.option("--examples", type=click.Path(path_type=Path), help="Folder of JPEG photos to try the page with.")
@click.option(
    "--rate",
    default=50.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Maximum number of requests per second from one client.",
)
@click.option(
    "--backups",
    type=click.Path(path_type=Path),
    help="Folder in which an administrator's backups are made over the API.",
)
@click.option("--access-log", is_flag=True, help="Print a line for each request: method, route, status, time.")
@click.option(
    "--store", default="", envvar="HANDNET_STORE", metavar="ADDRESS", help="A server: milvus+http://HOST:19530."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    envvar="HANDNET_GALLERY_KEY_FILE",
    help="File of the key of a protected gallery.  [default: $HANDNET_GALLERY_KEY, if set]",
)
@with_model
def serve(
    galleries: tuple[str, ...],
    port: int,
    host: str,
    root: Path | None,
    key_path: Path | None,
    add_key: str | None,
    list_keys: bool,
    revoke_key: str | None,
    explore: Path | None,
    examples: Path | None,
    rate: float,
    backups: Path | None,
    access_log: bool,
    store: str,
    key_file: Path | None,
    model: ModelChoice,
) -> None:
    """Serve the galleries G… as an API and a web page, to this machine alone unless there are API keys."""
    _need_packages()
    from handnet.serving.api.keys import FILE_NAME, KeyFile
    from handnet.serving.api.server import LOOPBACK_NAMES, is_loopback, listen, run_server

    if root is not None and store:
        raise ConfigError(
            "--root is for galleries in folders. On a server make them with handnet gallery create --store."
        )
    if store and key_path is None and (add_key or list_keys or revoke_key or not is_loopback(host)):
        raise ConfigError("A gallery on a server has no folder for the API keys. Give a file: --keys FILE.")
    home = _find_home(galleries, root, store)
    keys = KeyFile(home / FILE_NAME if key_path is None else key_path)
    if add_key or list_keys or revoke_key:
        _manage_keys(keys, add_key, revoke_key)
        return
    if key_path is not None and not keys.list():
        # Whoever names a file means to let in those with keys alone: a mistyped name must not let in everybody.
        raise ConfigError(
            f"There is no API key in {str(key_path)!r}. Give another --keys, or make one: --add-key read, enrol or admin."
        )
    if not is_loopback(host) and not keys.list():
        raise ConfigError(
            f"At {host} other machines could read and change this gallery, so API keys are needed. Make one: handnet serve "
            f"{galleries[0] if galleries else f'--root {root}'} --add-key admin"
        )
    if access_log:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("handnet.serving").setLevel(logging.INFO)
    bound = listen(host, port)
    places = [Place(gallery, store, key_file) for gallery in (*galleries, *_list_galleries(root, galleries))]
    if not places:
        raise GalleryError(
            f"There is no gallery in {str(root)!r}. Make one: handnet gallery create {root}/NAME --run RUN"
        )
    service = _open_service(places, model, explore=explore, examples=examples, rate=rate)
    service.keys = keys if keys.list() else None
    service.backups = backups
    service.root = root
    service.hosts = LOOPBACK_NAMES if is_loopback(host) else frozenset()
    if not is_loopback(host):
        warn("requests are not encrypted: put a proxy with TLS before this server.")
    shown = f"[{host}]" if ":" in host else host
    who = "with API keys" if service.keys else "no keys: this machine alone"
    echo(f"serving {', '.join(service.collections)} at http://{shown}:{bound.getsockname()[1]}/ ({who}); Ctrl-C stops")
    run_server(service, bound, access_log=access_log)
    echo("stopped; what was accepted is finished.")


def _open_service(
    places: Sequence[Place],
    model: ModelChoice,
    *,
    explore: Path | None,
    examples: Path | None,
    rate: float,
) -> "Service":
    from handnet.cli._gallery import load_model
    from handnet.data.synthetic import draw_photo, sample_person
    from handnet.serving.api.batching import BatchingEncoder
    from handnet.serving.api.counters import Counters
    from handnet.serving.api.explorer import open_explorer
    from handnet.serving.api.limits import Limits
    from handnet.serving.api.service import Collection, Service

    explorer = open_explorer(explore) if explore is not None else None
    shown = _read_examples(examples) if examples is not None else {}
    figures, collections = Counters(), {}
    encoders: dict[str, BatchingEncoder] = {}
    for place in places:
        gallery = place.open()
        digest = gallery.header.model
        if digest not in encoders:
            loaded = load_model(model.find() or dict(gallery.header.source))
            # The first photo of a process takes seconds longer: not at a client's expense.
            loaded.embed([draw_photo(0, sample_person(0, 0), "dorsal", "left", 0)])
            encoders[digest] = BatchingEncoder(loaded, count=figures.count_batch)
        gallery.bind(encoders[digest])
        name = place.name
        if name in collections:
            raise ConfigError(f"Two galleries are called {name!r}; each needs a different name.")
        collections[name] = Collection(name, gallery, encoders[digest])
    limits = Limits(rate_per_s=rate, burst=max(1, round(2 * rate)))
    return Service(collections, limits, explorer=explorer, figures=figures, examples=shown)


def _find_home(galleries: Sequence[str], root: Path | None, store: str) -> Path:
    """Return the folder where API keys lie unless another is named: of the first gallery, or of all."""
    if galleries:
        if not store and not is_gallery(galleries[0]):
            raise GalleryError(f"There is no gallery in {galleries[0]!r}. Make one with handnet gallery create.")
        return Path(galleries[0])
    if root is None:
        raise ConfigError(
            "There is nothing to serve. Give one gallery or more, or a folder of galleries with --root DIR."
        )
    if not root.is_dir():
        raise GalleryError(
            f"There is no folder {str(root)!r}. Make galleries there: handnet gallery create {root}/NAME"
        )
    return root


def _list_galleries(root: Path | None, known: Sequence[str]) -> list[str]:
    """Return the galleries of a folder other than those that are named already."""
    if root is None:
        return []
    there = {Path(place).resolve() for place in known}
    # What begins with a dot was not finished.
    found = [folder for folder in sorted(root.glob("[!.]*")) if is_gallery(str(folder))]
    return [str(folder) for folder in found if folder.resolve() not in there]


def _read_examples(folder: Path) -> dict[str, bytes]:
    files = sorted([*folder.glob("*.jpg"), *folder.glob("*.jpeg")])[:12]
    if not files:
        raise ConfigError(f"There is no JPEG photo in {str(folder)!r} to try the page with.")
    return {file.stem: file.read_bytes() for file in files}


def _manage_keys(keys: "KeyFile", add_key: str | None, revoke_key: str | None) -> None:
    if revoke_key:
        keys.revoke(revoke_key)
    if add_key:
        echo(keys.add(add_key))
        click.echo("Keep it: it cannot be shown again. Send it as: Authorization: Bearer KEY", err=True)
        return
    for key in keys.list():
        echo(f"{key.id}  {key.role:5}  since {key.created}")


def _need_packages() -> None:
    missing = [
        name
        for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
        if not importlib.util.find_spec(name)
    ]
    if missing:
        raise ConfigError(f"handnet serve needs {', '.join(missing)}: pip install 'handnet[serve]'")
