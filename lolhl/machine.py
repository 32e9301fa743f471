"""What a machine can run short of, and what to do then: full disks, missing rights, too little memory."""

import errno
import os

_FULL = "free some space there, or work on another disk (TMPDIR, LOLHL_CACHE and --root choose it)"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "work on a disk that can be written to (TMPDIR, LOLHL_CACHE and --root choose it)",
    errno.EACCES: "get the right to read and write it, or work elsewhere (TMPDIR, LOLHL_CACHE and --root choose it)",
    errno.EFBIG: "raise the largest size of a file (ulimit -f), or work on another disk",
    errno.ENOMEM: "end other programs, raise ulimit -v, or take a machine with more memory",
    errno.EMFILE: "raise the number of open files (ulimit -n)",
    errno.ENFILE: "end other programs: the machine has too many files open",
    errno.EAGAIN: "end other programs, or raise the number of processes (ulimit -u)",
}
_OF_MEMORY = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def shortage(text: str) -> int | None:
    """The error number of what the machine ran short of, when a program's message names one; else None."""
    return next((number for number in _ADVICE if number != errno.EAGAIN and os.strerror(number) in text), None)


def is_of_disk(number: int) -> bool:
    """Whether this error number is of a place on a disk, and not of the machine as a whole."""
    return number in _ADVICE and number not in _OF_MEMORY


def advice(number: int | None) -> str | None:
    """What to do about this error number, when the machine and not the input is at fault; else None."""
    return _ADVICE.get(number or 0)
