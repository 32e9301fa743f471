"""Fetches a video file, or a part of it, over http or https; a fetch that was cut off goes on where it was.

A server may do what it likes, but not for ever: there is a limit to the attempts, to the time in which little
comes, to the addresses that it sends on to, and to the room on the disk that it fills.
"""

import http.client
import json
import re
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from lolhl import text
from lolhl.errors import UsageError, VideoError

_PAUSES = (0.5, 2.0, 5.0)  # seconds before another attempt, as long as none brings much that is new
_MUCH = 1 << 18  # bytes
_ATTEMPTS = 200  # of one run
_FRESH_STARTS = 5  # attempts that had to begin at the first byte again
_SILENCE = 30.0  # seconds without a byte after which a connection counts as dropped
_SLOW = (60.0, 10_000)  # seconds in which fewer bytes than these come, where somebody only keeps us waiting
_REDIRECTS = 10
_SPARE = 1_000_000_000  # bytes that are left free on the disk, or 5 % of it where that is less
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
        named = parts.hostname and parts.port != 0 and re.fullmatch(r"[^\x00-\x20\x7f]+", parts.hostname)
        (parts.hostname or "").encode("idna")  # refuses empty labels, and those of more than 63 characters
    except ValueError:
        named = None
    if not named or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        redacted = text.bare_url(text.redacted(url))
        raise UsageError(f"{redacted[:200]!r} is no address of a file: give http:// or https://, without a password")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def look(url: str) -> Remote:
    """Asks about the file without taking it.

    Raises:
        UsageError: this is no URL of http or https.
        VideoError: the server does not give the file; says why.
    """
    given_url = plain(url)
    with _answer(url, {}) as (response, _):
        tag, size = response.headers["ETag"] or "", response.headers["Content-Length"] or ""
        if tag.startswith("W/") or not tag:  # a weak tag does not promise the same bytes
            tag = response.headers["Last-Modified"] or ""
        if not (tag.isascii() and tag.isprintable()):  # it could not be sent back
            tag = ""
        return Remote(given_url, tag, int(size) if re.fullmatch(r"\d{1,18}", size, re.ASCII) else None)


def fetch(url: str, remote: Remote, target: Path, advance: Callable[[float], None] = lambda _: None) -> None:
    """Gets the file. While it is not whole it lies beside the target, as <target>.part.

    What an earlier run got is used, if it is of the same file and the server can send the rest;
    <target>.json says of which file it is.

    Args:
        remote: what `look` said of it.
        advance: called with the number of bytes that just came, or that were there.

    Raises:
        VideoError: the server does not give the file, the connection dropped again and again, or the disk
            has no room for it.
    """
    part, note = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.json")
    noted = json.dumps(asdict(remote)).encode()
    is_same = remote.tag and note.exists() and note.read_bytes() == noted
    if not is_same or (part.exists() and remote.size is not None and part.stat().st_size > remote.size):
        part.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    if target.exists():
        advance(target.stat().st_size)
        return
    note.write_bytes(noted)
    part.touch()
    advance(part.stat().st_size)
    if remote.size is not None:
        _check_room(remote, part, remote.size - part.stat().st_size)
    _get(url, remote, part, advance)
    part.replace(target)


@dataclass(frozen=True)
class Part:
    """Bytes of a file.

    Attributes:
        first: the place of the first of them in the file.
        is_last: whether the file ends with them.
    """

    first: int
    data: bytes
    is_last: bool


def fetch_part(url: str, first: int, stop: int) -> Part:
    """Gets the bytes [first, stop) of a file; fewer where it ends before.

    Of a server that sends no parts the file is read from its beginning to there.

    Raises:
        UsageError: this is no URL of http or https.
        VideoError: the server does not give them, or the connection dropped again and again.
    """
    for pause in _PAUSES:
        try:
            return _get_part(url, first, stop)
        except _Dropped:
            time.sleep(pause)
    return _get_part(url, first, stop)


