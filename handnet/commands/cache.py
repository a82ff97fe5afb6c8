"""`handnet cache`: info, clear."""

import click

from handnet.commands.console import echo


@click.group()
def cache() -> None:
    """Look at the cache of decoded photos and drawn hands, or delete it."""


@cache.command()
def info() -> None:
    """Say where the cache is and how large."""
    from handnet.cache import read_info

    found = read_info()
    echo(f"{found.folder}: {found.num_files:,} files, {found.num_bytes / 1e6:,.1f} MB")


@cache.command()
def clear() -> None:
    """Delete the cache; everything in it can be made again."""
    from handnet.cache import clear_cache

    held = clear_cache()
    echo(f"deleted {held.num_files:,} files, {held.num_bytes / 1e6:,.1f} MB, of {held.folder}")
