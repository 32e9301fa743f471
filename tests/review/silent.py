"""A server that never answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_server() -> Iterator[tuple[str, socket.socket]]:
    """A server that never answers, so a verb that asks it for a video goes on until it is cancelled."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(60)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.mp4", listener
