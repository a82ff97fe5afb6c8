"""A service behind a real socket of this machine."""

import socket
import threading
import time

import uvicorn

from handnet.serving.api.app import build_app
from handnet.serving.api.service import Service


class Site:
    """A server in a thread; `stop` stops it and the service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(uvicorn.Config(build_app(service), log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
