import itertools
import random
import resource
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from lolhl.errors import UsageError, VideoError
from lolhl.vod import fetch
from tests.servers.raw import raw
from tests.servers.web import Web
from tests.servers.web import web as web_server

BYTES = random.Random(0).randbytes(3_000_000)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        server.files["/a.mp4"] = BYTES
        yield server


def get(web: Web, target: Path, path: str = "/a.mp4") -> bytes:
    url = web.url + path
    fetch.fetch(url, fetch.look(url), target)
    assert not target.with_name(f"{target.name}.part").exists()
    return target.read_bytes()


def test_a_file(web: Web, tmp_path: Path) -> None:
    web.files["/odd name [1] é.mp4"] = b"odd"
    assert get(web, tmp_path / "a") == BYTES
    web.files["/odd%20name%20[1]%20%C3%A9.mp4"] = b"odd"
    assert get(web, tmp_path / "a", "/odd name [1] é.mp4") == b"odd"
    assert fetch.look(f"{web.url}/a.mp4?key=secret#t=3").url == f"{web.url}/a.mp4"


def test_a_connection_that_breaks_off(web: Web, tmp_path: Path) -> None:
    web.cut = 3
    seen: list[float] = []
    fetch.fetch(f"{web.url}/a.mp4", fetch.look(f"{web.url}/a.mp4"), tmp_path / "a", seen.append)
    assert (tmp_path / "a").read_bytes() == BYTES
    assert sum(seen) == len(BYTES)
    parts = [2_250_000, 2_812_500, 2_953_125]
    assert web.requests == ["/a.mp4", "/a.mp4", *[f"/a.mp4 bytes={n}-" for n in parts]]


def test_a_run_after_one_that_was_cut_off(web: Web, tmp_path: Path) -> None:
    web.tells_sizes, url = True, f"{web.url}/a.mp4"
    remote = fetch.look(url)
    (tmp_path / "a.part").write_bytes(BYTES[:1000])
    (tmp_path / "a.json").write_text("{")  # of what file the part is, nobody knows
    web.requests.clear()
    fetch.fetch(url, remote, tmp_path / "a")
    assert web.requests == ["/a.mp4"]

    def stop(count: float) -> None:
        if count:
            raise KeyboardInterrupt

    web.requests.clear()
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(url, remote, tmp_path / "b", stop)
    have = (tmp_path / "b.part").stat().st_size
    assert 0 < have < len(BYTES)
    assert get_again(web, tmp_path / "b") == [f"/a.mp4 bytes={have}-"]
    assert (tmp_path / "b").read_bytes() == BYTES


def test_a_file_that_is_there_is_not_asked_for_again(web: Web, tmp_path: Path) -> None:
    get(web, tmp_path / "a")
    assert get_again(web, tmp_path / "a") == []
    web.files["/a.mp4"] = BYTES[::-1]
    assert get(web, tmp_path / "a") == BYTES[::-1]


def get_again(web: Web, target: Path) -> list[str]:
    """What was asked for, after the look."""
    url = f"{web.url}/a.mp4"
    remote = fetch.look(url)
    web.requests.clear()
    fetch.fetch(url, remote, target)
    return web.requests


def test_a_file_that_changed_between_two_runs(web: Web, tmp_path: Path) -> None:
    old, web.files["/a.mp4"] = BYTES, BYTES[::-1]
    web.cut = 100
    with pytest.raises(VideoError):
        fetch.fetch(f"{web.url}/a.mp4", fetch.look(f"{web.url}/a.mp4"), tmp_path / "a")
    web.cut, web.files["/a.mp4"] = 0, old
    assert get_again(web, tmp_path / "a") == ["/a.mp4"]
    assert (tmp_path / "a").read_bytes() == old


def test_a_file_that_changes_meanwhile(web: Web, tmp_path: Path) -> None:
    web.cut = 1
    url = f"{web.url}/a.mp4"

    def change(_: float) -> None:
        web.files["/a.mp4"] = BYTES[::-1]

    with pytest.raises(VideoError, match="has changed on its server meanwhile: run again"):
        fetch.fetch(url, fetch.look(url), tmp_path / "a", change)
    assert get(web, tmp_path / "a") == BYTES[::-1]


