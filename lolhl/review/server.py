"""The server of the review page: Starlette on loopback. Only the browser that was given its address can use it.

The address holds a token. The first request that brings it gets a cookie in exchange, and the token is worth nothing
from then on. Requests for another host name are refused, which is what stops a site that points its own name to this
machine (DNS rebinding). Requests that change something must bring a header that no other site can send. Files are
served where a manifest of the root names them, and nothing else.

Long work is not done here: `lolhl.review.jobs` begins it.
"""

import hmac
import mimetypes
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lolhl import layout, manifest, text
from lolhl.errors import Conflict, ExportError, LabelError, LolhlError, MissingInput, NotFound, UsageError
from lolhl.exports.formats import FORMATS
from lolhl.highlights.feeds import Feed
from lolhl.labels.spans import Span
from lolhl.labels.store import stored_labels
from lolhl.manifest import Output
from lolhl.report.page import reviewed
from lolhl.results import Clips, Highlights, Reel, Report, Result, Retraining, Shorts, Vod
from lolhl.review import index
from lolhl.review.cameras import camera_key, load_camera, parse_camera, save_camera
from lolhl.review.corrections import (
    Corrections,
    load_corrections,
    looked_at,
    parse_corrections,
    save_as_labels,
    save_corrections,
    stands_for_all,
)
from lolhl.review.jobs import Busy, Job, Jobs
from lolhl.storage import Root, check_name

HOSTS = ["127.0.0.1", "localhost"]
_WRITES = "x-lolhl-review"  # a header that a page of another origin cannot send without being allowed to
_LARGEST = 8_000_000  # bytes of a request
_PIECE = 1 << 20  # bytes of a file that are read at once
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STRANGER = (
    "This page needs the address that `lolhl review` printed, once in each browser. Start it again for a new one.\n"
)


@dataclass
class Session:
    """Who may use the server.

    Attributes:
        port: that it listens on. Cookies know no ports, so the port is in the cookie's name.
        token: of the printed address. None once it was used.
        secret: the value of the cookie.
    """

    port: int
    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self.port}/open/{self.token}"

    @property
    def cookie(self) -> str:
        return f"lolhl-{self.port}"

    def exchange(self, token: str) -> bool:
        """Whether this is the token. It is used up then."""
        if self.token is None or not hmac.compare_digest(token.encode(), self.token.encode()):
            return False
        self.token = None
        return True

    def knows(self, cookie: str) -> bool:
        return hmac.compare_digest(cookie.encode(), self.secret.encode())


@dataclass(frozen=True)
class Makers:
    """What stages make for the page, and nobody stores.

    Attributes:
        export: the bytes of a VOD's highlights in a format. Given are the root, the VOD, the name of the format, and
            whether the highlights are those that were corrected, and not the model's.
        feeds: what of a VOD is worth looking at first. Given are the root, the VOD, and what was looked at.
        report_options: the options by which a VOD's report was made, without those of shorts that the page asks for.
            Given are the root and the VOD.
    """

    export: Callable[[Root, str, str, bool], bytes]
    feeds: Callable[[Root, str, Sequence[Span]], list[Feed]]
    report_options: Callable[[Root, str], list[str]]


def application(root: Root, session: Session, jobs: Jobs, makers: Makers) -> Starlette:
    """The server's application.

    Args:
        root: whose VODs are reviewed.
        session: who may use it.
        jobs: of the same root.
        makers: of the stages.
    """
    site = _Site(root, jobs, makers)
    routes = [
        Route("/", _page(site.index)),
        Route("/highlights/{vod}/report.html", _page(site.report)),
        Route("/reviews/{vod}", _change(site.save), methods=["PUT"]),
        Route("/labels/{vod}", _change(site.label), methods=["PUT"]),
        Route("/cameras/{vod}", _change(site.set_camera), methods=["PUT"]),
        Route("/exports/{vod}/{form}", _download(site.exported), methods=["GET"]),
        Route("/exports/{vod}/{form}/as-found", _download(site.exported_as_found), methods=["GET"]),
        Route("/waiting", _values(site.waiting)),
        Route("/jobs", _change(site.begin), methods=["POST"]),
        Route("/jobs/last", _values(site.job)),
        Route("/jobs/{number:int}", _change(site.cancel), methods=["DELETE"]),
        Route("/{key:path}", _file(site), methods=["GET", "HEAD"]),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(_Gate, session=session)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={LolhlError: _refuse})


