"""Files on a web server, read whole with a bound on their size."""

import http.client
import time
import urllib.error
import urllib.request
from typing import IO

from handnet.data.remote.addresses import check_address, hide_secrets
from handnet.errors import DataError

TIMEOUT_S = 30
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
        DataError: an address that is not allowed, a server that refuses or does not answer.
    """
    check_address(address)
    for wait in range(_NUM_TRIES):
        try:
            with _OPENER.open(address, timeout=TIMEOUT_S) as response:
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


def _read(response: "http.client.HTTPResponse | IO[bytes]", max_bytes: int) -> tuple[bytes, str]:
    contents = response.read(max_bytes + 1)
    if len(contents) > max_bytes:
        return b"", f"more than {max_bytes:,} bytes: larger than any photo"
    return contents, ""


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
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _CheckedRedirects(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "handnet")]
    return opener


_OPENER = _build_opener()
