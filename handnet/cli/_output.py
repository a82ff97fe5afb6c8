"""How every command that writes claims its output: room for it, and no other process that writes there too."""

from pathlib import Path

import click

# Pictures, figures and a page.
LEAST_FREE_BYTES = 10_000_000


def claim_output(path: Path, needed_bytes: int = LEAST_FREE_BYTES) -> None:
    """Keep other processes from writing the file or folder `path` until the command ends.

    Args:
        path: what the command writes; it need not exist yet.
        needed_bytes: how much room it takes.

    Raises:
        DiskError: another process writes it, it cannot be written, or the disk has no room.
    """
    from handnet.files import check_free_space, hold_lock

    check_free_space(path.absolute().parent if path.is_file() else path, needed_bytes)
    click.get_current_context().with_resource(hold_lock(path))