class _Gate:
    """Lets in who brings the cookie, or the token in exchange for it."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        self.app, self.session = app, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        response = self._answer(request)

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await (response or self.app)(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """What is answered in place of the application."""
        if self.session.knows(request.cookies.get(self.session.cookie, "")):
            writes = request.method not in ("GET", "HEAD")
            if writes and request.headers.get(_WRITES) != "1":
                return PlainTextResponse(f"A change needs the header {_WRITES}.\n", 403)
            return None
        place, _, token = request.url.path.rpartition("/")
        if place == "/open" and self.session.exchange(token):
            response = RedirectResponse("/", 303)
            response.set_cookie(self.session.cookie, self.session.secret, httponly=True, samesite="strict", path="/")
            return response
        return PlainTextResponse(_STRANGER, 401)


class _Retrain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="retrain"):
    """The wish to learn from all labels."""

    def begin(self, site: "_Site") -> Job:
        return site.jobs.start("retrain")


class _Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="run"):
    """The wish for the highlights of a stream.

    Attributes:
        stream: as `lolhl run` takes it.
        model: its name; empty where `lolhl run` is to choose.
        chat: whether the chat is fetched too.
        twitch_clips: whether Twitch is asked for the clips of viewers too.
    """

    stream: Annotated[str, Meta(max_length=4096)]
    model: Annotated[str, Meta(max_length=200)] = ""
    chat: bool = False
    twitch_clips: bool = False

    def begin(self, site: "_Site") -> Job:
        stream = self.stream.strip()
        if not stream or text.printable(stream + self.model) != stream + self.model:
            raise UsageError("name a stream: a Twitch VOD, the address of a video, or the path of a video file")
        if stream.startswith("~"):  # which a shell would have replaced
            stream = os.path.expanduser(stream)  # noqa: PTH111  # of an unknown user it stays as it is
        options = [*([f"--model={self.model}"] if self.model else []), *(["--chat"] if self.chat else [])]
        options += ["--twitch-clips"] if self.twitch_clips else []
        return site.jobs.start("run", [*options, "--", stream], text.redacted(stream))


class _MakeShorts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="shorts"):
    """The wish for vertical videos of a VOD's highlights. All else of its report stays as it was asked for.

    Attributes:
        vod: its name.
        top: of how many of the best highlights; None for all.
        title: the text over each, as `lolhl report --shorts-title` takes it; empty for none.
    """

    vod: Annotated[str, Meta(max_length=200)]
    top: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    title: Annotated[str, Meta(max_length=200)] = ""

    def begin(self, site: "_Site") -> Job:
        title = self.title.strip()
        if text.printable(title) != title:
            raise UsageError("the title of shorts holds characters that cannot be drawn: write it anew")
        report = site.find_report(self.vod).result
        options = [*site.makers.report_options(site.root, self.vod), "--shorts"]
        options += [f"--shorts-top={self.top}"] if self.top else []
        options += [f"--shorts-title={title}"] if title else []
        return site.jobs.start("report", [*options, "--", self.vod], report.title or self.vod)


class _MakeReel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="reel"):
    """The wish for one video of a VOD's highlights as they were corrected.

    Attributes:
        vod: its name.
        minutes: how long it may be; None for all highlights.
        rank: whether it begins with the best, and does not go by time.
    """

    vod: Annotated[str, Meta(max_length=200)]
    minutes: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    rank: bool = False

    def begin(self, site: "_Site") -> Job:
        report = site.find_report(self.vod).result
        options = [f"--minutes={self.minutes:g}"] if self.minutes else []
        options += ["--order=rank"] if self.rank else []
        return site.jobs.start("reel", [*options, "--", self.vod], report.title or self.vod)


class _Ran(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl run` prints."""

    vod: str


