"""Servers of this machine for the tests of what reads photos elsewhere: a web server, and one that speaks S3."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Web:
    """A web server, its files and its answers.

    Attributes:
        files: path → contents.
        answers: path → codes that come before the file, one for each request.
        redirects: path → address.
        cut: paths at which the connection breaks off one byte before the end.
        endless: paths of which a byte comes at a time, for ever.
        asked: the paths that were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, list[int]] = {}
        self.redirects: dict[str, str] = {}
        self.cut: set[str] = set()
        self.endless: set[str] = set()
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                waiting = web.answers.get(self.path)
                if waiting:
                    self.send_error(waiting.pop(0))
                elif self.path in web.redirects:
                    self.send_response(302)
                    self.send_header("Location", web.redirects[self.path])
                    self.end_headers()
                elif self.path in web.endless:
                    self.send_response(200)
                    self.end_headers()
                    # Until the client leaves.
                    with contextlib.suppress(OSError):
                        while True:
                            self.wfile.write(b"1")
                            time.sleep(0.01)
                elif self.path in web.cut:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(web.files[self.path])))
                    self.end_headers()
                    self.wfile.write(web.files[self.path][:-1])
                elif self.path in web.files:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(web.files[self.path])
                else:
                    self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serve_web() -> Iterator[Web]:
    """Run a web server that is empty."""
    server = Web()
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def serve_s3(bucket: str) -> Iterator[str]:
    """Run moto's server with one empty bucket, and point the environment to it; give its address."""
    from moto.server import ThreadedMotoServer

    # It writes a line for each request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            environment.setenv("AWS_ACCESS_KEY_ID", "a-key-of-the-tests")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests")
            environment.setenv("AWS_REGION", "eu-central-1")
            import pyarrow.fs

            files = pyarrow.fs.S3FileSystem(
                endpoint_override=f"{host}:{port}",
                scheme="http",
                allow_bucket_creation=True,
                force_virtual_addressing=False,
            )
            files.create_dir(bucket)
            yield f"s3://{bucket}"
    finally:
        server.stop()
