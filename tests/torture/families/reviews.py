"""Requests of strangers, and of the page itself, to the server of `lolhl review`.

It answers each, gives out nothing but what manifests name, keeps what was saved, and ends by Ctrl-C as it should.
"""

import http.client
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.torture.call import Running
from tests.torture.families.values import HOSTILE, TEXTS, damage_bytes, mutate
from tests.torture.sandbox import AT_ONCE, Sandbox, difference

_STARTS_WITHIN = 30.0  # seconds
_PLANTED = b"planted beside the manifests"
_WRITTEN = ("reviews/", "labels/", "cameras/")
GOOD = {"revision": 0, "spans": [{"start": 7.0, "stop": 13.5, "verdict": "accepted", "was": [7.0, 13.0]}]}
_CLIMBS = (
    "/planted.txt",
    "/../planted.txt",
    "/%2e%2e/planted.txt",
    "/highlights/a/../../../planted.txt",
    "/highlights/a/planted.html",
    "/highlights%2fa%2fplanted.html",
    "//etc/passwd",
    "/vods/../planted.txt",
    "/vods/a/%2e%2e/%2e%2e/planted.txt",
    "/vods/a\\..\\..\\planted.txt",
    "/vods/a/%00",
    "/labels/a.tsv",
    "/models/m/model.json",
    "/mlflow/mlflow.db",
)


@dataclass
class Server:
    """A server that runs, and what is sent to it.

    Attributes:
        cookie: of the session. Empty for a stranger.
        revision: of what was saved last.
    """

    sandbox: Sandbox
    port: int
    cookie: str = ""
    revision: int = 0

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, bytes]:
        """Status and content of an answer; (0, b"") where the server ends the connection without one."""
        named = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie, "X-Lolhl-Review": "1", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=AT_ONCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in named.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, b""
        except TimeoutError:
            self.sandbox.problems.append(f"{method} {path[:200]!r} is not answered")
            return 0, b""
        finally:
            connection.close()
        where = f"{method} {path[:200]!r}"
        self.sandbox.expect(_PLANTED not in content, f"{where} gives out what no manifest names")
        self.sandbox.expect(self.sandbox.secret.encode() not in content, f"{where} gives out a secret")
        self.sandbox.expect(status != 500, f"{where} → 500: {content[:200]!r}")
        return status, content

    def save(self, body: bytes) -> int:
        """Saves corrections; keeps what has to be there afterwards."""
        status, content = self.ask("PUT", "/reviews/a", body)
        if status == 200:
            self.revision = json.loads(content)["revision"]
        return status

    def raw(self, data: bytes) -> None:
        """Sends bytes that are no request, and does not mind what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), AT_ONCE) as connection:
            connection.settimeout(1)
            try:
                connection.sendall(data)
                connection.recv(1000)
            except OSError:
                pass


@contextmanager
def serving(sandbox: Sandbox) -> Iterator[Server]:
    """A server over the finished root, with the session's cookie; afterwards it has to end by Ctrl-C."""
    sandbox.take()
    (sandbox.root / "planted.txt").write_bytes(_PLANTED)
    (sandbox.root / "highlights/a/planted.html").write_bytes(_PLANTED)
    (sandbox.folder / "planted.txt").write_bytes(_PLANTED)
    before = {key: value for key, value in sandbox.contents().items() if not key.startswith(_WRITTEN)}
    running = sandbox.start("review", "--no-browser")
    address = _address(running)
    if address is None:
        running.signal(signal.SIGKILL)
        sandbox.wait(running, check=False)
        sandbox.problems.append("the server does not start")
        return
    server = Server(sandbox, int(address[1]))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=AT_ONCE)
    connection.request("GET", address[2])
    cookie = connection.getresponse().headers.get("Set-Cookie", "")
    connection.close()
    server.cookie = cookie.partition(";")[0]
    try:
        yield server
        status, _ = server.ask("GET", "/highlights/a/report.html")
        sandbox.expect(status == 200, f"the server does not give the page afterwards: {status}")
    finally:
        running.signal(signal.SIGINT)
        done = sandbox.wait(running, limit=AT_ONCE)
    sandbox.expect(done.code == 0, f"{done.call}: Ctrl-C ends it with {done.code}: {done.error}")
    after = {key: value for key, value in sandbox.contents().items() if not key.startswith(_WRITTEN)}
    sandbox.expect(after == before, f"requests have changed the root: {difference(before, after)}")
    _check_saved(sandbox, server)


