"""Upload of a checkpoint that is written again and again while work goes on: only the last one counts."""

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


class CheckpointUpload:
    """Uploads files under one key in a background thread, so that a distant bucket does not hold up the work.

    A file that comes while another waits takes its place. When the context ends, the last one is stored.
    After a kill, the key holds a whole file, which was put at most one upload and one second before the kill.
    """

    def __init__(self, root: Root, key: str) -> None:
        self._root, self._key = root, key
        self._folder = tempfile.TemporaryDirectory(prefix="lolhl-")
        self._thread = ThreadPoolExecutor(1, "checkpoint upload")
        self._lock = threading.Lock()
        self._waiting: Path | None = None
        self._next = 0.0
        self._ends = threading.Event()
        self._sent: Future[None] | None = None

    def put(self, path: Path) -> None:
        """Takes the file away. Raises what an upload before this one raised."""
        if self._sent and self._sent.done():
            self._sent.result()
        waiting = Path(self._folder.name) / uuid4().hex
        shutil.move(path, waiting)
        with self._lock:
            replaced, self._waiting = self._waiting, waiting
        if replaced:
            replaced.unlink()
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