class _Retrained(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl retrain` prints."""

    nothing_new: bool = False


class _ReportedHighlight(msgspec.Struct, frozen=True):
    """The rank of a highlight, and the key of its short if there is one."""

    rank: int
    short: str | None = None


class _Reported(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl report` prints."""

    vod: str
    highlights: list[_ReportedHighlight]


class _Reeled(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl reel` prints."""

    vod: str
    reel: str
    spans: list[tuple[float, float]]


# Made once, before there are threads: see `lolhl.manifest`.
_WANTED = msgspec.json.Decoder(_Retrain | _Run | _MakeShorts | _MakeReel)


@dataclass(frozen=True)
class _Site:
    """What there is to see and to change."""

    root: Root
    jobs: Jobs
    makers: Makers

    def index(self) -> str:
        """What can be begun, and the list of the root's VODs."""
        return index.render(self.root)

    def report(self, vod: str) -> str:
        """The page of one VOD. Raises MissingInput where it has none."""
        stored = self.find_report(vod)
        html_bytes = stored.read(self.root, stored.result.page, f"lolhl report {vod} --force")
        corrections, _ = load_corrections(self.root, vod)
        review = {
            **msgspec.to_builtins(corrections),
            "corrections_url": f"/reviews/{quote(vod)}",
            "labels_url": f"/labels/{quote(vod)}",
            "labelled_whole": self._is_labelled_whole(vod),
            "stretches": _stretches(corrections, stored.result),
            "feeds": self._feeds(vod, corrections),
            "camera": self._camera(vod),
            "exports": [
                {"name": name, "help": form.help, "file": f"{vod}-{form.file}", "url": f"/exports/{quote(vod)}/{name}"}
                for name, form in FORMATS.items()
            ],
        }
        return reviewed(html_bytes.decode(), review)

    def _is_labelled_whole(self, vod: str) -> bool:
        """Whether a person has labelled all of the VOD; not where its labels are damaged."""
        try:
            labels = stored_labels(self.root, vod)
        except LabelError:
            return False
        return labels is not None and stands_for_all(labels)

    def _feeds(self, vod: str, corrections: Corrections) -> dict[str, Any]:
        """What is worth looking at first. Where that cannot be told the page is shown without it, and says why."""
        looked_at = [Span(span.start, span.stop) for span in corrections.spans]
        looked_at += [Span(*span.was) for span in corrections.spans if span.was]
        looked_at += [Span(start, stop) for start, stop in corrections.looked_at]
        try:
            feeds = self.makers.feeds(self.root, vod, looked_at)
        except LolhlError as error:
            return {"lists": [], "problem": text.one_line(str(error))}
        lists = [
            {
                "name": feed.name,
                "purpose": feed.purpose,
                "moments": [
                    {"start": moment.span.start, "stop": moment.span.stop, "peak": moment.peak, "rank": moment.rank}
                    for moment in feed.moments
                ],
            }
            for feed in feeds
        ]
        return {"lists": lists, "problem": None}

    def save(self, vod: str, body: bytes) -> dict[str, Any]:
        """Stores the corrections of one VOD."""
        report = self.find_report(vod).result
        saved = save_corrections(self.root, vod, parse_corrections(body), report.duration)
        return {"revision": saved.revision, "stretches": _stretches(saved, report)}

    def label(self, vod: str, body: bytes) -> dict[str, Any]:
        """Makes labels of the corrections of one VOD."""
        report = self.find_report(vod).result
        labels = save_as_labels(self.root, vod, parse_corrections(body), report.duration, _spans(report))
        seconds = None if labels.looked_at is None else sum(span.duration for span in labels.looked_at)
        return {"labels": len(labels.spans), "looked_at": seconds, "key": layout.labels(vod)}

    def set_camera(self, vod: str, body: bytes) -> dict[str, Any]:
        """Stores where the camera lies in the pictures of a VOD's channel."""
        self.find_report(vod)
        saved = save_camera(self.root, camera_key(vod, self._channel(vod)), parse_camera(body))
        return {"revision": saved.revision}

    def _camera(self, vod: str) -> dict[str, Any]:
        """Where the camera lies, and for which VODs that holds. Where it cannot be told the page says why."""
        try:
            channel = self._channel(vod)
            camera, _ = load_camera(self.root, camera_key(vod, channel))
        except LolhlError as error:
            return {"problem": text.one_line(str(error))}
        return {**msgspec.to_builtins(camera), "channel": channel, "url": f"/cameras/{quote(vod)}", "problem": None}

    def _channel(self, vod: str) -> str | None:
        """Whose camera the VOD's shorts show; None for one of its own."""
        shorts = manifest.intact(self.root, layout.shorts(vod), Shorts)
        return shorts.result.channel if shorts else manifest.load(self.root, layout.vod(vod), Vod).result.channel

    def exported(self, vod: str, form: str) -> tuple[str, bytes]:
        """The name and the bytes of the file with the highlights of one VOD in this format, as they were corrected."""
        return self._exported(vod, form, corrected=True)

    def exported_as_found(self, vod: str, form: str) -> tuple[str, bytes]:
        """The same, with the highlights as the model has found them."""
        return self._exported(vod, form, corrected=False)

    def _exported(self, vod: str, form: str, *, corrected: bool) -> tuple[str, bytes]:
        if form not in FORMATS:
            raise NotFound(f"there is no format {form!r}: there are {', '.join(FORMATS)}")
        return f"{check_name(vod, 'VOD')}-{FORMATS[form].file}", self.makers.export(self.root, vod, form, corrected)

    def waiting(self) -> dict[str, Any]:
        """The streams with corrections that their labels do not say."""
        return {"waiting": index.waiting(index.streams(self.root))}

    def begin(self, body: bytes) -> dict[str, Any]:
        """Begins a job."""
        try:
            wanted = _WANTED.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UsageError(f"this is no job: {str(error)[:200]}") from error
        return self._described(wanted.begin(self))

    def cancel(self, number: int, _body: bytes) -> dict[str, Any]:
        """Interrupts a job."""
        return self._described(self.jobs.cancel(number))

    def job(self) -> dict[str, Any]:
        """The job that runs, or ran last."""
        job = self.jobs.last
        return {"job": self._described(job) if job else None}

    def _described(self, job: Job) -> dict[str, Any]:
        """A job as the page shows it."""
        values = {**asdict(job), "result": None, "table": None, "page": None, "shorts": None, "reel": None}
        if job.state != "done" or not job.result:
            return values
        if job.verb == "run":
            values["page"] = index.page_address(msgspec.convert(job.result, _Ran).vod)
        if job.verb == "report":
            reported = msgspec.convert(job.result, _Reported)
            values["page"] = index.page_address(reported.vod)
            values["shorts"] = [
                {"rank": highlight.rank, "href": f"/{quote(highlight.short)}"}
                for highlight in reported.highlights
                if highlight.short
            ]
        if job.verb == "reel":
            reeled = msgspec.convert(job.result, _Reeled)
            values["page"] = index.page_address(reeled.vod)
            values["reel"] = {"href": f"/{quote(reeled.reel)}", "highlights": len(reeled.spans)}
        if job.verb == "retrain":
            from lolhl.report.retraining import side_by_side  # with scikit-learn, which takes a second

            stored = manifest.load(self.root, layout.RETRAINING, Retraining)
            nothing_new = msgspec.convert(job.result, _Retrained).nothing_new
            values["table"] = asdict(side_by_side(replace(stored.result, nothing_new=nothing_new)))
        return values

    def find(self, key: str) -> Output | None:
        """The file with this key, if a manifest of its VOD names it."""
        return next((output for output in self._outputs(key) if output.key == key), None)

    def _outputs(self, key: str) -> Iterator[Output]:
        place, _, rest = key.partition("/")
        vod = rest.partition("/")[0]
        manifests: dict[str, type[Result]] = {layout.vod(vod): Vod} if place == "vods" else {}
        if place == "highlights":
            manifests = {
                layout.highlights(vod): Highlights,
                layout.clips(vod): Clips,
                layout.shorts(vod): Shorts,
                layout.report(vod): Report,
                layout.reel(vod): Reel,
            }
        for manifest_key, kind in manifests.items():
            stored = manifest.intact(self.root, manifest_key, kind)
            yield from stored.outputs if stored else []

    def find_report(self, vod: str) -> manifest.Manifest[Report]:
        """The manifest of a VOD's page. Raises MissingInput where it has none."""
        return manifest.load(self.root, layout.report(vod), Report)


def _page(make: Callable[..., str]) -> Callable[[Request], Any]:
    """Answers with the HTML that a function makes of the path's parameters."""

    async def endpoint(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(make, **request.path_params))

    return endpoint


def _download(make: Callable[..., tuple[str, bytes]]) -> Callable[[Request], Any]:
    """Answers with a file to be stored: the name and the bytes that a function makes of the path's parameters."""

    async def endpoint(request: Request) -> Response:
        name, data = await run_in_threadpool(make, **request.path_params)
        kind, _ = mimetypes.guess_type(name)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, headers=headers, media_type=kind or "application/octet-stream")

    return endpoint