def _address(running: Running) -> re.Match[str] | None:
    log = Path(f"{running.call.log}.err")
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline:
        if match := re.search(r"open http://127\.0\.0\.1:(\d+)(/open/\S+)", log.read_text(errors="replace")):
            return match
        time.sleep(0.05)
    return None


def _check_saved(sandbox: Sandbox, server: Server) -> None:
    path = sandbox.root / "reviews/a.json"
    stored = json.loads(path.read_bytes())["revision"] if path.exists() else 0
    sandbox.expect(stored == server.revision, f"revision {server.revision} was saved, and {stored} is stored")


def strangers(sandbox: Sandbox) -> None:
    """Without the cookie, or for another host, nothing is given out and nothing is saved."""
    with serving(sandbox) as server:
        cookie, body = server.cookie, json.dumps(GOOD).encode()
        for path in ("/", "/highlights/a/report.html", "/vods/a/vod.json", "/vods/a/video.mp4"):
            for headers in ({"Cookie": ""}, {"Cookie": "x"}, {"Host": "evil.example"}):
                status, _ = server.ask("GET", path, headers=headers)
                sandbox.expect(status in (400, 401), f"GET {path} with {headers}: {status}")
        for headers in ({"Cookie": ""}, {"Host": "evil.example"}, {"X-Lolhl-Review": "0"}):
            status, _ = server.ask("PUT", "/reviews/a", body, headers)
            sandbox.expect(status in (400, 401, 403), f"PUT with {headers}: {status}")
        sandbox.expect(server.cookie == cookie, "the cookie has changed")


def climbing(sandbox: Sandbox) -> None:
    """Paths that lead out of the root, or to what no manifest names."""
    with serving(sandbox) as server:
        for path in _CLIMBS:
            status, _ = server.ask("GET", path)
            sandbox.expect(status in (0, 400, 404, 405), f"GET {path}: {status}")


def endless(sandbox: Sandbox) -> None:
    """A body without an end, and one that never comes."""
    with serving(sandbox) as server:
        status, _ = server.ask("PUT", "/reviews/a", b"[" * 9_000_000)
        sandbox.expect(status in (0, 413), f"a body of 9 MB: {status}")
        server.raw(f"PUT /reviews/a HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 99\r\n\r\n".encode())
        server.raw(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000)


NAMED: Mapping[str, Callable[[Sandbox], None]] = {"strangers": strangers, "climbing": climbing, "endless": endless}


# Others


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    with serving(sandbox) as server:
        for _ in range(rng.randrange(10, 40)):
            match rng.randrange(7):
                case 0:
                    path = rng.choice(("/", "/vods/", "/highlights/", "/open/", "/reviews/", "/vods/a/", "/%"))
                    text = rng.choice(TEXTS).encode(errors="surrogateescape")
                    quoted = "".join(chr(b) if 32 < b < 127 and rng.random() < 0.9 else f"%{b:02x}" for b in text)
                    server.ask(rng.choice(("GET", "HEAD", "POST", "DELETE", "OPTIONS")), path + quoted)
                case 1:
                    unit = rng.choice(("bytes=", "bytes ", "", "seconds="))
                    first, last = (rng.choice(("", "0", "5", "-1", "9" * 30, "x", "٣".encode().decode("latin-1")))
                                   for _ in range(2))  # fmt: skip
                    video = json.loads((sandbox.root / "vods/a/vod.json").read_bytes())["result"]["video"]
                    status, _ = server.ask("GET", f"/{video}", headers={"Range": f"{unit}{first}-{last}"})
                    sandbox.expect(status in (200, 206, 416), f"Range: {unit}{first}-{last} → {status}")
                case 2:
                    good = {**GOOD, "revision": server.revision}
                    status = server.save(json.dumps(good).encode())
                    sandbox.expect(status == 200, f"good corrections are not saved: {status}")
                case 3:
                    good = {**GOOD, "revision": server.revision}
                    server.save(mutate(rng, json.dumps(good).encode()))
                case 4:
                    spans = json.dumps([[rng.choice(HOSTILE), 5], [7, 9]]).encode()
                    server.ask("PUT", "/labels/a", rng.choice((spans, damage_bytes(rng, b"[[1, 2], [3.5, 7]]"))))
                case 5:
                    camera = json.dumps({"revision": 0, "rectangle": [0.1, 0.2, rng.choice(HOSTILE), 0.3]}).encode()
                    server.ask("PUT", "/cameras/a", rng.choice((camera, mutate(rng, b'{"revision": 0}'))))
                case _:
                    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}\r\n\r\n"
                    server.raw(damage_bytes(rng, request.encode()))
