"""Counters for Prometheus. No label holds a name, an id or anything of a photo."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Counters:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "handnet_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "handnet_request_seconds", "Time to answer a request.", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self.photos = Counter(
            "handnet_photos_embedded", "Photos that went through the network.", registry=self.registry
        )
        self.batches = Histogram(
            "handnet_batch_photos", "Photos in a batch.", buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry
        )
        self.open_requests = Gauge("handnet_open_requests", "Requests worked on or waiting.", registry=self.registry)
        self.people = Gauge("handnet_people", "Enrolled people.", ("collection",), registry=self.registry)

    def count_batch(self, num_photos: int) -> None:
        """Count a batch that went through the network."""
        self.photos.inc(num_photos)
        self.batches.observe(num_photos)

    def forget_collection(self, name: str) -> None:
        """Leave out a collection that was deleted."""
        self.people.remove(name)

    def write(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self.registry)
