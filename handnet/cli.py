"""The command line. Nothing heavy is imported before a command that needs it runs."""

import os
import signal
import sys

import click

from handnet import __version__
from handnet.commands.data import data
from handnet.commands.evaluation import evaluate
from handnet.commands.export import export
from handnet.commands.quickstart import quickstart
from handnet.commands.training import train
from handnet.errors import HandnetError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="handnet")
def cli() -> None:
    """Match the back of a hand to the palm of the same person.

    \b
    handnet data synth data/synthetic             draw a data set of made-up hands
    handnet train --data data/synthetic --run runs/first
    handnet eval runs/first
    handnet export runs/first saved_models/first
    """


for command in (quickstart, data, train, evaluate, export):
    cli.add_command(command)


def main() -> None:
    """Run the command line; a user's mistake ends with one line and exit code 1 or 2."""
    # A stop by the system is handled like Ctrl-C, so that temporary files are removed.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        cli.main(standalone_mode=False)
    except HandnetError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Abort:
        _fail("interrupted.", 130)
    except KeyboardInterrupt:
        _fail("interrupted.", 130)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of the output, as in `handnet … | head`, has gone: not an error, and stdout must not be flushed again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, exit_code: int) -> None:
    click.echo(f"\nhandnet: {' '.join(message.split())}".lstrip("\n"), err=True)
    sys.exit(exit_code)
