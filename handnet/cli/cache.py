"""`handnet cache`: info, clear."""

import click

from handnet.cli._console import echo


@click.group()
def cache() -> None:
    """Look at the cache of decoded photos, features, converted models and drawn hands, or delete it."""


@cache.command()
def info() -> None:
    """Print where the cache is, how large it is, and how large it may become."""
    from handnet.data.cache import find_cache_folder, read_info, read_limit

    limit = read_limit()
    for name, part in read_info().items():
        echo(f"{name + ':':10}{part.num_files:>10,} files {part.num_bytes / 1e6:>12,.1f} MB")
    echo(
        f"in {find_cache_folder()} ($HANDNET_CACHE); photos, features and models are kept below {limit / 1e9:,.0f} GB "
        "($HANDNET_CACHE_GB), those used longest ago deleted first"
    )


@cache.command()
def clear() -> None:
    """Delete the cache; everything in it can be computed again."""
    from handnet.data.cache import clear_cache

    held = clear_cache()
    echo(f"deleted {held.num_files:,} files, {held.num_bytes / 1e6:,.1f} MB, of {held.folder}")
