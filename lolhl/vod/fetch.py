"""Fetches a video file over http or https; a fetch that was cut off goes on where it was."""

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from lolhl.errors import UsageError, VideoError

_PAUSES = (0.5, 2.0, 5.0)  # seconds before another attempt, as long as none brings anything new
_SILENCE = 30.0  # seconds without a byte after which a connection counts as dropped
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Remote:
    """What a server says of a file.

    Attributes:
        url: without query and fragment, which may hold secrets.
        tag: its ETag, else its time of change: the server's word for these very bytes; "" if it has none.
        size: in bytes; None when the server does not say.
    """

    url: str
    tag: str
    size: int | None


def plain(url: str) -> str:
    """The URL without query and fragment, which may hold secrets.

    Raises:
        UsageError: this is no URL of http or https.
    """
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0
    except ValueError:
        named = None
    if not named or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        shown = re.sub("//[^/]*@", "//", url.split("?")[0])
        raise UsageError(f"{shown!r} is no address of a file: give http:// or https://, without a password")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def look(url: str) -> Remote:
    """Asks about the file without taking it.

    Raises:
        UsageError: this is no URL of http or https.
        VideoError: the server does not give the file; says why.
    """
    shown = plain(url)
    with _answer(url, {}) as response:
        tag, size = response.headers["ETag"] or "", response.headers["Content-Length"]
        if tag.startswith("W/") or not tag:  # a weak tag does not promise the same bytes
            tag = response.headers["Last-Modified"] or ""
        return Remote(shown, tag, int(size) if size else None)


def fetch(url: str, remote: Remote, target: Path, advance: Callable[[float], None] = lambda _: None) -> None:
    """Gets the file. While it is not whole it lies beside the target, as <target>.part.

    What an earlier run got is used, if it is of the same file and the server can send the rest;
    <target>.json says of which file it is.

    Args:
        remote: what `look` said of it.
        advance: called with the number of bytes that just came, or that were there.

    Raises:
        VideoError: the server does not give the file, or the connection dropped again and again.
    """
    part, note = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.json")
    said = json.dumps(asdict(remote))
    if not remote.tag or not note.exists() or note.read_text() != said:
        part.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    if target.exists():
        advance(target.stat().st_size)
        return
    note.write_text(said)
    part.touch()
    advance(part.stat().st_size)
    pauses = list(_PAUSES)
    while remote.size is None or part.stat().st_size != remote.size:
        have = part.stat().st_size if remote.tag else 0
        try:
            _get_rest(url, remote, part, have, advance)
            break
        except _Dropped:
            if part.stat().st_size > have:
                pauses = list(_PAUSES)
            elif not pauses:
                raise
            time.sleep(pauses.pop(0))
    part.replace(target)


class _Dropped(VideoError):
    """The connection failed: another attempt may help."""

    def __init__(self, url: str, why: object) -> None:
        super().__init__(f"{url}: the connection failed ({why or type(why).__name__}): run again, it goes on")


def _get_rest(url: str, remote: Remote, part: Path, have: int, advance: Callable[[float], None]) -> None:
    headers = {"Range": f"bytes={have}-", "If-Range": remote.tag} if have else {}
    with _answer(url, headers) as response, part.open("r+b") as file:
        if have and not re.match(rf"bytes {have}-", response.headers["Content-Range"] or ""):
            if remote.tag not in (response.headers["ETag"], response.headers["Last-Modified"]):
                raise VideoError(f"{remote.url} has changed on its server meanwhile: run again")
            advance(-have)  # the server cannot send a part
            have = 0
        file.truncate(have)
        file.seek(have)
        try:
            while block := response.read1(_BLOCK):
                file.write(block)
                have += len(block)
                advance(len(block))
        except (OSError, http.client.HTTPException) as error:
            raise _Dropped(remote.url, error) from error
    if remote.size is not None and have != remote.size:
        raise _Dropped(remote.url, f"{have} of {remote.size} bytes came")


def _answer(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Opens the URL; nothing but http and https is followed.

    Raises:
        VideoError: the server does not give it.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    shown = plain(url)
    # What is quoted already stays so.
    request = urllib.request.Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers)  # noqa: S310
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=_SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(shown, error.code) from error
    except urllib.error.URLError as error:
        raise _Dropped(shown, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(shown, error) from error
    if response.headers.get_content_type() == "text/html":
        response.close()
        raise VideoError(f"{shown} is a web page and no video file: give the address of the file itself")
    return response


def _refused(url: str, status: int) -> VideoError:
    if status in (404, 410):
        return VideoError(f"{url}: the server has no such file (it answers {status}): check the address")
    if status in (401, 403):
        return VideoError(f"{url}: the server does not let you have it (it answers {status}): check the address")
    if status == 429 or status >= 500:
        return _Dropped(url, f"the server answers {status}")
    return VideoError(f"{url}: the server answers {status}: check the address")
