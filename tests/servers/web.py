"""A web server of files, as a CDN is one: it knows ranges and tags, and its connections can break off."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """A running server; tests change what it has and how it behaves.

    Attributes:
        url: of its top.
        files: path, as "/a.mp4" → bytes.
        types: path → content type, where it is not that of a video.
        cut: how many more answers break off after three quarters of their body.
        status: what is answered to all, where it is not 0.
        knows_ranges, tells_tags, tells_sizes: what the server can do.
        redirect: where all is sent on to, if anywhere.
        requests: path and Range header of each request, as "/a.mp4 bytes=100-".
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    status: int = 0
    knows_ranges: bool = True
    tells_tags: bool = True
    tells_sizes: bool = True
    redirect: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def web() -> Iterator[Web]:
    """Runs the server."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.web = Web(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Handler.web
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        web, path, wanted = self.web, self.path.split("?")[0], self.headers["Range"]
        web.requests.append(f"{path} {wanted or ''}".strip())
        only_looks = len(web.requests) == 1  # the first request of a download asks what there is
        if web.redirect or web.status or path not in web.files:
            self.send_response(302 if web.redirect else web.status or 404)
            self.send_header("Location", web.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = web.files[path]
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if not web.knows_ranges or self.headers["If-Range"] not in (None, tag):
            span = None
        first = int(span[1]) if span else 0
        stop = min(int(span[2]) + 1, len(body)) if span and span[2] else len(body)
        is_part = first > 0 or stop < len(body)
        self.send_response(206 if is_part else 200)
        self.send_header("Content-Type", web.types.get(path, "video/mp4"))
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{len(body)}")
        if web.tells_tags:
            self.send_header("ETag", tag)
        if web.tells_sizes:
            self.send_header("Content-Length", str(stop - first))
        self.end_headers()
        body = body[first:stop]
        if web.cut and not only_looks:
            web.cut -= 1
            body = body[: len(body) * 3 // 4]
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)
