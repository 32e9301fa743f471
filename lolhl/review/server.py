"""The server of the review page: Starlette on loopback, behind `lolhl.review.gate`.

Long work is not done here: `lolhl.review.jobs` begins what `lolhl.review.wishes` reads.
"""

import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lolhl import layout, manifest, text
from lolhl.errors import Conflict, ExportError, LabelError, LolhlError, MissingInput, NotFound, UsageError
from lolhl.exports.formats import FORMATS
from lolhl.highlights.feeds import Feed
from lolhl.labels.spans import Span
from lolhl.labels.store import stored_labels
from lolhl.report.page import reviewed
from lolhl.results import Report, Shorts, Vod
from lolhl.review import index
from lolhl.review.corrections import (
    Corrections,
    load_corrections,
    looked_at,
    parse_corrections,
    save_as_labels,
    save_corrections,
    stands_for_all,
)
from lolhl.review.files import send_file
from lolhl.review.folders import folder
from lolhl.review.gate import Session, gates
from lolhl.review.jobs import Busy, Jobs
from lolhl.review.places import camera_key, load_place, parse_place, save_place
from lolhl.review.wishes import Desk, ReportOptions, described, load_report, parse_wish
from lolhl.storage import Root, check_name

_LARGEST = 8_000_000  # bytes of a request


@dataclass(frozen=True)
class Makers:
    """What stages make for the page, and nobody stores.

    Attributes:
        export: the bytes of a VOD's highlights in a format. Given are the root, the VOD, the name of the format, and
            whether the highlights are those that were corrected, and not the model's.
        feeds: what of a VOD is worth looking at first. Given are the root, the VOD, and what was looked at.
        report_options: the options by which a VOD's report was made.
    """

    export: Callable[[Root, str, str, bool], bytes]
    feeds: Callable[[Root, str, Sequence[Span]], list[Feed]]
    report_options: ReportOptions


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
        Route("/folder", _folder),
        Route("/jobs", _change(site.begin), methods=["POST"]),
        Route("/jobs/last", _values(site.job)),
        Route("/jobs/{number:int}", _change(site.cancel), methods=["DELETE"]),
        Route("/{key:path}", _file(root), methods=["GET", "HEAD"]),
    ]
    return Starlette(routes=routes, middleware=gates(session), exception_handlers={LolhlError: _refuse})


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
        stored = load_report(self.root, vod)
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
        report = load_report(self.root, vod).result
        saved = save_corrections(self.root, vod, parse_corrections(body), report.duration)
        return {"revision": saved.revision, "stretches": _stretches(saved, report)}

    def label(self, vod: str, body: bytes) -> dict[str, Any]:
        """Makes labels of the corrections of one VOD."""
        report = load_report(self.root, vod).result
        labels = save_as_labels(self.root, vod, parse_corrections(body), report.duration, _spans(report))
        seconds = None if labels.looked_at is None else sum(span.duration for span in labels.looked_at)
        return {"labels": len(labels.spans), "looked_at": seconds, "key": layout.labels(vod)}

    def set_camera(self, vod: str, body: bytes) -> dict[str, Any]:
        """Stores where the camera lies in the pictures of a VOD's channel."""
        load_report(self.root, vod)
        saved = save_place(self.root, camera_key(vod, self._channel(vod)), parse_place(body))
        return {"revision": saved.revision}

    def _camera(self, vod: str) -> dict[str, Any]:
        """Where the camera lies, and for which VODs that holds. Where it cannot be told the page says why."""
        try:
            channel = self._channel(vod)
            camera, _ = load_place(self.root, camera_key(vod, channel))
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
        job = parse_wish(body).begin(Desk(self.root, self.jobs, self.makers.report_options))
        return described(self.root, job)

    def cancel(self, number: int, _body: bytes) -> dict[str, Any]:
        """Interrupts a job."""
        return described(self.root, self.jobs.cancel(number))

    def job(self) -> dict[str, Any]:
        """The job that runs, or ran last."""
        job = self.jobs.last
        return {"job": described(self.root, job) if job else None}


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


async def _folder(request: Request) -> Response:
    """Answers with what a folder of this machine holds."""
    return JSONResponse(await run_in_threadpool(folder, request.query_params.get("path", "")))


def _file(root: Root) -> Callable[[Request], Any]:
    """Answers with a file of the root."""

    async def endpoint(request: Request) -> Response:
        return await send_file(root, request)

    return endpoint


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
