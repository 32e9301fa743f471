"""The proxy that moves a server away: what it delays, and what it must not."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lolhl.storage import open_root
from tests.servers import S3Server
from tests.servers.distance import distant
from tests.storage.conftest import fresh, use

TRIP = 0.2  # seconds: long beside what a busy machine adds


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a server, TRIP seconds away, that sends back what it gets."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with distant(f"http://127.0.0.1:{server.server_address[1]}", TRIP) as url:
            yield int(url.rpartition(":")[2])
        server.shutdown()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield connection


def receive(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        parts.append(connection.recv(min(count, 1 << 20)))
        assert parts[-1]
        count -= len(parts[-1])
    return b"".join(parts)


def test_a_question_takes_a_round_trip_and_a_new_connection_one_more(echo: int) -> None:
    begun = time.monotonic()
    with connected(echo) as connection:
        connection.sendall(b"one")
        assert receive(connection, 3) == b"one"
        first = time.monotonic() - begun
        begun = time.monotonic()
        connection.sendall(b"two")
        assert receive(connection, 3) == b"two"
        second = time.monotonic() - begun
    assert first >= 2 * TRIP
    assert second >= TRIP


def test_what_is_on_its_way_does_not_wait_for_what_went_before(echo: int) -> None:
    """200 messages, one behind the other, arrive in far fewer round trips; and 20 MB are no slower than one byte."""
    with connected(echo) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = time.monotonic()
        for number in range(200):
            connection.sendall(bytes([number]))
            time.sleep(0.001)
        assert receive(connection, 200) == bytes(range(200))
        assert time.monotonic() - begun < 100 * TRIP  # one after the other took 200
        data = bytes(range(256)) * 80_000
        sender = threading.Thread(target=connection.sendall, args=(data,))
        begun = time.monotonic()
        sender.start()
        assert receive(connection, len(data)) == data
        assert TRIP <= time.monotonic() - begun < 100 * TRIP
        sender.join()


def test_an_end_is_handed_on(echo: int) -> None:
    with connected(echo) as connection:
        connection.sendall(b"last")
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 4) == b"last"
        assert connection.recv(1) == b""


def test_a_bucket_behind_it_works(weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(weed, monkeypatch, tmp_path)
    with distant(weed.endpoint, TRIP) as endpoint:
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", endpoint)
        root = open_root(fresh(weed))
        root.write("k", b"x" * 1_000_000)
        begun = time.monotonic()
        assert root.read("k") == b"x" * 1_000_000
        assert time.monotonic() - begun >= TRIP
        assert root.local("k").read_bytes() == b"x" * 1_000_000
