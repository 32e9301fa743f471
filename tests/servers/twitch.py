"""A server that speaks Twitch's protocol, as far as twitch-dl uses it: GraphQL, playlists, segments.

The real twitch-dl runs against it, through a proxy that ends TLS for Twitch's hosts.
"""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.servers.tls_proxy import tls_proxy

API, USHER, CDN = "gql.twitch.tv", "usher.ttvnw.net", "cdn.twitch.test"
TOKEN = "the-token-of-a-subscriber"
_PAGE = 3  # comments on a page of chat


@dataclass(frozen=True)
class Clip:
    """A clip that a viewer made.

    Attributes:
        offset: the second of the VOD where it begins; None where Twitch does not know it.
        of_vod: whether Twitch knows which VOD it is of.
    """

    slug: str
    offset: float | None
    title: str | None = "A clip"
    seconds: float = 30
    views: int = 1
    of_vod: bool = True


@dataclass(frozen=True)
class Vod:
    """A VOD that the server has.

    Attributes:
        folder: holds one folder per rendition, named by Twitch's name of it, see `rendition`.
        qualities: Twitch's name of a rendition → the name that people see.
        resolutions: Twitch's name of a rendition → its size, or "" where Twitch is not to say; else 320x240.
        state: "unknown": Twitch knows no such id. "deleted": there is a page but no list of renditions.
            "expired": the list is there, the renditions are not. "subscribers": wants TOKEN.
        muted: numbers of the segments whose sound Twitch took away.
        chapters: start and stop in seconds, name.
        comments: second, user, text.
        clips: of viewers.
    """

    folder: Path
    seconds: int
    id: str = "123456789"
    title: str = "LCK Finals: T1 vs GEN"
    qualities: dict[str, str] = field(default_factory=lambda: {"chunked": "240p30"})
    resolutions: dict[str, str] = field(default_factory=dict)
    state: Literal["there", "unknown", "deleted", "expired", "subscribers"] = "there"
    live: bool = False
    muted: frozenset[int] = frozenset()
    chapters: tuple[tuple[float, float, str], ...] = ()
    comments: tuple[tuple[int, str | None, str], ...] = ()
    clips: tuple[Clip, ...] = ()


@dataclass
class Faults:
    """What goes wrong; tests change it as they like.

    Attributes:
        cut: part of a path → how many more times its answer breaks off in the middle.
        status: part of a path → the status that it is answered with.
        delay: seconds before each segment.
        rate: bytes a second that all segments share, or 0 for no limit.
        held: part of a path → what its answer waits for; after a minute it is an error.
        body: part of a path → what is answered in place of the truth.
        knows_ranges: whether a part of a segment can be had.
    """

    cut: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    delay: float = 0.0
    rate: float = 0.0
    held: dict[str, threading.Event] = field(default_factory=dict)
    body: dict[str, bytes] = field(default_factory=dict)
    knows_ranges: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _busy_until: float = 0.0

    def carry(self, size: int) -> None:
        """Waits until a line of this rate has carried so many bytes, after all that it was given before."""
        if not self.rate:
            return
        with self._lock:
            self._busy_until = max(self._busy_until, time.monotonic()) + size / self.rate
            until = self._busy_until
        time.sleep(max(0.0, until - time.monotonic()))


@dataclass(frozen=True)
class Twitch:
    """`environ` makes twitch-dl use this server.

    `requests` lists "host/path" of what was asked, and `sent` how many bytes of segments each answer had at most.
    """

    environ: dict[str, str]
    requests: list[str]
    faults: Faults
    sent: list[int]

    def segments(self) -> list[str]:
        """The segments that were asked for, in order, with their rendition: "chunked/3.ts"."""
        return [r.split("/", 2)[2] for r in self.requests if r.startswith(CDN) and not r.endswith(".m3u8")]


def rendition(video: Path, folder: Path, *, seconds: float = 4, first_stamp: float = 60, fmp4: bool = False) -> Path:
    """Cuts a video into segments like Twitch's: "0.ts", "1.ts" … and index-dvr.m3u8.

    Args:
        seconds: length of a segment; key frames must lie there.
        first_stamp: the first timestamp, about: Twitch's do not begin with 0 either.
        fmp4: .mp4 segments with their header apart, as Twitch has them for the newer codecs.
    """
    folder.mkdir(parents=True)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(video), "-c", "copy", "-f", "hls"]
    command += ["-output_ts_offset", str(first_stamp), "-hls_time", str(seconds), "-hls_playlist_type", "vod"]
    if fmp4:
        command += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init-0.mp4"]
    command += ["-hls_segment_filename", str(folder / f"%d.{'mp4' if fmp4 else 'ts'}"), str(folder / "index-dvr.m3u8")]
    subprocess.run(command, check=True)
    return folder


