"""What commands print: lines, warnings and progress."""

import sys
import time

import click

from handnet.console import Count


def echo(line: str) -> None:
    """Print one line at once."""
    click.echo(line)
    sys.stdout.flush()


def warn(line: str) -> None:
    """Print one line of warning to standard error, in colour on a terminal."""
    click.secho(f"warning: {line}", fg="yellow", bold=True, err=True)


def show_progress(name: str) -> Count:
    """Return a function of (done, all) that draws rate and time left: a bar on a terminal, else a line now and then.

    Work that ends within a second draws nothing.
    """
    begin = time.monotonic()
    drawn = begin
    is_terminal = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        nonlocal drawn
        now = time.monotonic()
        if now - begin < 1 or (done < total and now - drawn < (0.1 if is_terminal else 10)):
            return
        drawn = now
        rate = done / (now - begin)
        text = f"{name}: {done:,}/{total:,}, {rate:,.0f} a second, {(total - done) / rate:.0f} s left"
        if is_terminal:
            click.echo(f"\r\x1b[K{text}" + ("\r\x1b[K" if done == total else ""), nl=False, err=True)
        else:
            click.echo(text, err=True)

    return show
