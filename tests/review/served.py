"""The review page's server in a thread of this process, and requests that say exactly what a client sends."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from lolhl.review.gate import Session
from lolhl.review.jobs import Jobs
from lolhl.review.server import application
from lolhl.stages.review import MAKERS
from lolhl.storage import Root


@dataclass(frozen=True)
class Answer:
    """What the server sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Served:
    """A server that listens, and its session."""

    session: Session

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.session.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Sends one request. A header's name has `_` for `-`. `cookie` and `host` are sent as they are given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.session.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()

    @property
    def cookie(self) -> str:
        return f"{self.session.cookie}={self.session.secret}"

    def known(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """As a browser asks that has opened the printed address."""
        return self.ask(method, path, body, cookie=self.cookie, **headers)

    def put(self, path: str, value: Any) -> Answer:
        """As the page saves."""
        return self.known("PUT", path, json.dumps(value).encode(), x_lolhl_review="1")


@contextmanager
def serving(root: Root, port: int = 0) -> Iterator[Served]:
    with socket.socket() as listener, Jobs(root) as jobs:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()  # so that requests wait until the thread has begun
        session = Session(listener.getsockname()[1])
        config = uvicorn.Config(
            application(root, session, jobs, MAKERS), log_config=None, access_log=False, lifespan="off"
        )
        config.timeout_graceful_shutdown = 3
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(session)
        finally:
            server.should_exit = True
            thread.join(30)
