"""Settings for all tests: the photo cache lies in a temporary folder, and no data set is taken from the environment."""

import contextlib
import ctypes
import fcntl
import gc
import importlib.util
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

# As the command line does: read by TensorFlow's C++ parts when they are loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The operations of tiny graphs, and parts of one, take less than handing them from one thread to another. That vectors do not
# depend on it is tested where Ray's workers have two. Read when TensorFlow first computes.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Threads of NumPy's and SciPy's matrix products wait for each other at full speed, twice as long as the tests of metrics take.
# Read when they are loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What XLA compiles is the same operations in slower machine code, compiled in a third of the time. Read when it first compiles.
XLA_FLAGS = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)

# Where TensorFlow optimises graphs as it does for users: what is exported is compared with the encoder, or what processes of
# their own compute is compared to the bit.
OPTIMISED = (
    *("embedding/test_ray_cluster.py", "evaluation/test_quick_verify.py", "networks/test_compact_graph.py"),
    *("export/test_compare_archive.py", "export/test_signatures.py", "export/test_warmup.py", "serving/client/"),
)

# Two processes test at a time, and machines with 8 GB are common. Memory is given back above this, and again when so much more
# is taken: it costs a second, and the decoders have to be traced again.
MAX_RESIDENT_BYTES = 3 << 30
MORE_BYTES = 1 << 30

# Of the tests' caches.
_NUMBERS = itertools.count()
_max_resident_bytes = MAX_RESIDENT_BYTES

# Fixtures that take ten seconds or more: whatever needs them is slow.
SLOW_FIXTURES = {"milvus", "pairs_run"}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let one process after the other import everything where it has not been compiled yet: the second finds the bytecode."""
    with Path(__file__).open() as lock:
        if not _has_bytecode("keras"):
            fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)


def _has_bytecode(package: str) -> bool:
    spec = importlib.util.find_spec(package)
    return spec is None or spec.origin is None or Path(importlib.util.cache_from_source(spec.origin)).exists()


# Before pytest's own, which selects by the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a slow fixture, and put files with slow tests first.

    A file of slow tests that began last would leave the other process without work.
    """
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    num_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -num_slow[item.path])


def pytest_collection_finish() -> None:
    """Leave what the imports made out of every later garbage collection: TensorFlow alone is a million objects."""
    gc.collect()
    gc.freeze()
    # A full collection comes about as often as before, so that no more dead networks are held at a time.
    gc.set_threshold(20_000, 10, 2)


# Before the fixtures, which train and export.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out TensorFlow's optimisation of graphs, which takes longer than most graphs of the tests then run for."""
    # Nothing is imported for it.
    if (tensorflow := sys.modules.get("tensorflow")) is not None:
        plain = not item.path.relative_to(Path(__file__).parent).as_posix().startswith(OPTIMISED)
        settings = tensorflow.config.optimizer
        if settings.get_experimental_options().get("disable_meta_optimizer", False) != plain:
            settings.set_experimental_options({"disable_meta_optimizer": plain})


# After the fixtures of the file, which hold models.
@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Give memory back between two files, where a process has taken much: kept decoders, dead networks, what malloc keeps."""
    global _max_resident_bytes
    if nextitem is None or nextitem.path == item.path:
        return
    _forget_gradients()
    if _count_resident_bytes() > _max_resident_bytes:
        # One that finds hands by landmarks takes some 400 MB.
        if (photo_store := sys.modules.get("handnet.images.photo_store")) is not None:
            photo_store.build_decoder.cache_clear()
            photo_store.build_hand_decoder.cache_clear()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        _max_resident_bytes = max(MAX_RESIDENT_BYTES, _count_resident_bytes() + MORE_BYTES)


def _forget_gradients() -> None:
    """Take the gradients of finished trainings out of TensorFlow's list, which else keeps their graphs, 25 MB each, for ever."""
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import ops

        listed = ops.gradient_registry._registry
        for name in [name for name in listed if name.startswith("CustomGradient-")]:
            del listed[name]


def _count_resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not tell it as Linux does."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What files and the session share is made before a test has its cache, and must not come from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDNET_CACHE", str(tmp_path_factory.getbasetemp() / "caches" / "fixtures"))
        patch.delenv("HANDNET_DATA", raising=False)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not of pytest's numbered folders: for the next number it reads all names there are, of thousands of tests.
    folder = tmp_path_factory.getbasetemp() / "caches" / str(next(_NUMBERS))
    folder.mkdir(parents=True)
    monkeypatch.setenv("HANDNET_CACHE", str(folder))
    monkeypatch.delenv("HANDNET_DATA", raising=False)


@pytest.fixture
def without_graphs() -> Iterator[None]:
    """Functions of TensorFlow run operation by operation: for networks that are asked less than it takes to trace them.

    Pipelines of tf.data, exports and the decoders of photos are graphs all the same.
    """
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A photo file of every kind, whole and damaged."""
    # Keras is imported where a test needs it only.
    from tests.exported import write_photos

    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny encoder and what it was exported to, `tests.exported.Exported`; tests must not change it."""
    from tests.exported import export_tiny, read_exported
    from tests.shared import build_once

    return read_exported(build_once(tmp_path_factory, "exported", export_tiny))


@pytest.fixture(scope="session")
def pairs_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with a classifier of pairs, trained on photos of one colour each and evaluated; tests must not change it."""
    from handnet.config.run_folder import read_run
    from tests.colours import train_on_colours
    from tests.shared import build_once

    return read_run(build_once(tmp_path_factory, "pairs", train_on_colours) / "run")