def test_servers_that_can_do_less(web: Web, tmp_path: Path) -> None:
    web.tells_sizes = False
    assert get(web, tmp_path / "a") == BYTES
    web.tells_sizes, web.tells_tags, web.cut = True, False, 2
    assert get(web, tmp_path / "a") == BYTES  # nobody knows whether a part would fit: from the start
    assert not any("bytes" in request for request in web.requests)
    web.tells_tags, web.knows_ranges, web.cut = True, False, 2
    seen: list[float] = []
    fetch.fetch(f"{web.url}/a.mp4", fetch.look(f"{web.url}/a.mp4"), tmp_path / "a", seen.append)
    assert (tmp_path / "a").read_bytes() == BYTES
    assert sum(seen) == len(BYTES)


def test_a_part_of_a_file(web: Web) -> None:
    url, size = f"{web.url}/a.mp4", len(BYTES)
    assert fetch.fetch_part(url, 0, 1000) == fetch.Part(0, BYTES[:1000], is_last=False)
    assert fetch.fetch_part(url, 1000, 2000) == fetch.Part(1000, BYTES[1000:2000], is_last=False)
    assert fetch.fetch_part(url, 1000, size) == fetch.Part(1000, BYTES[1000:], is_last=True)
    assert fetch.fetch_part(url, 1000, 2 * size) == fetch.Part(1000, BYTES[1000:], is_last=True)
    assert web.requests[:2] == ["/a.mp4 bytes=0-999", "/a.mp4 bytes=1000-1999"]


def test_a_part_of_a_server_that_sends_none(web: Web) -> None:
    web.knows_ranges = False
    url, size = f"{web.url}/a.mp4", len(BYTES)
    assert fetch.fetch_part(url, 1000, 2000) == fetch.Part(0, BYTES[:2000], is_last=False)
    assert fetch.fetch_part(url, 1000, 2 * size) == fetch.Part(0, BYTES, is_last=True)


def test_a_part_that_breaks_off_is_asked_for_again(web: Web) -> None:
    url = f"{web.url}/a.mp4"
    fetch.look(url)
    web.cut = 2
    assert fetch.fetch_part(url, 1000, 500_000).data == BYTES[1000:500_000]
    assert len(web.requests) == 4
    web.cut = 9
    with pytest.raises(VideoError, match="bytes are missing"):
        fetch.fetch_part(url, 1000, 500_000)
    assert len(web.requests) == 4 + 4


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "no such file"), (410, "no such file"), (403, "does not let you"), (401, "does not let you"),
     (503, "answers 503.*run again"), (400, "answers 400")],
)  # fmt: skip
def test_a_server_that_refuses(web: Web, tmp_path: Path, status: int, words: str) -> None:
    url = f"{web.url}/a.mp4?key=secret"
    remote = fetch.look(url)
    web.status = status
    for call in (lambda: fetch.look(url), lambda: fetch.fetch(url, remote, tmp_path / "a")):
        with pytest.raises(VideoError, match=words) as raised:
            call()
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_web_page(web: Web) -> None:
    web.files["/page"], web.types["/page"] = b"<html>", "text/html; charset=utf-8"
    with pytest.raises(VideoError, match="is a web page"):
        fetch.look(f"{web.url}/page")


def test_a_redirect_to_a_file_of_ours(web: Web, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for place in (secret.as_uri(), "ftp://127.0.0.1/x", "data:,x"):
        web.redirect = place
        with pytest.raises(VideoError):
            fetch.look(f"{web.url}/a.mp4")


def test_nobody_there() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(VideoError, match=r"connection failed \(.*refused\): run again"):
            fetch.look(f"http://127.0.0.1:{nobody.getsockname()[1]}/a.mp4")


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/a.mp4", "file:///etc/passwd", "http://", "http:///a.mp4", "http://[::1/a", "https://x:y/a",
     "http://user:secret@example.org/a.mp4", "rtmp://example.org/live", "a.mp4", "http://example.org:99999/"],
)  # fmt: skip
def test_no_address_of_a_file(url: str) -> None:
    with pytest.raises(UsageError):
        fetch.look(url)


def fetched(answer: Callable[[str], Iterable[bytes]], target: Path) -> tuple[str, int]:
    """The error that a server's answers end in, and how many requests there were."""
    with raw(answer) as server:
        url = f"{server.url}/a.mp4?key=hidden"
        with pytest.raises(VideoError) as raised:
            fetch.fetch(url, fetch.look(url), target)
    message = str(raised.value)
    assert "\n" not in message
    assert "hidden" not in message
    assert not target.exists()
    return message, len(server.requests)


