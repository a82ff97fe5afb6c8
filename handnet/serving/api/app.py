"""The application: routes, guard, errors, and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from handnet import __version__
from handnet.serving.api import administration, collections, exploring, people, questions, status
from handnet.serving.api.guard import Guard
from handnet.serving.api.payloads import ProblemOut
from handnet.serving.api.problems import MEDIA_TYPE, handle_problems
from handnet.serving.api.service import Service

PAGE_FOLDER = Path(__file__).resolve().parents[1] / "page"
_PROBLEMS = {
    400: "The request is malformed.",
    401: "An API key is needed.",
    403: "The key's role does not allow it, or a page of another site asks.",
    404: "There is no such thing.",
    408: "The request took too long to arrive.",
    409: "It contradicts what is there.",
    413: "Too many bytes, pixels or photos.",
    415: "Not the kind of content that is taken.",
    421: "The server is not called by this name.",
    422: "A field is missing, unknown or out of range.",
    429: "Too many requests of this client.",
    503: "Too many requests at once, or the server stops.",
    504: "It took too long.",
    507: "The disk is full or read-only.",
}


def build_app(service: Service) -> FastAPI:
    """Return the application of a service. The service is stopped with the application.

    Args:
        service: collections, limits, keys.
    """

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        yield
        # Here no request is open any more; what a client has left behind is finished.
        service.stop()

    app = FastAPI(
        title="handnet",
        version=__version__,
        summary="Enrol people from photos of their hands; ask whose a hand is.",
        lifespan=run,
        openapi_url="/v1/openapi.json",
        # Both would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name_operation,
        responses={code: _describe_problem(text) for code, text in _PROBLEMS.items()},
    )
    app.state.service = service
    handle_problems(app)
    for routes in (status, collections, people, questions, administration, exploring):
        app.include_router(routes.router)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE_FOLDER / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE_FOLDER), name="page")
    app.add_middleware(Guard, service=service)
    return app


def _name_operation(route: APIRoute) -> str:
    return route.name


def _describe_problem(text: str) -> dict[str, Any]:
    return {"description": text, "model": ProblemOut, "content": {MEDIA_TYPE: {}}}
