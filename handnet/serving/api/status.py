"""Routes about the server: health, ready, metrics, examples."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from prometheus_client import CONTENT_TYPE_LATEST

from handnet.serving.api.access import Served
from handnet.serving.api.payloads import Status
from handnet.serving.api.people import READ
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Service

router = APIRouter(prefix="/v1", tags=["status"])


@router.get("/health")
async def health() -> Status:
    """Say that the process answers; takes no key."""
    return Status(status="ok")


@router.get("/ready")
async def ready(service: Served) -> Status:
    """Say whether requests are taken; takes no key."""
    if not service.is_ready:
        raise Problem(503, "The server is stopping.", headers={"Retry-After": "5"})
    return Status(status="ready")


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: Served) -> Response:
    """Return figures for Prometheus."""
    rows = service.list_collections()

    def work() -> bytes:
        for row in rows:
            service.figures.people.labels(row.name).set(row.gallery.num_people)
        return service.figures.write()

    return Response(await service.work(work, *rows), media_type=CONTENT_TYPE_LATEST)


@router.get("/examples", dependencies=[READ])
async def list_examples(service: Served) -> list[str]:
    """Name the photos to try the page with."""
    return list(service.examples)


@router.get(
    "/examples/{name}",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def read_example(name: Annotated[str, Path(max_length=200)], service: Served) -> Response:
    """Return a photo to try the page with."""
    return Response(_find_example(service, name), media_type="image/jpeg")


def _find_example(service: Service, name: str) -> bytes:
    if name not in service.examples:
        raise Problem(404, "There is no example of this name.")
    return service.examples[name]
