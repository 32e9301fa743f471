"""A server that speaks Riot's account-v1 and Match-V5, as far as they are used, with Riot's limits of rate."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.matches.made import puuid

KEY = "RGAPI-0f0f0f0f-1234-4321-abcd-000000000000"
_LIMITS = ((20, 1.0), (100, 120.0))  # requests, and the seconds in which there may be so many


@dataclass
class Fault:
    """An answer instead of the right one; `times` is how often it is still given."""

    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"status": {"message": "no", "status_code": 0}}'


@dataclass
class Riot:
    """A running server; tests change what it has and how it behaves.

    Attributes:
        url: of its top, with {region} for the region.
        key: that it accepts.
        accounts: NAME#TAG of all accounts.
        matches: region → id → (match, timeline); a timeline may be missing.
        heeds_start: whether only matches are listed that began after the time asked for.
        faults: part of a path → what is answered instead.
        requests: region and path of each request.
        limited: how many requests came too fast.
    """

    url: str
    key: str = KEY
    accounts: list[str] = field(default_factory=lambda: ["Me#EUW"])
    matches: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = field(default_factory=dict)
    heeds_start: bool = True
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    limited: int = 0
    times: deque[float] = field(default_factory=deque)

    def add(self, match: dict[str, Any], timeline: dict[str, Any] | None, region: str = "europe") -> None:
        self.matches.setdefault(region, {})[match["metadata"]["matchId"]] = (match, timeline)

    def asked(self, part: str) -> list[str]:
        """The requests whose path has this part."""
        return [request for request in self.requests if part in request]


@contextmanager
def riot() -> Iterator[Riot]:
    """Runs the server."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.riot = Riot(f"http://127.0.0.1:{server.server_port}/{{region}}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Handler.riot
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    riot: Riot

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        _, region, *path = parts.path.split("/")
        self.riot.requests.append(f"{region}/{'/'.join(path)}")
        if self.headers["X-Riot-Token"] != self.riot.key:
            self._answer(403, {"status": {"message": "Forbidden", "status_code": 403}})
            return
        if self._is_too_fast():
            self.riot.limited += 1
            self._answer(429, {}, {"Retry-After": "1"})
            return
        for part, fault in self.riot.faults.items():
            if part in self.path and fault.times > 0:
                fault.times -= 1
                self._send(fault.status, fault.body, fault.headers)
                return
        answer = self._resource(region, [unquote(part) for part in path], parse_qs(parts.query))
        if answer is None:
            self._answer(404, {"status": {"message": "Data not found", "status_code": 404}})
        else:
            self._answer(200, answer)

    def _resource(self, region: str, path: list[str], query: dict[str, list[str]]) -> Any:
        match path:
            case ["riot", "account", "v1", "accounts", "by-riot-id", name, tag]:
                for account in self.riot.accounts:
                    if account.lower() == f"{name}#{tag}".lower() and region != "sea":
                        return {"puuid": puuid(name), "gameName": name, "tagLine": tag}
                return None
            case ["lol", "match", "v5", "matches", "by-puuid", player, "ids"]:
                first, last, count = (int(query[key][0]) for key in ("startTime", "endTime", "count"))
                assert 0 < count <= 100
                played = [
                    (match["info"]["gameStartTimestamp"], match_id)
                    for match_id, (match, _) in self.riot.matches.get(region, {}).items()
                    if player in match["metadata"]["participants"]
                    and (first if self.riot.heeds_start else 0) <= match["info"]["gameStartTimestamp"] / 1000 <= last
                ]
                return [match_id for _, match_id in sorted(played, reverse=True)][:count]
            case ["lol", "match", "v5", "matches", match_id, *rest]:
                match, timeline = self.riot.matches.get(region, {}).get(match_id, (None, None))
                return timeline if rest == ["timeline"] else match
            case _:
                raise ValueError(path)

    def _is_too_fast(self) -> bool:
        now, times = time.monotonic(), self.riot.times
        times.append(now)
        return any(sum(now - at < seconds for at in times) > most for most, seconds in _LIMITS)

    def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), headers or {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
