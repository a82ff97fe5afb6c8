"""Routes about the server and its collections: health, ready, metrics, collections, examples."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from prometheus_client import CONTENT_TYPE_LATEST

from handnet.serving.api.access import Served
from handnet.serving.api.payloads import CollectionOut, Status
from handnet.serving.api.people import READ
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Collection, Service

router = APIRouter(prefix="/v1", tags=["status"])


@router.get("/health")
async def health() -> Status:
    """Say that the process answers; takes no key."""
    return Status(status="ok")


@router.get("/ready")
async def ready(service: Served) -> Status:
    """Say whether requests are taken; takes no key."""
    if not service.is_ready:
        raise Problem(503, "The server stops.", headers={"Retry-After": "5"})
    return Status(status="ready")


@router.get(
    "/metrics",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: Served) -> Response:
    """Return figures for Prometheus."""

    def work() -> bytes:
        for row in service.collections.values():
            service.figures.people.labels(row.name).set(row.gallery.num_people)
        return service.figures.write()

    return Response(await service.work(work), media_type=CONTENT_TYPE_LATEST)


@router.get("/collections", dependencies=[READ])
async def list_collections(service: Served) -> list[CollectionOut]:
    """List the collections of this server."""
    return await service.work(lambda: [_describe(row) for row in service.collections.values()])


@router.get("/collections/{collection}", dependencies=[READ])
async def show_collection(collection: str, service: Served) -> CollectionOut:
    """Describe a collection."""
    found = service.find_collection(collection)
    return await service.work(lambda: _describe(found))


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


def _describe(collection: Collection) -> CollectionOut:
    header = collection.gallery.header
    return CollectionOut(
        name=collection.name,
        model=header.model,
        num_people=collection.gallery.num_people,
        keeps_photos=header.keep_photos,
        review=header.review,
        protected=bool(header.protection),
        calibration=collection.gallery.matching.origin,
        created=header.created,
    )
