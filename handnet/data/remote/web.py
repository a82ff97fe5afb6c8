"""Files on a web server, read whole with a bound on their size."""

import http.client
import io
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any, cast

from handnet.data.remote.addresses import check_address, hide_secrets, is_own_machine
from handnet.errors import DataError, printable

TIMEOUT_S = 30
# For all of one answer, however slowly it comes: 1 MB takes less even over a telephone line.
_LONGEST_S = 300
_NUM_TRIES = 4
_FIRST_WAIT_S = 0.5
# The server says that there is no such file; everything else is the server's or the network's trouble.
_ABSENT = (404, 410)
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def read_from_web(address: str, max_bytes: int) -> tuple[bytes, str]:
    """Read a file over HTTP; a server that is busy or out of reach is asked again a few times.

    Args:
        address: http:// or https://.
        max_bytes: a larger file is not read.

    Returns:
        The contents and ""; or b"" and the reason why there are none: absent, or too large.

    Raises:
        DataError: an address that is not allowed, a server that refuses, does not answer, or does not come to an end.
    """
    check_address(address)
    for wait in range(_NUM_TRIES):
        try:
            with _OPENER.open(_write_in_ascii(address), timeout=TIMEOUT_S) as response:
                return _read(response, max_bytes)
        except urllib.error.HTTPError as error:
            if error.code in _ABSENT:
                return b"", f"the server has no such file ({error.code})"
            problem, is_final = f"the server answers {error.code}", error.code not in _TRY_AGAIN
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            problem, is_final = str(getattr(error, "reason", None) or error or type(error).__name__), False
        if is_final:
            break
        if wait < _NUM_TRIES - 1:
            time.sleep(_FIRST_WAIT_S * 2**wait)
    raise DataError(
        f"{hide_secrets(address)!r} cannot be read: {problem}. Is the address right, and may this machine read it?"
    )


def _write_in_ascii(address: str) -> str:
    """Return an address as HTTP sends it: other letters as their bytes in UTF-8, e.g. %C3%A4."""
    parts = urllib.parse.urlsplit(address)
    path, query = (urllib.parse.quote(part, safe="%/:=&?~#+!$,;'@()*[]|") for part in (parts.path, parts.query))
    return urllib.parse.urlunsplit(parts._replace(path=path, query=query))


def _read(response: http.client.HTTPResponse, max_bytes: int) -> tuple[bytes, str]:
    contents = response.read(max_bytes + 1)
    if len(contents) > max_bytes:
        return b"", f"more than {max_bytes:,} bytes: larger than any photo"
    # Python says nothing where the connection breaks off: the photo would be taken for a damaged one.
    if response.length:
        raise http.client.IncompleteRead(contents, response.length)
    return contents, ""


class _LimitedStream(io.RawIOBase):
    """What a server sends, until its time is over: a timeout alone bounds each piece, of which there may be endlessly many."""

    def __init__(self, stream: io.RawIOBase, where: str) -> None:
        super().__init__()
        self._stream, self._where, self._end = stream, where, time.monotonic() + _LONGEST_S

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read the next piece.

        Raises:
            DataError: its time is over.
        """
        if time.monotonic() > self._end:
            raise DataError(f"The server {self._where} has not come to the end of its answer within {_LONGEST_S} s.")
        return cast("int | None", self._stream.readinto(buffer))

    def close(self) -> None:
        """Close what it reads from."""
        self._stream.close()
        super().close()


class _LimitedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        host, port = sock.getpeername()[:2]
        self.fp = io.BufferedReader(_LimitedStream(self.fp.detach(), f"{host}:{port}"))


class _Connection(http.client.HTTPConnection):
    """A connection that asks nothing where a machine asks for its own credentials, by any name that leads there."""

    response_class = _LimitedResponse

    def connect(self) -> None:
        """Connect.

        Raises:
            DataError: the name leads there.
        """
        super().connect()
        if is_own_machine(str(self.sock.getpeername()[0])):
            self.close()
            raise DataError(
                f"The host {printable(self.host)!r} is where a machine asks for its own credentials: no photo lies there."
            )


class _SecureConnection(http.client.HTTPSConnection, _Connection):
    """The same by TLS: Python's connects by the class above before it encrypts."""

    response_class = _LimitedResponse


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to another address of the web that may be read, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request."""
        parts = check_address(newurl)
        if parts.scheme not in ("http", "https") or (req.type == "https" and parts.scheme != "https"):
            raise DataError(f"{hide_secrets(req.full_url)!r} leads to {hide_secrets(newurl)!r}: expected https.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _build_opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows HTTP alone: Python's own would also read files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Handler(),
        _SecureHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CheckedRedirects(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "handnet")]
    return opener


_OPENER = _build_opener()
