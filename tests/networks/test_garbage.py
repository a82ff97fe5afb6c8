"""Garbage collections are put off, and only meanwhile."""

import gc

import pytest

from handnet.networks.garbage import pause_collections


def test_collections_are_put_off_until_the_end_or_a_failure() -> None:
    def fail() -> None:
        with pause_collections():
            assert not gc.isenabled()
            raise ValueError("in between")

    with pytest.raises(ValueError, match="in between"):
        fail()
    assert gc.isenabled()


def test_who_switched_them_off_has_them_off_afterwards() -> None:
    gc.disable()
    try:
        with pause_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
