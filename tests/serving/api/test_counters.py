"""Counters for Prometheus."""

import pytest

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed: pip install 'handnet[serve]'")

from handnet.serving.api.counters import Counters


def test_batches_are_counted_and_two_servers_count_apart() -> None:
    figures, other = Counters(), Counters()
    figures.count_batch(3)
    figures.count_batch(1)
    text = figures.write().decode()
    assert "handnet_photos_embedded_total 4.0" in text
    assert 'handnet_batch_photos_bucket{le="2.0"} 1.0' in text
    assert "handnet_photos_embedded_total 0.0" in other.write().decode()