def _get_part(url: str, first: int, stop: int) -> Part:
    given_url = plain(url)
    with _answer(url, {"Range": f"bytes={first}-{stop - 1}"}) as (response, connection):
        span = re.match(rf"bytes {first}-(\d{{1,18}})/(\d{{1,18}})", response.headers["Content-Range"] or "")
        if response.status == 206 and not span:
            raise VideoError(f"{given_url}: the server sends another part than it was asked for: try again later")
        if not span:
            first = 0
        data = bytearray()
        blocks = _blocks(response, connection, given_url)
        while len(data) < stop - first and (block := next(blocks, b"")):
            data += block
        is_over = len(data) < stop - first  # else the rest may come, and is not read
        if is_over and response.length:
            raise _Dropped(given_url, f"{response.length} bytes are missing")
        del data[stop - first :]
        return Part(first, bytes(data), is_over or (span is not None and int(span[1]) + 1 == int(span[2])))


class _Dropped(VideoError):
    """The connection failed: another attempt may help."""

    def __init__(self, url: str, why: object) -> None:
        super().__init__(f"{url}: the connection failed ({why or type(why).__name__}): run again, it goes on")


def _get(url: str, remote: Remote, part: Path, advance: Callable[[float], None]) -> None:
    """Attempts until the part is whole."""
    pauses, fresh_starts = list(_PAUSES), 0
    most = part.stat().st_size  # that any attempt had in the end
    for attempt in range(1, _ATTEMPTS + 1):
        have = part.stat().st_size if remote.tag else 0
        if have and have == remote.size:
            return
        try:
            _get_rest(url, remote, part, have, advance)
            return
        except _Dropped as error:
            # Of a server that never gives all, an attempt that brings nothing new may not count as progress.
            has_much = part.stat().st_size >= most + _MUCH
            most = max(most, part.stat().st_size)
            fresh_starts += not have
            if has_much:
                pauses = list(_PAUSES)
            if fresh_starts > _FRESH_STARTS:
                raise VideoError(
                    f"{remote.url}: the connection failed each of {fresh_starts} times, and the server can only begin "
                    "anew: try another time, or get the file by other means and give its path"
                ) from error
            if not pauses or attempt == _ATTEMPTS:
                raise
        time.sleep(pauses.pop(0) if not has_much else pauses[0])


def _get_rest(url: str, remote: Remote, part: Path, have: int, advance: Callable[[float], None]) -> None:
    headers = {"Range": f"bytes={have}-", "If-Range": remote.tag} if have else {}
    with _answer(url, headers) as (response, connection), part.open("r+b") as file:
        if response.status == 206 and not re.match(rf"bytes {have}-", response.headers["Content-Range"] or ""):
            raise VideoError(
                f"{remote.url}: the server sends another part than it was asked for: get it by other means"
            )
        if have and response.status != 206:
            if remote.tag not in (response.headers["ETag"], response.headers["Last-Modified"]):
                raise VideoError(f"{remote.url} has changed on its server meanwhile: run again")
            advance(-have)  # the server cannot send a part
            have = 0
        file.truncate(have)
        file.seek(have)
        for block in _blocks(response, connection, remote.url):
            _check_room(remote, part, len(block))
            file.write(block)
            have += len(block)
            advance(len(block))
            if remote.size is not None and have > remote.size:
                break
    if remote.size is not None and have != remote.size:
        raise _Dropped(remote.url, f"{have} of {remote.size} bytes came")


def _blocks(response: http.client.HTTPResponse, connection: "_WatchedConnection", url: str) -> Iterator[bytes]:
    """Yields the bytes of an answer as they come. Raises _Dropped where the connection fails."""
    while True:
        try:
            block = response.read1(_BLOCK)
        except (OSError, http.client.HTTPException, ValueError) as error:  # the last: a chunk's odd length
            raise _Dropped(url, error) from error
        if not block:
            break
        connection.count += len(block)
        yield block
    connection.check(url)


