"""What happens to every request before and after the routes: host, origin, size, time, headers, counters."""

import asyncio
import logging
import time
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handnet.serving.api.problems import MEDIA_TYPE, Problem
from handnet.serving.api.service import Service

LOG = logging.getLogger("handnet.serving")
# The page's own files, its own API, pictures that it got from there, and its camera.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Guard an application.

        Args:
            app: the application.
            service: whose limits, hosts and figures count.
        """
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin_s = time.monotonic()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            problem = self._refuse(Headers(scope=scope))
            if problem is not None:
                body = {
                    "type": "about:blank",
                    "title": "Refused",
                    "status": problem.status_code,
                    "detail": problem.detail,
                }
                response = JSONResponse(body, problem.status_code, problem.headers, MEDIA_TYPE)
                await response(scope, receive, send_with_headers)
            else:
                await self._app(scope, self._limit(receive), send_with_headers)
        finally:
            self._count(scope, status, time.monotonic() - begin_s)

    def _refuse(self, headers: Headers) -> Problem | None:
        """Refuse what another site makes a browser send, and bodies that say they are too large."""
        host = headers.get("host", "")
        # Else a name that an attacker points to this machine would be this server's own site (DNS rebinding).
        if self._service.hosts and (urlsplit(f"//{host}").hostname or "") not in self._service.hosts:
            return Problem(421, "This server is not called by this name. Call it by the address that it prints.")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return Problem(403, "Pages of other sites may not call this server.")
        length = headers.get("content-length", "0")
        limit = self._service.limits.max_body_bytes
        if length.isdecimal() and int(length) > limit:
            return Problem(413, f"At most {limit:,} bytes are accepted in one request.")
        return None

    def _limit(self, receive: Receive) -> Receive:
        """Return `receive` with the limits of bytes and of time."""
        limits = self._service.limits
        deadline_s = time.monotonic() + limits.body_timeout_s
        num_bytes, is_done = 0, False

        async def receive_limited() -> Message:
            nonlocal num_bytes, is_done
            if is_done:
                # From now on only the client's leaving is waited for.
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(deadline_s - time.monotonic(), 0.001))
            except TimeoutError:
                raise Problem(408, f"The request did not arrive within {limits.body_timeout_s:g} s.") from None
            num_bytes += len(message.get("body", b""))
            if num_bytes > limits.max_body_bytes:
                raise Problem(413, f"At most {limits.max_body_bytes:,} bytes are accepted in one request.")
            is_done = not message.get("more_body", False)
            return message

        return receive_limited

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in ("GET", "POST", "PATCH", "DELETE", "HEAD") else "other"
        self._service.figures.requests.labels(method, route, str(status)).inc()
        self._service.figures.seconds.labels(route).observe(seconds)
        # The route's pattern, not the path: ids stay out of the log.
        LOG.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)
