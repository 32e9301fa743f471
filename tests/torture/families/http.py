"""A hostile web server, for `download URL` and as the endpoint of a bucket."""

import gzip
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.torture.families.videos import film
from tests.torture.sandbox import LIMIT, Sandbox

MOST = 40  # requests of one download: a server that never gives anything new is asked no more often
_MOST_ANSWERED = 3000  # then the server goes silent, so that an endless client shows by its time


@dataclass(frozen=True)
class Request:
    """What a client sent: the first line's words, and its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    number: int

    @property
    def first(self) -> int:
        """The byte from which the client wants the file."""
        wanted = self.headers.get("range", "bytes=0-")
        return int(wanted.removeprefix("bytes=").partition("-")[0] or 0)


Answer = Callable[[Request], Iterable[bytes]]


@dataclass
class Server:
    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """A server that sends what `answer` yields, and then closes the connection."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ValueError):
                line = self.rfile.readline(65_536).decode("latin-1").split()
                headers = {}
                while (head := self.rfile.readline(65_536).decode("latin-1").strip()) != "":
                    name, _, value = head.partition(":")
                    headers[name.lower()] = value.strip()
                if len(line) < 2:  # the client went away
                    return
                request = Request(line[0], line[1], headers, len(server.requests) + 1)
                server.requests.append(request)
                if "content-length" in headers and "expect" not in headers:
                    self.rfile.read(min(int(headers["content-length"]), 10_000_000))
                if request.number > _MOST_ANSWERED:
                    return
                for part in answer(request):
                    self.wfile.write(part)
                    self.wfile.flush()

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Threads(("127.0.0.1", 0), Handler) as tcp:
        server = Server(f"http://127.0.0.1:{tcp.server_address[1]}")
        threading.Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            tcp.shutdown()


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1", errors="replace")


# Answers to a download


def _sound(data: bytes) -> Answer:
    def answer(request: Request) -> Iterator[bytes]:
        first = request.first
        more = {"Content_Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        yield head("206 Partial Content" if first else "200 OK", Content_Type="video/mp4", ETag='"x"',
                   Content_Length=len(data) - first, **more)  # fmt: skip
        yield data[first:]

    return answer


def _plain(data: bytes, status: str = "200 OK", *, body: Any = None, **headers: Any) -> Answer:
    """The same for every request."""

    def answer(_: Request) -> Iterator[bytes]:
        yield head(status, **{"Content_Type": "video/mp4", **headers})
        yield data if body is None else body

    return answer


