"""A store on the test's Milvus server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from handnet.gallery.stores.milvus import MilvusStore
from tests.gallery.stores.test_store import make_header


@pytest.fixture
def place(milvus: tuple[str, Path]) -> tuple[str, str]:
    return "g" + os.urandom(4).hex(), milvus[0]


@pytest.fixture
def store(place: tuple[str, str]) -> Iterator[MilvusStore]:
    made = MilvusStore.create(*place, make_header())
    yield made
    made.close()
