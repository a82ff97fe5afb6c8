"""Who may do what: API keys by role, and a rate for each client."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from handnet.errors import GalleryError
from handnet.serving.api.keys import allows
from handnet.serving.api.problems import LOG, Problem
from handnet.serving.api.service import Service, get_service

_BEARER = HTTPBearer(auto_error=False, description="An API key, from handnet serve --add-key ROLE.")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
Served = Annotated[Service, Depends(get_service)]


def need_role(role: str) -> Callable[..., Awaitable[None]]:
    """Return a dependency that lets a request pass if its key has a role, where the server asks for keys.

    Args:
        role: a member of keys.ROLES.
    """

    async def check(request: Request, service: Served, credentials: Credentials) -> None:
        address = request.client.host if request.client else "unknown"
        if service.keys is None:
            service.rates.take(address)
            return
        try:
            known = service.keys.find(credentials.credentials) if credentials else None
        except GalleryError as error:
            # Nothing that the client sent is wrong, and nobody is let in.
            LOG.error("%s", error)
            raise Problem(503, "The server's API keys cannot be read; its log says why.") from None
        # Whoever guesses keys is slowed by their address.
        service.rates.take(known.id if known else address)
        if known is None:
            detail = "This server asks for an API key: Authorization: Bearer KEY."
            raise Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})
        if not allows(known.role, role):
            raise Problem(403, f"This needs an API key with the role {role}. Received: one with the role {known.role}.")

    return check
