"""Routes of collections: list, show, make, delete."""

from typing import Annotated

from fastapi import APIRouter, Query

from handnet.serving.api.access import Served
from handnet.serving.api.payloads import CollectionOut, NewCollection
from handnet.serving.api.people import ADMIN, READ
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Collection

router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.get("", dependencies=[READ])
async def list_collections(service: Served) -> list[CollectionOut]:
    """List the collections of this server."""
    rows = service.list_collections()
    return await service.work(lambda: [_describe(row) for row in rows], *rows)


@router.post("", status_code=201, dependencies=[ADMIN])
async def create_collection(new: NewCollection, service: Served) -> CollectionOut:
    """Make an empty collection in the server's folder of collections, bound to the model of another one."""
    made = await service.create_collection(new.name, new.like, keep_photos=new.keep_photos, review=new.review)
    return await service.work(lambda: _describe(made), made)


@router.get("/{collection}", dependencies=[READ])
async def show_collection(collection: str, service: Served) -> CollectionOut:
    """Describe a collection."""
    found = service.find_collection(collection)
    return await service.work(lambda: _describe(found), found)


@router.delete("/{collection}", status_code=204, dependencies=[ADMIN])
async def delete_collection(
    collection: str,
    confirm: Annotated[str, Query(max_length=200, description="The collection's name, to confirm.")],
    service: Served,
) -> None:
    """Delete a collection and everybody in it for good; backups stay."""
    found = service.find_collection(collection)
    if confirm != collection:
        raise Problem(422, "`confirm` must be the name of the collection that is to be deleted.")
    await service.delete_collection(found)


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
