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

    Work that ends within a second draws nothing. The time left is computed from what was done after the first call: what comes
    before it, e.g. tracing a graph, is done once.
    """
    begin = time.monotonic()
    drawn = begin
    first: tuple[float, int] | None = None
    is_terminal = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        nonlocal drawn, first
        now = time.monotonic()
        first = first or (now, done)
        if now - begin < 1 or (done < total and now - drawn < (0.1 if is_terminal else 10)):
            return
        drawn = now
        speed = _describe_speed(first, (now, done), total) if done < total else f", {now - begin:,.0f} s in all"
        text = f"{name}: {done:,}/{total:,}{speed}"
        if is_terminal:
            click.echo(f"\r\x1b[K{text}" + ("\r\x1b[K" if done == total else ""), nl=False, err=True)
        else:
            click.echo(text, err=True)

    return show


def _describe_speed(first: tuple[float, int], last: tuple[float, int], total: int) -> str:
    """Return ", RATE a second, TIME left" for two (time in s, number done), or "" where nothing was done between them."""
    seconds, done = last[0] - first[0], last[1] - first[1]
    if seconds <= 0 or done <= 0:
        return ""
    rate = done / seconds
    left = (total - last[1]) / rate
    speed = f"{rate:,.0f} a second" if rate >= 2 else f"{1 / rate:,.1f} s each"
    return f", {speed}, " + (f"{left:,.0f} s left" if left < 120 else f"{left / 60:,.0f} minutes left")