def test_a_server_that_always_breaks_off_is_given_up(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n"
    message, requests = fetched(lambda _: [head + b"\r\n", bytes(1000)], tmp_path / "a")
    assert "run again" in message
    assert requests <= 6
    sizes = iter(range(300_000, 100_000_000, 300_000))  # each time a little more, and always from the first byte
    message, requests = fetched(lambda _: [head + b"\r\n", bytes(next(sizes))], tmp_path / "b")
    assert "can only begin anew" in message
    assert requests <= 8


def test_a_server_that_drips_is_given_up(tmp_path: Path) -> None:
    def drip(head: str) -> list[bytes]:
        begin = int(head.partition("bytes=")[2].partition("-")[0] or 0)
        status = f"206 Partial\r\nContent-Range: bytes {begin}-4999999/5000000" if begin else "200 OK"
        return [f'HTTP/1.1 {status}\r\nETag: "t"\r\nContent-Length: {5_000_000 - begin}\r\n\r\n'.encode(), b"x"]

    message, requests = fetched(drip, tmp_path / "a")
    assert "run again, it goes on" in message
    assert requests <= 6
    assert (tmp_path / "a.part").stat().st_size == requests - 1  # it does


@pytest.mark.parametrize("length", ["abc", "-5", "9" * 5000, "\u0663"])
def test_a_length_that_is_none_is_passed_over(length: str, tmp_path: Path) -> None:
    with raw(lambda _: [f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nbytes".encode()]) as server:
        remote = fetch.look(f"{server.url}/a.mp4")
        fetch.fetch(f"{server.url}/a.mp4", remote, tmp_path / "a")
    assert remote.size is None
    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_a_file_that_the_disk_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    message, requests = fetched(
        lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 900000000000000000\r\n\r\n"], tmp_path / "a"
    )
    assert "too large for the disk" in message
    assert requests == 1


def test_a_body_without_end_leaves_the_disk_its_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetch, "_SPARE", disk.free - 20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(total=disk.total * 20, free=free()))

    def free() -> int:  # of a disk that nobody else uses
        return disk.free - sum(file.stat().st_size for file in tmp_path.iterdir())

    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    message, requests = fetched(
        lambda _: itertools.chain([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], itertools.repeat(chunk)),
        tmp_path / "a",
    )
    assert "it does not end" in message
    assert requests == 2
    assert not (tmp_path / "a.part").exists()


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"],
        [b"HTTP/1.1 200 OK\r\nX-Long: "],
        [],
    ],
    ids=["body", "chunk", "header", "nothing"],
)
def test_a_server_that_keeps_one_waiting_is_given_up(
    answer: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SLOW", (0.3, 10_000))
    monkeypatch.setattr(fetch, "_PAUSES", (0.01,))
    enough = threading.Event()

    def drip(_: str) -> Iterator[bytes]:
        yield from answer
        while not enough.wait(0.02):
            yield b"x" if answer else b"HTTP/1.1 100 Continue\r\n\r\n"

    try:
        message, _ = fetched(drip, tmp_path / "a")
    finally:
        enough.set()
    assert "the connection failed" in message


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("http://[::1", "which is no address"),
        ("http://a..b/", "which is no address"),
        ("file:///etc/passwd", "which is no address"),
        ("http://me:hidden@127.0.0.1/", "which is no address"),
        ("/a.mp4?key=hidden", "from one address to the next"),
    ],
)
def test_a_server_that_sends_on_to_nowhere(place: str, words: str, tmp_path: Path) -> None:
    endless = itertools.repeat(bytes(1000))
    message, requests = fetched(
        lambda _: itertools.chain([f"HTTP/1.1 307 On\r\nLocation: {place}\r\n\r\n".encode()], endless), tmp_path / "a"
    )
    assert words in message
    assert requests <= 11


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "a b", "a\x7fb", ".", "[::1", "h:99999", "h:port"])
def test_a_host_that_cannot_be(host: str) -> None:
    with pytest.raises(UsageError, match="is no address of a file"):
        fetch.look(f"http://{host}/a.mp4")


def test_a_tag_that_cannot_be_sent_back_is_none(tmp_path: Path) -> None:
    head = b'HTTP/1.1 200 OK\r\nETag: "a\r\n b\xe9"\r\nContent-Length: 5\r\n\r\n'
    pieces = iter([b"", b"by", b"bytes"])
    with raw(lambda _: [head, next(pieces)]) as server:
        fetch.fetch(f"{server.url}/a.mp4", fetch.look(f"{server.url}/a.mp4"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_a_full_disk_is_no_fault_of_the_connection(web: Web, tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            get(web, tmp_path / "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