@contextmanager
def twitch(folder: Path, *vods: Vod) -> Iterator[Twitch]:
    """Runs the server with these VODs.

    Args:
        folder: for the proxy's certificate.
    """
    by_id = {vod.id: vod for vod in vods}
    requests: list[str] = []
    sent: list[int] = []
    faults = Faults()

    class Handler(_Handler):
        pass

    Handler.vods, Handler.requests, Handler.faults, Handler.sent = by_id, requests, faults, sent
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            with tls_proxy(folder, dict.fromkeys((API, USHER, CDN), server.server_port)) as proxy:
                yield Twitch(proxy.environ, requests, faults, sent)
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vods: dict[str, Vod]
    requests: list[str]
    faults: Faults
    sent: list[int]

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked.get("operationName") or re.findall(r"\w+", asked["query"])[0]
        if name == "user":  # the clips of a channel
            name = "clips/" + re.findall(r"period: (\w+)", asked["query"])[0]
        if not self._noted(f"/{name}"):
            return
        number = re.search(r'\(\s*id: "(\d+)"', asked.get("query", ""))
        vod = self.vods.get(number[1] if number else asked.get("variables", {}).get("videoID", ""))
        if vod and vod.state == "unknown":
            vod = None
        match name:
            case "video":
                data: dict[str, Any] = {"video": _video(vod) if vod else None}
            case "videoPlaybackAccessToken":
                is_subscriber = self.headers["Authorization"] == f"OAuth {TOKEN}"
                data = {name: {"value": "{}", "signature": "subscriber" if is_subscriber else "anybody"}}
            case "VideoPlayer_ChapterSelectButtonVideo":
                data = {"video": {"moments": {"edges": [{"node": _moment(c)} for c in vod.chapters]}} if vod else None}
            case "VideoCommentsByOffsetOrCursor":
                data = {
                    "video": {"comments": _comments(vod, int(asked["variables"].get("cursor", 0)))} if vod else None
                }
            case "VideoComments":
                data = {"video": _video(vod) if vod else None, "badges": []}
            case _ if name.startswith("clips/"):
                data = {"user": _user_clips(self.vods.values(), asked["query"])}
            case _:
                raise ValueError(name)
        self._answer(json.dumps({"data": data}).encode())

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._noted(parts.path):
            return
        _, place, *rest = parts.path.split("/")
        vod = self.vods[rest[0] if place == "vod" else place.split("_")[0]]
        if place == "vod":
            signature = parse_qs(parts.query)["nauthsig"][0]
            if vod.state == "subscribers" and signature != "subscriber":
                self._answer(b'[{"error_code":"vod_manifest_restricted"}]', 403)
            elif vod.state == "deleted":
                self._answer(b"[]", 404)
            else:
                self._answer(_renditions(vod).encode())
            return
        group, name = rest
        file = vod.folder / group / name.replace("-muted", "")
        if vod.state == "expired" or not file.is_file():
            self._answer(b"<Error><Code>AccessDenied</Code></Error>", 403)
        elif name.endswith(".m3u8"):
            muted = re.compile(r"^(\d+)\.ts$", re.MULTILINE)
            text = muted.sub(lambda m: f"{m[1]}-muted.ts" if int(m[1]) in vod.muted else m[0], file.read_text())
            self._answer(text.encode())
        else:
            time.sleep(self.faults.delay)
            self.faults.carry(file.stat().st_size)
            came = all(event.wait(60) for part, event in self.faults.held.items() if part in self.path)
            if came:
                self._send_segment(file.read_bytes())
            else:
                self._answer(b"", 504)

    def _noted(self, path: str) -> bool:
        """Notes the request. False when it was answered with a fault's status."""
        self.requests.append(f"{self.headers['Host']}{path}")
        for part, status in self.faults.status.items():
            if part in path:
                self._answer(b"{}", status)
                return False
        for part, body in self.faults.body.items():
            if part in path:
                self._answer(body)
                return False
        return True

    def _send_segment(self, data: bytes) -> None:
        """Answers with a segment, or the part of it that was asked for."""
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        if not span or not self.faults.knows_ranges:
            self.sent.append(len(data))
            self._answer(data)
            return
        first, stop = int(span[1]), min(int(span[2]) + 1, len(data))
        self.sent.append(stop - first)
        self._answer(data[first:stop], 206, f"bytes {first}-{stop - 1}/{len(data)}")

    def _answer(self, body: bytes, status: int = 200, content_range: str = "") -> None:
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for part, times in self.faults.cut.items():
            if part in self.path and times > 0:
                self.faults.cut[part] = times - 1
                body, self.close_connection = body[: len(body) // 2], True
        with suppress(ConnectionError):  # who asks may have had enough
            self.wfile.write(body)


def _video(vod: Vod) -> dict[str, Any]:
    when = "2024-09-08T08:00:00Z"
    user = {"id": "1", "login": "lck", "displayName": "LCK"}
    return {
        "id": vod.id,
        "title": vod.title,
        "description": None,
        "createdAt": when,
        "recordedAt": when,
        "publishedAt": when,
        "updatedAt": when,
        "broadcastType": "ARCHIVE",
        "lengthSeconds": vod.seconds,
        "status": "RECORDING" if vod.live else "RECORDED",
        "viewCount": 42,
        "seekPreviewsURL": f"https://{CDN}/{vod.id}_lck/storyboards/{vod.id}-info.json",
        "game": {"id": "21779", "name": "League of Legends"},
        "owner": user,
        "creator": user,
    }


def _moment(chapter: tuple[float, float, str]) -> dict[str, Any]:
    start, stop, name = chapter
    return {
        "id": name,
        "durationMilliseconds": round((stop - start) * 1000),
        "positionMilliseconds": round(start * 1000),
        "type": "GAME_CHANGE",
        "description": name,
        "details": {"game": {"id": "21779", "name": name}},
        "moments": {"edges": []},
    }


def _comments(vod: Vod, begin: int) -> dict[str, Any]:
    edges = [
        {
            "cursor": str(number + 1),
            "node": {
                "id": str(number),
                "commenter": {"id": "7", "login": user.lower(), "displayName": user} if user else None,
                "contentOffsetSeconds": second,
                "createdAt": "2024-09-08T08:00:00Z",
                "message": {"fragments": [{"text": part, "emote": None} for part in re.split(r"(?= )", text)]},
            },
        }
        for number, (second, user, text) in enumerate(vod.comments)
    ]
    return {
        "edges": edges[begin : begin + _PAGE],
        "pageInfo": {"hasNextPage": begin + _PAGE < len(edges)},
    }


def _user_clips(vods: Iterable[Vod], query: str) -> dict[str, Any] | None:
    """What Twitch says of the clips of its only channel, the most viewed first."""
    asked = re.search(r'user\(login: "(\w+)"\).*first: (\d+), after: "(\d*)"', query, re.DOTALL)
    assert asked
    if asked[1] != "lck":
        return None
    clips = [(clip, vod) for vod in vods for clip in vod.clips]
    clips.sort(key=lambda pair: -pair[0].views)
    begin = int(asked[3] or 0)
    stop = begin + min(int(asked[2]), 100)
    wanted = set(re.findall(r"\w+", query))
    edges = []
    for number, (clip, vod) in enumerate(clips):
        node = {
            "slug": clip.slug,
            "title": clip.title,
            "viewCount": clip.views,
            "durationSeconds": clip.seconds,
            "videoOffsetSeconds": clip.offset,
            "video": {"id": vod.id} if clip.of_vod else None,
        }
        edges.append({"cursor": str(number + 1), "node": {key: node[key] for key in node.keys() & wanted}})
    return {"clips": {"edges": edges[begin:stop], "pageInfo": {"hasNextPage": stop < len(edges)}}}


def _renditions(vod: Vod) -> str:
    lines = ["#EXTM3U"]
    for group, name in [*vod.qualities.items(), ("audio_only", "Audio Only")]:
        shape = vod.resolutions.get(group, "320x240")
        shape = f"RESOLUTION={shape}," if shape else ""
        lines += [
            f'#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="{group}",NAME="{name}",AUTOSELECT=YES,DEFAULT=YES',
            f'#EXT-X-STREAM-INF:BANDWIDTH=600000,CODECS="avc1.64001F,mp4a.40.2",{shape}VIDEO="{group}"',
            f"https://{CDN}/{vod.id}_lck/{group}/index-dvr.m3u8",
        ]
    return "\n".join(lines) + "\n"
