"""Routes of whoever looks after a collection: check, log, backup, and forgetting with proof."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from handnet.serving.api.access import Served
from handnet.serving.api.payloads import (
    AuditLine,
    Backup,
    CheckOut,
    DuplicateOut,
    Forgotten,
    Log,
    MisplacedOut,
    SamePersonOut,
)
from handnet.serving.api.people import ADMIN, Person
from handnet.serving.api.problems import Problem, hide_paths

router = APIRouter(prefix="/v1/collections/{collection}", tags=["administration"], dependencies=[ADMIN])


@router.get("/check")
async def check_collection(collection: str, service: Served) -> CheckOut:
    """Look for damage, for people who may be one, for photos that may be another's, for pictures that are there twice."""
    found = service.find_collection(collection)

    def work() -> CheckOut:
        report = found.gallery.check()
        return CheckOut(
            damage=[hide_paths(line) for line in report.damage],
            same_people=[SamePersonOut(**row._asdict()) for row in report.same_people],
            misplaced=[MisplacedOut(**row._asdict()) for row in report.misplaced],
            duplicates=[DuplicateOut(**row._asdict()) for row in report.duplicates],
        )

    return await service.work(work, found)


@router.get("/log")
async def read_log(
    collection: str,
    service: Served,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Log:
    """Return what was done to the collection, the newest first. There are no names in it."""
    found = service.find_collection(collection)

    def work() -> Log:
        entries = found.gallery.read_audit()[::-1]
        lines = [
            AuditLine(number=row.number, time=row.time, action=row.action, person=row.subject, detail=row.detail)
            for row in entries[offset : offset + limit]
        ]
        return Log(entries=lines, total=len(entries))

    return await service.work(work, found)


@router.post("/backup", status_code=201)
async def back_up(collection: str, service: Served) -> Backup:
    """Write the collection as of now into the server's folder of backups, under a name that tells the time."""
    found = service.find_collection(collection)
    folder = service.backups
    if folder is None:
        raise Problem(409, "This server cannot write backups: it was started without --backups DIR.")
    name = f"{found.name} {time.strftime('%Y-%m-%d %H%M%S', time.gmtime())}"
    await service.work(lambda: found.gallery.backup(folder / name), found)
    return Backup(name=name)


@router.post("/people/{person}/forget")
async def forget_person(collection: str, person: Person, service: Served) -> Forgotten:
    """Remove a person, and prove it by searching the collection's files for what was stored of them."""
    found = service.find_collection(collection)

    def work() -> Forgotten:
        done = found.gallery.forget(found.find(person).name)
        return Forgotten(num_photos=done.num_photos, num_traces=done.num_traces, unsearched=done.unsearched)

    return await service.work(work, found)
