"""TensorFlow's errors of the system are one line each, and no others are."""

from pathlib import Path

import pytest
import tensorflow as tf

from handnet.errors import DeviceError, DiskError
from handnet.networks.tensorflow_errors import explain_failures


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_disk_error() -> None:
    line = r"^Cannot write 'here': No space left on device\. Is the disk full\?$"
    with pytest.raises(DiskError, match=line), explain_failures(Path("here")):
        tf.io.write_file("/dev/full", b"x" * 1_000_000)


def test_a_file_that_was_deleted_meanwhile_is_named(tmp_path: Path) -> None:
    dataset = tf.data.Dataset.from_tensors(str(tmp_path / "gone")).map(tf.io.read_file)
    line = r"deleted while it was in use: .*/gone\. Was the cache .* --resume"
    with pytest.raises(DiskError, match=line), explain_failures(tmp_path):
        next(iter(dataset))


def test_memory_that_does_not_suffice_says_what_to_lower() -> None:
    line = "The device ran out of memory. Give a smaller --batch"
    with pytest.raises(DeviceError, match=line), explain_failures(Path()):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[64,64]")


def test_a_defect_stays_one() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), explain_failures(Path()):
        tf.reshape(tf.zeros(4), (3,))
