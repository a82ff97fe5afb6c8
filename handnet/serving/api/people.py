"""Routes of a collection's people and their photos."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from handnet.gallery.enrolment import Enrolment, Entry
from handnet.gallery.records import HandKind
from handnet.serving.api.access import Served, need_role
from handnet.serving.api.forms import Upload, describe_form, read_form
from handnet.serving.api.payloads import (
    AcceptedOut,
    Count,
    EnrolFields,
    EnrolmentOut,
    HandOut,
    Merge,
    People,
    PersonLine,
    PersonOut,
    PhotoFields,
    PhotoOut,
    RefusedOut,
    Rename,
)
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Collection

ID = Path(pattern="^[0-9a-f]{32}$", description="32 hexadecimal digits.")
Person = Annotated[str, ID]
PhotoId = Annotated[str, ID]
READ, ENROL, ADMIN = (Depends(need_role(role)) for role in ("read", "enrol", "admin"))
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))

router = APIRouter(prefix="/v1/collections/{collection}/people", tags=["people"])


@router.get("", dependencies=[READ])
async def list_people(
    collection: str,
    service: Served,
    search: Annotated[str, Query(max_length=200, description="Part of the name.")] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> People:
    """List the people, sorted by name."""
    found = service.find_collection(collection)

    def work() -> People:
        rows = [row for row in found.gallery.list() if search.casefold() in row.name.casefold()]
        page = rows[offset : offset + limit]
        people = [PersonLine(id=row.id, name=row.name, num_photos=row.num_photos, created=row.created) for row in page]
        return People(people=people, total=len(rows))

    return await service.work(work, found)


@router.post("", status_code=201, dependencies=[ENROL], openapi_extra=describe_form(EnrolFields))
async def enrol(collection: str, request: Request, response: Response, service: Served) -> EnrolmentOut:
    """Enrol photos of a person, new or enrolled already. 201: photos were enrolled; 200: none was, each with its reason."""
    found = service.find_collection(collection)
    fields, photos = await read_form(request, EnrolFields, service.limits)
    result = await service.work(lambda: _enrol(found, fields.name, fields, photos), found)
    response.status_code = 201 if result.accepted else 200
    return result


@router.get("/{person}", dependencies=[READ])
async def show_person(collection: str, person: Person, service: Served) -> PersonOut:
    """Show a person and the enrolled photos."""
    found = service.find_collection(collection)

    def work() -> PersonOut:
        row, photos = found.gallery.show(found.find(person).name)
        keeps = found.gallery.header.keep_photos
        shown = [
            PhotoOut(
                id=photo.id,
                hand=to_hand(photo.kind),
                quality=photo.quality,
                created=photo.created,
                has_picture=keeps,
            )
            for photo in photos
        ]
        return PersonOut(id=row.id, name=row.name, created=row.created, photos=shown)

    return await service.work(work, found)


@router.patch("/{person}", status_code=204, dependencies=[ADMIN])
async def rename_person(collection: str, person: Person, change: Rename, service: Served) -> None:
    """Give a person another name."""
    found = service.find_collection(collection)
    await service.work(lambda: found.gallery.rename(found.find(person).name, change.name), found)


@router.delete("/{person}", status_code=204, dependencies=[ADMIN])
async def remove_person(collection: str, person: Person, service: Served) -> None:
    """Remove a person and what is left of them in the files."""
    found = service.find_collection(collection)
    await service.work(lambda: found.gallery.remove(found.find(person).name), found)


@router.post("/{person}/merge", dependencies=[ADMIN])
async def merge_people(collection: str, person: Person, change: Merge, service: Served) -> Count:
    """Make one person of two."""
    found = service.find_collection(collection)

    def work() -> Count:
        names = [found.find(identifier).name for identifier in (person, change.other)]
        return Count(num_photos=found.gallery.merge(*names))

    return await service.work(work, found)


@router.post("/{person}/photos", status_code=201, dependencies=[ENROL], openapi_extra=describe_form(PhotoFields))
async def add_photos(
    collection: str, person: Person, request: Request, response: Response, service: Served
) -> EnrolmentOut:
    """Enrol more photos of a person."""
    found = service.find_collection(collection)
    fields, photos = await read_form(request, PhotoFields, service.limits)
    result = await service.work(lambda: _enrol(found, found.find(person).name, fields, photos), found)
    response.status_code = 201 if result.accepted else 200
    return result


@router.delete("/{person}/photos/{photo}", status_code=204, dependencies=[ADMIN])
async def remove_photo(collection: str, person: Person, photo: PhotoId, service: Served) -> None:
    """Remove one photo."""
    found = service.find_collection(collection)

    def work() -> None:
        name = found.find(person).name
        if photo not in {row.id for row in found.gallery.show(name)[1]}:
            raise Problem(404, "This person has no photo of this id.")
        found.gallery.remove(name, photo)

    await service.work(work, found)


@router.get(
    "/{person}/photos/{photo}/picture",
    dependencies=[READ],
    response_class=Response,
    responses={200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def read_picture(collection: str, person: Person, photo: PhotoId, service: Served) -> Response:
    """Return the kept photo itself, where the collection keeps photos."""
    found = service.find_collection(collection)

    def work() -> bytes:
        name = found.find(person).name
        if photo not in {row.id for row in found.gallery.show(name)[1]}:
            raise Problem(404, "This person has no photo of this id.")
        contents = found.gallery.read_picture(photo)
        if contents is None:
            raise Problem(404, "This collection does not keep photos.")
        return contents

    contents = await service.work(work, found)
    kind = next((kind for magic, kind in _MAGIC if contents.startswith(magic)), "application/octet-stream")
    return Response(contents, media_type=kind)


def to_hand(kind: HandKind) -> HandOut:
    """Return a kind of hand as the API tells it."""
    return HandOut(view=kind.view, side=kind.side)


def _enrol(collection: Collection, name: str, fields: PhotoFields, photos: list[Upload]) -> EnrolmentOut:
    entries = [Entry(photo.contents, fields.view, fields.side, photo.title) for photo in photos]
    done: Enrolment = collection.gallery.add(name, entries, review=fields.review)
    accepted = [
        AcceptedOut(photo=row.photo, id=row.id, hand=to_hand(row.kind), quality=row.quality, remarks=list(row.remarks))
        for row in done.accepted
    ]
    person = collection.gallery.show(done.name)[0].id if accepted else ""
    refused = [RefusedOut(photo=row.photo, reason=row.reason) for row in done.refused]
    return EnrolmentOut(person=person, name=done.name, is_new=done.is_new, accepted=accepted, refused=refused)