def _check_room(remote: Remote, part: Path, size: int) -> None:
    """Raises VideoError if so many bytes more would fill the disk; what is there of the file is then removed."""
    disk = shutil.disk_usage(part.parent)
    spare = min(_SPARE, disk.total // 20)
    if size + spare <= disk.free:
        return
    have = part.stat().st_size
    part.unlink()
    length = "it does not end" if remote.size is None else f"it has {remote.size / 1e9:.1f} GB"
    raise VideoError(
        f"{remote.url} is too large for the disk of {part.parent}: {length}, and {(disk.free + have) / 1e9:.1f} GB "
        f"were free, of which {spare / 1e9:.1f} GB stay so: make room, or check the address"
    )


class _WatchedConnection:
    """A connection that is shut when too few bytes come over it in a time. A thread runs `look_after`."""

    def __init__(self) -> None:
        self.count = 0
        self.is_shut = False
        self.sockets: list[socket.socket] = []
        self.over = threading.Event()

    def check(self, url: str) -> None:
        """Raises _Dropped if the connection was shut; to its reader that looks like the end of the file."""
        if self.is_shut:
            raise _Dropped(url, f"fewer than {_SLOW[1]} bytes came in {_SLOW[0]:g} s")

    def look_after(self) -> None:
        seconds, least = _SLOW
        while not self.over.wait(seconds):
            if self.count < least:
                self.is_shut = True
                for open_socket in self.sockets:
                    with suppress(OSError):  # it is closed already
                        # Not SSL's, which would wait for an answer.
                        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
            self.count = 0


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[tuple[http.client.HTTPResponse, _WatchedConnection]]:
    """The server's answer, and the counter of the bytes that come of it.

    Raises:
        VideoError: the server does not give it.
    """
    connection, given_url = _WatchedConnection(), plain(url)
    threading.Thread(target=connection.look_after, daemon=True).start()
    try:
        for _ in range(_REDIRECTS + 1):
            answer = _open(url, headers, connection, given_url)
            if isinstance(answer, http.client.HTTPResponse):
                with answer:
                    if answer.headers.get_content_type() == "text/html":
                        raise VideoError(
                            f"{given_url} is a web page and no video file: give the address of the file itself"
                        )
                    connection.check(given_url)
                    yield answer, connection
                return
            url = answer
        raise VideoError(
            f"{given_url}: the server sends from one address to the next and never to a file: check the address"
        )
    finally:
        connection.over.set()


def _open(
    url: str, headers: dict[str, str], connection: _WatchedConnection, given_url: str
) -> http.client.HTTPResponse | str:
    """Asks one server; nothing but http and https is spoken.

    Args:
        given_url: the address that a person gave, for messages.

    Returns:
        Its answer, or the address that it sends on to.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Http(connection),
        _Https(connection),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    try:
        # What is quoted already stays so.
        request = urllib.request.Request(quote(url, safe="%/:=&?~#+!$,;'@()*[]"), headers=headers)  # noqa: S310
        response: http.client.HTTPResponse = opener.open(request, timeout=_SILENCE)
    except urllib.error.HTTPError as error:
        error.close()  # unread: it may have no end
        if error.code in (301, 302, 303, 307, 308) and (place := error.headers["Location"]):
            return _next_address(url, place, given_url)
        raise _refused(given_url, error.code) from error
    except urllib.error.URLError as error:
        raise _Dropped(given_url, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(given_url, error) from error
    except ValueError as error:  # of a proxy's address, for instance
        raise VideoError(f"{given_url} cannot be asked for ({error}): check the address, and http_proxy") from error
    return response


def _next_address(url: str, place: str, given_url: str) -> str:
    try:
        address = urljoin(url, place)
        plain(address)
    except (ValueError, UsageError):
        named = text.bare_url(text.redacted(place))[:200]
        problem = f"the server sends on to {named!r}, which is no address"
        raise VideoError(f"{given_url}: {problem}: check the address") from None
    return address


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connection: _WatchedConnection) -> None:
        super().__init__()
        self.connection = connection

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connection = self.connection

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                connection.sockets.append(self.sock)

        return self.do_open(Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connection: _WatchedConnection) -> None:
        super().__init__()
        self.connection = connection

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connection = self.connection

        class Connection(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                connection.sockets.append(self.sock)

        return self.do_open(Connection, request)


def _refused(url: str, status: int) -> VideoError:
    if status in (404, 410):
        return VideoError(f"{url}: the server has no such file (it answers {status}): check the address")
    if status in (401, 403):
        return VideoError(f"{url}: the server does not let you have it (it answers {status}): check the address")
    if status == 429 or status >= 500:
        return _Dropped(url, f"the server answers {status}")
    return VideoError(f"{url}: the server answers {status}: check the address")
