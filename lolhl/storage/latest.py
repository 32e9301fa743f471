"""An object that is written again and again while work goes on: only the last counts."""

import shutil
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from lolhl.storage import Root

_PAUSE = 1.0  # seconds between two writes of one key: R2 answers 429 to more


class Latest:
    """Uploads files under one key in a background thread; a distant bucket does not hold up the work.

    A file that comes while another waits takes its place. When the context ends, the last one is stored.
    Whoever is killed finds, whole, one that was put no longer before than an upload and a second.
    """

    def __init__(self, root: Root, key: str) -> None:
        self._root, self._key = root, key
        self._folder = tempfile.TemporaryDirectory(prefix="lolhl-")
        self._thread = ThreadPoolExecutor(1, "latest")
        self._lock = threading.Lock()
        self._waiting: Path | None = None
        self._next = 0.0
        self._ends = threading.Event()
        self._sent: Future[None] | None = None

    def put(self, path: Path) -> None:
        """Takes the file away. Raises what an upload before this one raised."""
        if self._sent and self._sent.done():
            self._sent.result()
        taken = Path(self._folder.name) / uuid4().hex
        shutil.move(path, taken)
        with self._lock:
            passed_over, self._waiting = self._waiting, taken
        if passed_over:
            passed_over.unlink()
        else:
            self._sent = self._thread.submit(self._send)

    def _send(self) -> None:
        self._ends.wait(max(0.0, self._next - time.monotonic()))
        with self._lock:
            path, self._waiting = self._waiting, None
        assert path
        self._next = time.monotonic() + _PAUSE
        self._root.upload(path, self._key)
        path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.shutdown()
        self._folder.cleanup()
        if self._sent:
            self._sent.result()
