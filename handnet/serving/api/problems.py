"""Errors as problem+json (RFC 9457): what was wrong and what to do, never a path or a stack of the inside."""

import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from handnet.errors import (
    ConfigError,
    DataError,
    DiskError,
    EvaluationError,
    GalleryError,
    GalleryServerError,
    HandnetError,
)

LOG = logging.getLogger("handnet.serving")
MEDIA_TYPE = "application/problem+json"
# A file's place says more of the machine than a client should know: absolute, in quotes or not.
_PATHS = re.compile(r"(?<![\w:/.])/(?:[^\s'\":;,()/]+/)*[^\s'\":;,()/]*[^\s'\":;,()/.]")


class Problem(HTTPException):
    """A request that is refused."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what is wrong.

        Args:
            status: HTTP status, 400 or above.
            detail: for people.
            errors: one for each field that is wrong: {"at": …, "message": …}.
            headers: more headers of the answer.
        """
        super().__init__(status, detail, dict(headers or {}))
        self.errors = [dict(error) for error in errors]


def hide_paths(message: str) -> str:
    """Return a message without absolute paths of files."""
    return _PATHS.sub("…", message)


def to_problem(error: HandnetError) -> Problem:
    """Return what a client is told of an error of handnet."""
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    if isinstance(error, GalleryServerError):
        # Its message holds the address of a server that is none of a client's business.
        return Problem(
            status, "The server that holds this collection does not answer. What was not acknowledged was not written."
        )
    return Problem(status, hide_paths(" ".join(str(error).split())))


def to_errors(found: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the errors of a model of fields without the values that were sent."""
    return [
        {"at": ".".join(str(part) for part in row.get("loc", ())), "message": str(row.get("msg", "invalid"))}
        for row in found
    ]


def handle_problems(app: FastAPI) -> None:
    """Answer every error of an application as problem+json."""

    def answer(problem: HTTPException) -> JSONResponse:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(problem.status_code).phrase,
            "status": problem.status_code,
            "detail": problem.detail,
        }
        if isinstance(problem, Problem) and problem.errors:
            body["errors"] = problem.errors
        return JSONResponse(body, problem.status_code, problem.headers, MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def explain(request: Request, error: HTTPException) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def explain_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = Problem(422, "Some fields are missing, unknown or out of range.", errors=to_errors(error.errors()))
        return answer(problem)

    @app.exception_handler(HandnetError)
    async def explain_handnet(request: Request, error: HandnetError) -> JSONResponse:
        problem = to_problem(error)
        if problem.status_code >= 500:
            LOG.error("%s: %s", type(error).__name__, error)
        return answer(problem)

    @app.exception_handler(Exception)
    async def explain_defect(request: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(4)
        # Not the message: it may hold what was sent.
        LOG.error("defect %s: %s", number, type(error).__name__)
        return answer(Problem(500, f"A defect of the server; its log says more under {number}."))


STATUSES: Mapping[type[HandnetError], int] = {
    ConfigError: 422,
    DataError: 422,
    EvaluationError: 422,
    GalleryServerError: 503,
    GalleryError: 409,
    DiskError: 507,
    HandnetError: 500,
}
