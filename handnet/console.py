"""How work tells what it does: lines, and progress. The command line prints both; other callers may show or keep them."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from handnet.errors import DiskError

# Prints one line.
Echo = Callable[[str], None]
# Called with (done, all).
Count = Callable[[int, int], None]
# Called with the name of a piece of work as it begins; returns what to call as it proceeds.
Progress = Callable[[str], Count]


def hide_progress(name: str) -> Count:
    """Show nothing of a piece of work: what every function does that is given no `Progress`."""
    del name
    return lambda done, total: None


def count_of(number: int, one: str, many: str = "") -> str:
    """Return "1 photo" or "1,200 photos"; give `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@contextlib.contextmanager
def turn_stderr_aside() -> Iterator[None]:
    """Show what the block writes to standard error only if it fails, its C++ parts included; not if it is interrupted.

    TensorFlow's write their start-up lines to the file descriptor before any log level is read.

    Raises:
        DiskError: no temporary file can be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            aside = stack.enter_context(tempfile.TemporaryFile())
        except OSError as error:
            raise DiskError(
                f"Cannot write a temporary file: {error.strerror}. Set TMPDIR to a folder that can be written."
            ) from None
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException as error:
            # Where the user stopped it, nothing failed.
            if not isinstance(error, KeyboardInterrupt):
                aside.seek(0)
                os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
