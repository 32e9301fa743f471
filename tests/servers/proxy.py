"""A proxy before a real HTTP server, which counts the requests and lets single ones go wrong."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

_BUSY = "<Error><Code>TooManyRequests</Code><Message>Reduce your request rate for the same object.</Message></Error>"


@dataclass
class Fault:
    """What goes wrong, at the next requests that fit.

    Attributes:
        kind: "busy": the proxy answers 429 itself. "lost": the server acts, but its answer is lost.
            "cut": half the answer's body comes. "half": half the request's body gets through.
        method: of the requests that it happens to.
        contains: part of their path and query.
        times: how often.
        call: called when it happens.
    """

    kind: Literal["busy", "lost", "cut", "half"]
    method: str
    contains: str = ""
    times: int = 1
    call: Callable[[], None] = lambda: None


@dataclass
class Proxy:
    """What tests see and steer.

    Attributes:
        endpoint: the server's URL, through the proxy.
        requests: method, path with query, and bytes of the body of each.
        headers: of each.
        faults: what shall go wrong; tests add to it.
    """

    endpoint: str
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    headers: list[Message] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.requests]


@contextmanager
def proxy(endpoint: str) -> Iterator[Proxy]:
    """A proxy to an http:// endpoint, on a free port."""
    target = urlsplit(endpoint)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            with lock:
                shown.requests.append((self.command, self.path, length))
                shown.headers.append(self.headers)
                fits = [f for f in shown.faults if f.method == self.command and f.contains in self.path and f.times]
                fault = fits[0] if fits else None
                if fault:
                    fault.times -= 1
            kind = fault.kind if fault else ""
            body = self.rfile.read(length // 2 if kind == "half" else length)
            assert target.hostname
            upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
            self.close_connection = kind != "busy" and bool(fault)
            try:
                if kind == "busy":
                    self.answer(429, [("Content-Length", str(len(_BUSY)))], _BUSY.encode())
                    return
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body)
                if kind == "half":
                    return
                answer = upstream.getresponse()
                data = answer.read()
                if kind == "lost":
                    return
                headers = [
                    (n, v) for n, v in answer.getheaders() if n.lower() not in ("transfer-encoding", "connection")
                ]
                if not any(n.lower() == "content-length" for n, _ in headers):
                    headers.append(("Content-Length", str(len(data))))
                self.answer(answer.status, headers, data[: len(data) // 2] if kind == "cut" else data)
            except (OSError, http.client.HTTPException):
                self.close_connection = True
            finally:
                if fault:
                    fault.call()
                upstream.close()

        def answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        shown = Proxy(f"http://127.0.0.1:{server.server_port}{target.path}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield shown
        server.shutdown()
