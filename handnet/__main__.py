"""The command `handnet`, and `python -m handnet`."""

import sys


def main() -> None:
    """Run the command line; where it is stopped while Python still reads its modules, that is one line too."""
    try:
        from handnet.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("handnet: interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
