"""Locks between processes, by files that are made for it and do not stay."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, subject: str | None = None) -> Iterator[int]:
    """Lets one process in at a time; the others wait. The lock ends with its process. Raises OSError.

    Machines that share the folder keep each other out where its file system passes `flock` on.

    Args:
        path: of the lock's file, in a folder that exists.
        subject: what is locked, for the people who wait for it; None where that is short.

    Yields:
        The file descriptor that holds the lock. A child process that inherits it keeps the lock when this process
        is killed.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if subject:
            log.warning("%s: another run is at it: waiting", subject)
        lock.acquire()
    descriptor = lock._context.lock_file_fd  # FileLock offers no public way to it
    assert descriptor is not None
    try:
        yield descriptor
    finally:
        with suppress(OSError):
            path.unlink()  # still locked: whoever waits sees that this file is gone, and makes its own
        lock.release()
