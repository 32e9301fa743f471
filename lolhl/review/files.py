"""Files of a root over HTTP, or the range of one that is asked for: a player seeks in videos that lie in a bucket.

Files are served where a manifest of their VOD names them, and nothing else.
"""

import mimetypes
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.responses import StreamingResponse as Stream

from lolhl import layout, manifest
from lolhl.manifest import Output
from lolhl.results import Clips, Highlights, Reel, Report, Result, Shorts, Vod
from lolhl.storage import Root

_PIECE = 1 << 20  # bytes of a file that are read at once


async def send_file(root: Root, request: Request) -> Response:
    """Answers with the file whose key is the path."""
    key = request.path_params["key"]
    output = await run_in_threadpool(_find, root, key)
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
    return Stream(_pieces(root, key, first, stop), status, headers)


def _find(root: Root, key: str) -> Output | None:
    """The file with this key, if a manifest of its VOD names it."""
    return next((output for output in _outputs(root, key) if output.key == key), None)


def _outputs(root: Root, key: str) -> Iterator[Output]:
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
        stored = manifest.intact(root, manifest_key, kind)
        yield from stored.outputs if stored else []


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
