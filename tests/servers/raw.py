"""A server that answers with whatever bytes a test wants, however wrong."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Raw:
    """A running server.

    Attributes:
        url: of its top.
        requests: the heads of all requests.
    """

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def raw(answer: Callable[[str], Iterable[bytes]]) -> Iterator[Raw]:
    """Runs the server.

    Args:
        answer: the head of a request → what is sent, piece by piece, before the connection is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Raw(f"http://127.0.0.1:{listener.getsockname()[1]}")
        ends = threading.Event()

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                head = b""
                while b"\r\n\r\n" not in head and (some := connection.recv(10_000)):
                    head += some
                server.requests.append(head.partition(b"\r\n\r\n")[0].decode("latin-1"))
                for piece in answer(server.requests[-1]):
                    if ends.is_set():
                        return
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                while connection.recv(100_000):  # unread bytes would make the close a reset
                    pass

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=[connection], daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            ends.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
