"""The machine: where it keeps what can be made again, what it can run short of, and what to do then."""

import errno
import os
from pathlib import Path

_PLACES = "--root, TMPDIR and LOLHL_CACHE choose it"
_FULL = f"make room there, or work on another disk ({_PLACES})"
_RIGHTS = f"mend its rights, run as the user that it belongs to, or work elsewhere ({_PLACES})"
# Of a place on a disk.
_OF_DISK = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: f"work on a disk that can be written to ({_PLACES})",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EFBIG: "allow larger files, by `ulimit -f` or another file system",
}
# Of the machine as a whole.
_OF_MACHINE = {
    errno.ENOMEM: "end other programs, raise `ulimit -v`, or take a machine with more memory",
    errno.EMFILE: "allow more open files, with `ulimit -n 4096`",
    errno.ENFILE: "end other programs: no more files can be opened on this machine",
    errno.EAGAIN: "end other programs, or raise the number of processes (`ulimit -u`)",
}
_ADVICE = {
    **_OF_DISK,
    **_OF_MACHINE,
    errno.ENOEXEC: "it is a program for another kind of machine, or none: install it anew",
    errno.ENAMETOOLONG: "use shorter names",
    errno.EIO: "check the disk",
    errno.ENOLCK: "choose a --root on a file system that knows locks",
    errno.ENOENT: "check that it is there",
}


def cache(kind: str) -> Path:
    """The folder for what can be made or fetched again, of this kind. It need not be there."""
    return Path(os.environ.get("LOLHL_CACHE") or "~/.cache/lolhl").expanduser() / kind


def shortage(text: str) -> int | None:
    """The error number of what the machine ran short of, when a program's message names one; else None."""
    named = {*_OF_DISK, *_OF_MACHINE} - {errno.EAGAIN}  # programs try again by themselves
    return next((number for number in named if os.strerror(number) in text), None)


def is_of_disk(number: int) -> bool:
    """Whether this error number is of a place on a disk, and not of the machine as a whole."""
    return number in _OF_DISK


def is_shortage(number: int | None) -> bool:
    """Whether the machine is at fault where this error number is seen, and not what was asked of it."""
    return number in _OF_DISK or number in _OF_MACHINE


def advice(number: int | None) -> str | None:
    """What to do about this error number, where something can be said; else None."""
    return _ADVICE.get(number or 0)
