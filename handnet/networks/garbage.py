"""Garbage collections put off while graphs are traced: each would go through all objects of a graph, and find little."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def pause_collections() -> Iterator[None]:
    """Collect no garbage meanwhile. What is made then and refers to itself is freed afterwards, so this is not for computing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
