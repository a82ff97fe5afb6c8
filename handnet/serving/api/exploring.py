"""Routes of the explorer of a run's test part."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from handnet.serving.api.access import Served
from handnet.serving.api.explorer import Explorer
from handnet.serving.api.payloads import ExplorerOut, Neighbour, QueryOut, TestPerson
from handnet.serving.api.people import READ
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Service

router = APIRouter(prefix="/v1/explorer", tags=["explorer"])
Row = Annotated[int, Path(ge=0, le=10_000_000, description="Of a photo of the test part.")]


@router.get("", dependencies=[READ])
async def describe_part(service: Served) -> ExplorerOut:
    """Describe the test part: people, photos and counts."""
    explorer = _find(service)
    views = explorer.part.views.tolist()
    people = explorer.list_people()
    return ExplorerOut(
        name=explorer.name,
        num_people=len(people),
        num_dorsal=views.count("dorsal"),
        num_palmar=views.count("palmar"),
        people=[TestPerson(name=name, photos=rows) for name, rows in people.items()],
    )


@router.get("/photos/{row}", dependencies=[READ])
async def search_part(row: Row, service: Served, top: Annotated[int, Query(ge=1, le=100)] = 10) -> QueryOut:
    """Return whose photos of the other view are nearest to a photo."""
    explorer = _find(service, row)
    name = str(explorer.part.identities[row])
    found = await service.work(lambda: explorer.search(row))
    rank = next((place for place, near in enumerate(found, 1) if near.name == name), 0)
    return QueryOut(
        photo=row,
        name=name,
        view=str(explorer.part.views[row]),
        side=str(explorer.part.sides[row]),
        rank=rank,
        num_ranked=len(found),
        neighbours=[
            Neighbour(rank=place, photo=near.row, name=near.name, similarity=near.similarity, right=near.name == name)
            for place, near in enumerate(found[:top], 1)
        ],
    )


@router.get(
    "/photos/{row}/picture",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def read_part_picture(row: Row, service: Served) -> Response:
    """Return a small picture of a photo of the test part."""
    explorer = _find(service, row)
    picture = await service.work(lambda: explorer.read_picture(row))
    if picture is None:
        raise Problem(404, "The photo's file no longer exists.")
    return Response(picture, media_type="image/jpeg")


def _find(service: Service, row: int = 0) -> Explorer:
    if service.explorer is None:
        raise Problem(404, "This server shows no run's test part. Start it with handnet serve G --explore RUN.")
    if row >= len(service.explorer.part.identities):
        raise Problem(404, "The test part has no such photo.")
    return service.explorer