def _values(make: Callable[..., dict[str, Any]]) -> Callable[[Request], Any]:
    """Answers with the JSON values that a function makes of the path's parameters."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(make, **request.path_params))

    return endpoint


def _spans(report: Report) -> list[Span]:
    """The highlights of a VOD, as they were found."""
    return [Span(highlight.start, highlight.stop) for highlight in report.highlights]


def _stretches(corrections: Corrections, report: Report) -> list[tuple[float, float]]:
    """Start and stop of what the editor has looked at, in order of time."""
    return [(span.start, span.stop) for span in looked_at(corrections, report.duration, _spans(report))]


def _change(change: Callable[..., dict[str, Any]]) -> Callable[[Request], Any]:
    """Answers with the JSON values that a function returns of the path's parameters and the body, which is bounded."""

    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST:
                return PlainTextResponse(f"A request has at most {_LARGEST} bytes.\n", 413)
        return JSONResponse(await run_in_threadpool(change, *request.path_params.values(), bytes(body)))

    return endpoint


def _file(site: _Site) -> Callable[[Request], Any]:
    """Answers with a file, or the range of it that is asked for: a player seeks in videos that lie in a bucket."""

    async def endpoint(request: Request) -> Response:
        key = request.path_params["key"]
        output = await run_in_threadpool(site.find, key)
        if output is None:
            return PlainTextResponse("There is no such file.\n", 404)
        kind, _ = mimetypes.guess_type(key)
        headers = {"Accept-Ranges": "bytes", "Content-Type": kind or "application/octet-stream"}
        window = parse_range(request.headers.get("range", ""), output.size)
        if window is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{output.size}"})
        first, stop = window
        headers["Content-Length"] = str(stop - first)
        if window != (0, output.size):
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{output.size}"
        status = 200 if window == (0, output.size) else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return Stream(_pieces(site.root, key, first, stop), status, headers)

    return endpoint


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and end of what a Range header asks for (RFC 9110, 14.2). None where the file has none of it.

    The whole file is given for several ranges at once, as for a header that is none: a server may do that.
    """
    unit, _, ranges = header.partition("=")
    first, dash, last = ranges.strip().partition("-")
    digits = [text for text in (first, last) if text]
    if unit.strip() != "bytes" or not dash or not digits or not all(t.isascii() and t.isdigit() for t in digits):
        return 0, size
    if any(len(text) > 18 for text in digits):
        return None
    if not first:  # the last bytes
        return (max(0, size - int(last)), size) if int(last) and size else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def _pieces(root: Root, key: str, first: int, stop: int) -> Iterator[bytes]:
    while first < stop:
        piece = root.read_range(key, first, min(_PIECE, stop - first))
        if not piece:
            return  # the file became shorter: the connection ends early, which the browser notices
        yield piece
        first += len(piece)


async def _refuse(_request: Request, error: Exception) -> Response:
    """One line of what is wrong."""
    statuses: dict[type, int] = {
        Busy: 409,
        Conflict: 409,
        ExportError: 422,
        MissingInput: 404,
        NotFound: 404,
        UsageError: 400,
    }
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 500)
    return PlainTextResponse(f"{error}\n", status)
