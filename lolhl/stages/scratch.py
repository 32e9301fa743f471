"""Scratch folders: where what is fetched lies until it is stored whole, so that a killed run is gone on with."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lolhl import machine
from lolhl.errors import StorageError, explain
from lolhl.storage import Root
from lolhl.storage.folder import Folder
from lolhl.storage.lock import locked


@dataclass(frozen=True)
class Scratch:
    """A folder of one run's own.

    Attributes:
        lock: a file descriptor; a process that holds it keeps other runs out of the folder.
    """

    path: Path
    lock: int


@contextmanager
def open_scratch(root: Root, kind: str, vod: str) -> Iterator[Scratch]:
    """A folder beside the data, or in the cache where the root is a bucket; waits while another run is in it.

    It stays when the work is cut off, unless there is nothing in it. What lies in it as "video.mp4" or
    "copied" is made anew by each run and does not stay.

    Args:
        kind: "downloads" or "source": what is fetched.

    Raises:
        StorageError: the folder cannot be made or written to.
    """
    if isinstance(root, Folder):
        path = root.path / f".unfinished-{kind}" / vod
    else:
        path = machine.cache(kind) / f"{hashlib.sha256(root.url.encode()).hexdigest()[:16]}-{vod}"
    beside = path.parent.parent  # which stays when the folder goes
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with locked(beside / f"{path.parent.name}-{path.name}.lock", str(path)) as lock:
            path.mkdir(parents=True, exist_ok=True)
            made_anew = (path / "video.mp4", path / "copied")
            try:
                for file in made_anew:  # a killed run's ffmpeg may still be writing: to a file without a name, then
                    file.unlink(missing_ok=True)
                yield Scratch(path, lock)
            finally:
                for file in made_anew:
                    file.unlink(missing_ok=True)
                for folder in (path, path.parent):
                    with suppress(OSError):
                        folder.rmdir()
    except OSError as error:
        raise StorageError(explain(error, path)) from error
