"""The command line. Nothing heavy is imported before a command that needs it runs."""

import atexit
import errno
import gc
import io
import os
import signal
import sys

import click

from handnet import __version__
from handnet.cli.audit import audit
from handnet.cli.cache import cache
from handnet.cli.client import client
from handnet.cli.compare import compare
from handnet.cli.cv import cross_validation
from handnet.cli.data import data
from handnet.cli.embed import embed
from handnet.cli.eval import evaluate
from handnet.cli.explain import explain
from handnet.cli.export import export
from handnet.cli.gallery import gallery
from handnet.cli.identify import identify
from handnet.cli.lr_find import lr_find
from handnet.cli.project import project
from handnet.cli.quickstart import quickstart
from handnet.cli.serve import serve
from handnet.cli.train import train
from handnet.cli.verify import verify
from handnet.cli.weights import weights
from handnet.errors import HandnetError, show_value


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="handnet")
def cli() -> None:
    """Match the back of a hand to the palm of the same person.

    \b
    handnet data synth data/synthetic             draw a data set of synthetic hands
    handnet train --data data/synthetic --run runs/first
    handnet eval runs/first
    handnet export runs/first saved_models/first
    """


for command in (
    quickstart,
    data,
    train,
    evaluate,
    verify,
    explain,
    gallery,
    identify,
    serve,
    export,
    embed,
    cache,
    cross_validation,
    lr_find,
    compare,
    weights,
    client,
    project,
    audit,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; a user's mistake ends with one line and exit code 1 or 2."""
    # Python would look through all that TensorFlow has made once more before it ends, for half a second.
    atexit.register(gc.freeze)
    # A stop by the system is handled like Ctrl-C, so that temporary files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # Not every terminal and pipe can show "→" and "×", or the name of every file.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without its standalone mode click returns the code of an Exit; its other errors are shown here as one line too.
        exit_code = cli.main(prog_name="handnet", standalone_mode=False)
    except HandnetError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Abort:
        _fail("interrupted.", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        see = f" See: {error.ctx.command_path} --help" if error.ctx else ""
        _fail(error.format_message() + see, error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except OSError as error:
        if error.errno not in _SYSTEM_LIMITS:
            raise
        _drop_output()
        where = f"{show_value(os.fspath(error.filename))}: " if error.filename is not None else "writing the output: "
        _fail(f"{where}{_SYSTEM_LIMITS[error.errno]}.", 1)
    sys.exit(exit_code if isinstance(exit_code, int) else 0)


# What the system may refuse anywhere: `Path.exists` raises the first, and what a command prints may go to a full disk.
_SYSTEM_LIMITS = {
    errno.ENAMETOOLONG: "the name of the file or folder is too long",
    errno.ENOSPC: "no space is left on the disk. Free space or give another folder",
}


def _drop_output() -> None:
    """Let what is still to be printed go nowhere: Python would report at its end that it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, exit_code: int) -> None:
    click.echo(f"handnet: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)
