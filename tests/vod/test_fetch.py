import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lolhl.errors import UsageError, VideoError
from lolhl.vod import fetch
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
