"""Routes that answer questions about photos: identify, verify, compare, embed."""

import math

from fastapi import APIRouter, Request

from handnet.gallery.identification_threshold import describe_threshold
from handnet.gallery.matching import Answer
from handnet.gallery.photo_comparison import compare_photos
from handnet.gallery.records import HandKind
from handnet.serving.api.access import Served
from handnet.serving.api.forms import Upload, describe_form, read_form
from handnet.serving.api.payloads import (
    AnswerOut,
    Answers,
    CompareFields,
    ComparisonOut,
    DistributionsOut,
    EmbeddingOut,
    Embeddings,
    HandFields,
    HandOut,
    IdentifyFields,
    MatchOut,
    ThresholdOut,
    VerificationOut,
    Verifications,
    VerifyFields,
)
from handnet.serving.api.people import ENROL, READ, to_hand
from handnet.serving.api.problems import Problem
from handnet.serving.api.service import Collection

router = APIRouter(prefix="/v1/collections/{collection}", tags=["questions"])


@router.post("/identify", dependencies=[READ], openapi_extra=describe_form(IdentifyFields))
async def identify(collection: str, request: Request, service: Served) -> Answers:
    """Say whose hands these are; the answer may be nobody enrolled."""
    found = service.find_collection(collection)
    fields, photos = await read_form(request, IdentifyFields, service.limits)

    def work() -> Answers:
        answers = found.gallery.identify(
            [photo.contents for photo in photos],
            top=fields.top,
            fpir=fields.fpir,
            fpir_bound=fields.fpir_bound,
            prior=fields.prior,
            view=fields.view,
            side=fields.side,
            together=fields.together,
        )
        return Answers(answers=[_to_answer(found, row, photos) for row in answers])

    return await service.work(work, found)


@router.post("/verify", dependencies=[READ], openapi_extra=describe_form(VerifyFields))
async def verify(collection: str, request: Request, service: Served) -> Verifications:
    """Say of each photo whether it shows an enrolled person."""
    found = service.find_collection(collection)
    fields, photos = await read_form(request, VerifyFields, service.limits)

    def work() -> Verifications:
        contents = [photo.contents for photo in photos]
        answers = found.gallery.verify(found.find(fields.person).name, contents, view=fields.view, side=fields.side)
        return Verifications(
            answers=[
                VerificationOut(photo=photo.title, name=row.name, remarks=list(row.remarks), **row.verdict._asdict())
                for row, photo in zip(answers, photos, strict=True)
            ]
        )

    return await service.work(work, found)


@router.post("/compare", dependencies=[READ], openapi_extra=describe_form(CompareFields, "two"))
async def compare(collection: str, request: Request, service: Served) -> ComparisonOut:
    """Say whether two photos show one person, and where their score lies among those of calibration people."""
    found = service.find_collection(collection)
    fields, photos = await read_form(request, CompareFields, service.limits)
    if len(photos) != 2:
        raise Problem(422, f"Two photos are compared. Received: {len(photos)}.")
    kinds = HandKind(fields.first_view, fields.first_side), HandKind(fields.second_view, fields.second_side)

    def work() -> ComparisonOut:
        first, second = (photo.contents for photo in photos)
        done = compare_photos(found.encoder, found.gallery.matching, first, second, kinds)
        spread = done.distributions
        shown = spread and DistributionsOut(
            edges=spread.edges.tolist(), genuine=spread.genuine.tolist(), impostor=spread.impostor.tolist()
        )
        return ComparisonOut(
            hands=(to_hand(done.kinds[0]), to_hand(done.kinds[1])),
            remarks=list(done.remarks),
            distributions=shown,
            **done.verdict._asdict(),
        )

    return await service.work(work, found)


@router.post("/embed", dependencies=[ENROL], openapi_extra=describe_form(HandFields))
async def embed(collection: str, request: Request, service: Served) -> Embeddings:
    """Return the vectors of photos. A vector is biometric data as its photo is: this takes the role enrol."""
    found = service.find_collection(collection)
    _, photos = await read_form(request, HandFields, service.limits)

    def work() -> Embeddings:
        results = found.encoder.embed([photo.contents for photo in photos])
        rows = [
            EmbeddingOut(
                photo=photo.title,
                problem=result.reason,
                vector=[] if result.vector is None else result.vector.tolist(),
                hand=to_hand(result.kind),
                quality=result.quality,
                remarks=list(result.remarks),
            )
            for photo, result in zip(photos, results, strict=True)
        ]
        return Embeddings(model=found.encoder.digest, embeddings=rows)

    return await service.work(work, found)


def _to_answer(collection: Collection, answer: Answer, photos: list[Upload]) -> AnswerOut:
    titles = {f"photo {number}": photo.title for number, photo in enumerate(photos, 1)}
    threshold = answer.threshold
    matches = [MatchOut(**{**row._asdict(), "picture": _find_picture(collection, row.name)}) for row in answer.matches]
    return AnswerOut(
        photo=", ".join(titles.get(part, part) for part in answer.photo.split(", ")),
        problem=answer.problem,
        hand=HandOut(view=answer.view, side=answer.side),
        name=answer.name,
        matches=matches,
        nobody=answer.nobody,
        prior=answer.prior,
        threshold=None
        if threshold is None
        else ThresholdOut(**threshold._asdict(), probability=_mark(answer), text=describe_threshold(threshold)),
        remarks=list(answer.remarks),
        num_people=answer.num_people,
        num_compared=answer.num_compared,
    )


def _mark(answer: Answer) -> float:
    """Return the probability that the likeliest person would have at the threshold, the others as they are."""
    assert answer.threshold is not None, "only asked where there is one"
    if not answer.matches:
        return 0.0
    best = answer.matches[0]
    # Odds are a likelihood ratio times what is fixed.
    odds = best.probability / max(1 - best.probability, 1e-300)
    scaled = odds * _exp(answer.threshold.log_ratio - best.log_ratio)
    return scaled / (1 + scaled)


def _exp(value: float) -> float:
    """Return e to a power that is kept from overflowing."""
    return math.exp(min(max(value, -700.0), 700.0))


def _find_picture(collection: Collection, name: str) -> str:
    """Return the id of a photo to show of a match: of the best quality, or "" where photos are not kept."""
    if not collection.gallery.header.keep_photos:
        return ""
    photos = collection.gallery.show(name)[1]
    return max(photos, key=lambda photo: photo.quality).id if photos else ""