def _cut(data: bytes, **headers: Any) -> Answer:
    """Half of the file, always."""
    return _plain(data, body=data[: len(data) // 2], **headers)


def _many_headers(data: bytes) -> Answer:
    def answer(_: Request) -> Iterator[bytes]:
        many: dict[str, Any] = {f"X_{number}": 1 for number in range(300)}
        yield head(Content_Type="video/mp4", **many)
        yield data

    return answer


def _endless_chunk(data: bytes) -> Answer:
    def answer(_: Request) -> Iterator[bytes]:
        yield head(Content_Type="video/mp4", Transfer_Encoding="chunked")
        yield b"FFFFFFFFFFFF\r\n" + data

    return answer


def _odd_chunks(data: bytes, size: bytes) -> Answer:
    def answer(_: Request) -> Iterator[bytes]:
        yield head(Content_Type="video/mp4", Transfer_Encoding="chunked")
        yield size + b"\r\n" + data + b"\r\n0\r\n\r\n"

    return answer


def _one_byte(data: bytes) -> Answer:
    """One byte more at each request."""

    def answer(request: Request) -> Iterator[bytes]:
        first = request.first
        yield head("206 Partial Content", Content_Type="video/mp4", ETag='"x"', Content_Length=len(data) - first,
                   Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}")  # fmt: skip
        yield data[first : first + 1]

    return answer


def _changing(data: bytes) -> Answer:
    """Another tag each time, and half of the file."""

    def answer(request: Request) -> Iterator[bytes]:
        yield head(Content_Type="video/mp4", ETag=f'"{request.number}"', Content_Length=len(data))
        yield data[: len(data) // 2]

    return answer


def _wrong_range(data: bytes) -> Answer:
    """Bytes from elsewhere than asked for."""

    def answer(request: Request) -> Iterator[bytes]:
        first = request.first
        more = {"Content_Range": f"bytes 0-{len(data) - 1}/{len(data)}"} if first else {}
        yield head("206 Partial Content" if first else "200 OK", Content_Type="video/mp4", ETag='"x"',
                   Content_Length=len(data), **more)  # fmt: skip
        yield data[: len(data) // 2]

    return answer


def _dripping(data: bytes) -> Answer:
    """A byte each tenth of a second, for some seconds."""

    def answer(_: Request) -> Iterator[bytes]:
        yield head(Content_Type="video/mp4", Content_Length=len(data))
        for at in range(20):
            yield data[at : at + 1]
            time.sleep(0.1)

    return answer


def _redirect(to: str, status: str = "302 Found") -> Answer:
    return _plain(b"", status, Location=to, Content_Length=0)


def _nothing(_: Request) -> Iterator[bytes]:
    yield b""


def _raw(data: bytes) -> Answer:
    return lambda _: [data]


def answers(data: bytes) -> dict[str, Answer]:
    """What goes wrong → how the server answers, for a video of these bytes."""
    size = len(data)
    return {
        "cut-without-tag": _cut(data, Content_Length=size),
        "cut-with-weak-tag": _cut(data, Content_Length=size, ETag='W/"x"'),
        "cut-with-tag": _cut(data, Content_Length=size, ETag='"x"', Accept_Ranges="none"),
        "cut-with-date": _cut(data, Content_Length=size, Last_Modified="Mon, 23 Nov 2026 00:00:00 GMT"),
        "length-negative": _plain(data, Content_Length=-1),
        "length-negative-tag": _plain(data, Content_Length=-5, ETag='"x"'),
        "length-huge": _plain(data, Content_Length=2**63),
        "length-endless": _plain(data, Content_Length="9" * 5000),
        "length-text": _plain(data, Content_Length="abc"),
        "length-twice": _plain(data, Content_Length=f"{size}, {size}"),
        "length-unicode": _plain(data, Content_Length="²"),
        "length-empty": _plain(data, Content_Length=""),
        "length-fraction": _plain(data, Content_Length=f"{size}.0"),
        "chunk-endless": _endless_chunk(data),
        "chunk-negative": _odd_chunks(data, b"-5"),
        "chunk-text": _odd_chunks(data, b"zz"),
        "chunk-long-line": _odd_chunks(data, b"5;" + b"x" * 100_000),
        "one-byte-each": _one_byte(data),
        "changing-tag": _changing(data),
        "wrong-range": _wrong_range(data),
        "dripping": _dripping(data),
        "no-answer": _nothing,
        "no-http": _raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "no-status": _raw(b"HTTP/1.1 abc\r\n\r\n"),
        "long-headers": _plain(data, X="y" * 70_000),
        "many-headers": _many_headers(data),
        "control-header": _plain(data, ETag='"\x1b[31m"', Content_Length=size),
        "location-broken": _redirect("http://[::1"),
        "location-port": _redirect("http://127.0.0.1:99999/x"),
        "location-file": _redirect("file:///etc/passwd"),
        "location-ftp": _redirect("ftp://127.0.0.1:9/x"),
        "location-empty": _redirect(""),
        "location-none": _plain(b"", "302 Found", Content_Length=0),
        "location-dots": _redirect("http://a..b/x"),
        "location-unicode": _redirect("http://127.0.0.1:9/\xe9\xff"),
        "location-control": _redirect("http://127.0.0.1:9/\x1b[31m"),
        "location-loop": _redirect("/film.mp4"),
        "location-password": _redirect("http://me:word@127.0.0.1:9/x"),
        "page": _plain(b"<html>no</html>", Content_Type="text/html"),
        "page-as-video": _plain(b"<html>no</html>" * 1000),
        "status-500": _plain(b"", "500 Internal Server Error", Content_Length=0),
        "status-429": _plain(b"", "429 Too Many Requests", Retry_After="999999", Content_Length=0),
        "status-503-text": _plain(b"no", "503 \x1b[31mno", Content_Length=2),
        "status-204": _plain(b"", "204 No Content"),
        "status-206": _plain(data[5:], "206 Partial Content", Content_Range=f"bytes 5-{size - 1}/{size}"),
        "status-416": _plain(b"", "416 Range Not Satisfiable", Content_Length=0),
        "status-999": _plain(b"", "999 x", Content_Length=0),
        "status-100": _plain(b"", "100 Continue"),
        "gzip-bomb": _plain(b"", body=gzip.compress(bytes(20_000_000)), Content_Encoding="gzip"),
        "empty": _plain(b"", Content_Length=0),
        "list": _plain(b"#EXTM3U\n#EXTINF:2,\nfile:planted.mp4\n#EXT-X-ENDLIST\n"),
    }


def download(what: str) -> Callable[[Sandbox], None]:
    """A download from a server that behaves so: a video or one line, after a bounded number of requests."""

    def case(sandbox: Sandbox) -> None:
        film(sandbox, "film.mp4", seconds=2)
        data = (sandbox.work / "film.mp4").read_bytes()
        with serving(answers(data)[what]) as server:
            done = sandbox.run("download", f"{server.url}/film.mp4?key={sandbox.secret}", "--name", "v")
            count = len(server.requests)
        sandbox.expect(count <= MOST, f"{what}: {count} requests of one download")
        _stored_or_nothing(sandbox, done.code == 0, data)
        with serving(_sound(data)) as server:
            sandbox.succeed("download", f"{server.url}/film.mp4", "--name", "v", "--force")
        _stored_or_nothing(sandbox, True, data)

    return case


def _stored_or_nothing(sandbox: Sandbox, stored: bool, data: bytes) -> None:
    """Whether what lies in the root is the file, whole; or nothing where the download failed."""
    manifests, videos = [*sandbox.root.rglob("vod.json")], [*sandbox.root.glob("vods/*/video*")]
    sandbox.expect(
        bool(manifests) == stored, f"download {'succeeded' if stored else 'failed'}, and {len(manifests)} VODs"
    )
    if stored:
        sandbox.expect(videos and videos[0].read_bytes() == data, "what is stored is not what the server has")


def host(*names: str) -> Callable[[Sandbox], None]:
    """Addresses that are none."""
    direct = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"))

    def case(sandbox: Sandbox) -> None:
        for name in names:
            for environ in (direct, {}):
                sandbox.refuse("download", f"http://{name}/film.mp4", environ=environ, limit=LIMIT)

    return case


# Endpoints of buckets

_XML: dict[str, Any] = {"Content_Type": "application/xml"}


def _xml(code: str) -> bytes:
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>\x1b[31mno</Message><Key>x</Key></Error>'
    ).encode()


def _skewed(_: Request) -> Iterator[bytes]:
    body = _xml("RequestTimeTooSkewed")
    yield head("403 Forbidden", Content_Length=len(body), Date="Mon, 01 Jan 2035 00:00:00 GMT", **_XML)
    yield body


def _loop(request: Request) -> Iterator[bytes]:
    yield head("307 Temporary Redirect", Location=request.path, Content_Length=0)


S3: dict[str, Answer] = {
    "html": _plain(b"<html><body>console</body></html>", Content_Type="text/html", Content_Length=33),
    "loop-307": _loop,
    "loop-301": _plain(b"", "301 Moved Permanently", Location="/", Content_Length=0),
    "length-huge": _plain(b"{}", Content_Length=2**62, ETag='"x"'),
    "length-negative": _plain(b"{}", Content_Length=-1, ETag='"x"'),
    "length-text": _plain(b"{}", Content_Length="abc", ETag='"x"'),
    "no-tag": _plain(b"{}", Content_Length=2),
    "status-500": _plain(b"", "500 Internal Server Error", Content_Length=0),
    "status-503": _plain(_xml("SlowDown"), "503 Slow Down", Content_Length=len(_xml("SlowDown")), **_XML),
    "skew": _skewed,
    "wrong-xml": _plain(b"<a><b></a>", Content_Length=10, ETag='"x"', **_XML),
    "empty-xml": _plain(b"<ListBucketResult/>", Content_Length=19, ETag='"x"', **_XML),
    "bad-list": _plain(b"", body=b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>../../x</Key>"
                       b"<Size>-1</Size></Contents></ListBucketResult>", ETag='"x"', **_XML),
    "forbidden-html": _plain(b"<html>no", "403 Forbidden", Content_Type="text/html", Content_Length=8),
    "no-http": _raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "no-answer": _nothing,
    "deep-json": _plain(b"[" * 100_000, Content_Length=100_000, ETag='"x"'),
    "dates": _plain(b"{}", Content_Length=2, ETag='"x"', Last_Modified="yesterday"),
    "region": _plain(_xml("AuthorizationHeaderMalformed"), "400 Bad Request",
                     Content_Length=len(_xml("AuthorizationHeaderMalformed")), **_XML),
}  # fmt: skip
S3_CALLS: Sequence[tuple[str, ...]] = (
    ("extract", "a"), ("labels", "a.tsv"), ("download", "a.mp4"), ("infer", "m", "a"), ("report", "a"), ("retrain",),
    ("dataset", "d", "a"), ("rollback",), ("train", "n", "--dataset", "d"),
)  # fmt: skip


def bucket(what: str, calls: Sequence[tuple[str, ...]] = S3_CALLS[:3]) -> Callable[[Sandbox], None]:
    """A root at an endpoint that behaves so: one line."""

    def case(sandbox: Sandbox) -> None:
        sandbox.take_inputs("a.mp4", "a.tsv")
        with serving(S3[what]) as server:
            for words in calls:
                before = len(server.requests)
                done = sandbox.refuse(*words, "--root", "s3://bkt/data", limit=LIMIT,
                                      environ={"LOLHL_S3_ENDPOINT_URL": server.url})  # fmt: skip
                count = len(server.requests) - before
                sandbox.expect(count <= 3 * MOST, f"{done.call}: {count} requests")
                if what == "skew":
                    sandbox.expect("clock" in done.error or "time" in done.error, f"clock skew is called {done.error}")
                if what == "length-huge":
                    sandbox.expect("memory" not in done.error, f"a length that is not true: {done.error}")
                if what == "status-500":
                    sandbox.expect("500 500" not in done.error, f"{done.call}: {done.error}")

    return case


DOWNLOADS = (
    "cut-without-tag", "length-negative", "length-huge", "chunk-endless", "length-text", "location-broken",
)  # fmt: skip
NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    **{what: download(what) for what in DOWNLOADS},
    "hosts": host("a..b", f"{'a' * 64}.example", "." * 70, "x" * 300, "\u00e9" * 70, "127.0.0.1:0", "127.0.0.1:99999"),
    **{f"s3-{what}": bucket(what) for what in ("html", "loop-307", "length-huge", "status-500", "skew", "bad-list")},
}


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    match rng.choices(("download", "bucket", "host"), (5, 4, 1))[0]:
        case "download":
            download(rng.choice([*answers(b"")]))(sandbox)
        case "bucket":
            bucket(rng.choice([*S3]), [rng.choice(S3_CALLS)])(sandbox)
        case _:
            labels = ("a", "..", "xn--", "é", "%", "[", "]", "@", "a" * 64, "\u3002", ":", "-", "_", " ", "127.0.0.1")
            name = "".join(rng.choice(labels) for _ in range(rng.randrange(1, 5)))
            host(name)(sandbox)
