"""What TensorFlow raises where a disk is full, a file has gone or memory runs out, as errors that say what to do."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from handnet.errors import DeviceError, DiskError

# As the system words them, within TensorFlow's own messages.
_DISK_REASONS = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "Read-only file system",
    "Permission denied",
    "Input/output error",
    "Stale file handle",
)


@contextlib.contextmanager
def explain_failures(folder: Path) -> Iterator[None]:
    """Turn TensorFlow's errors of the system into one line each; all others pass through.

    Args:
        folder: where the block writes.

    Raises:
        DiskError: the folder cannot be written, or a file that is in use was deleted.
        DeviceError: the device ran out of memory.
    """
    try:
        yield
    except tf.errors.OpError as error:
        text = str(error)
        reason = next((reason for reason in _DISK_REASONS if reason in text), "")
        if reason:
            raise DiskError(f"Cannot write {str(folder)!r}: {reason}. Is the disk full?") from None
        if isinstance(error, tf.errors.NotFoundError) and "No such file or directory" in text:
            gone = text.partition(";")[0].rpartition("}} ")[2]
            raise DiskError(
                f"A file was deleted while it was in use: {' '.join(gone.split())}. Was the cache or a folder emptied? Run the "
                "command again, or continue a training with --resume."
            ) from None
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise DeviceError(
                "The device ran out of memory. Give a smaller --batch, a smaller --set image.size_px or a smaller "
                "--arch, or end what else uses the device."
            ) from None
        raise
