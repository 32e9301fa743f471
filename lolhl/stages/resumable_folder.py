"""Folders that hold what is fetched until it is stored whole. After a kill the next run goes on with what they hold."""

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
class ResumableFolder:
    """A folder that only one run uses at a time.

    Attributes:
        path: where it lies.
        lock: a file descriptor. A process that holds it keeps other runs out of the folder.
    """

    path: Path
    lock: int


@contextmanager
def open_resumable_folder(root: Root, kind: str, vod: str) -> Iterator[ResumableFolder]:
    """Opens a folder beside the data, or in the cache where the root is a bucket. Waits while another run uses it.

    The folder stays when the work is cut off, unless it is empty. Each run makes the files "video.mp4" and
    "copied" anew, so these do not stay.

    Args:
        root: where the data lies.
        kind: what is fetched, "downloads" or "source".
        vod: the name of the VOD.

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
                yield ResumableFolder(path, lock)
            finally:
                for file in made_anew:
                    file.unlink(missing_ok=True)
                for folder in (path, path.parent):
                    with suppress(OSError):
                        folder.rmdir()
    except OSError as error:
        raise StorageError(explain(error, path)) from error
