"""What can go wrong, drawn as a tree.

    LolhlError               exit code 1: the work failed
    ├── UsageError           exit code 2: the call itself is wrong (a flag, a name, a value)
    │   └── LabelError       a row of a label file is wrong; names file and line
    ├── MissingInput         a stage's input does not exist yet; names the command that makes it
    ├── StorageError         a folder or a bucket did not do what was asked
    │   ├── Damaged          a file was changed since it was written; names the command that makes it anew
    │   ├── NotFound         no object has that key, or no bucket that name
    │   ├── AccessDenied     keys missing, wrong, or without the right
    │   └── Conflict         somebody else wrote the same key first
    ├── VideoError           a file is no video, or cannot be decoded
    ├── ToolMissing          ffmpeg, twitch-dl … cannot be started, or lack what is needed
    ├── MachineError         a full disk, too little memory, missing rights: another machine could do it
    ├── TwitchError          Twitch does not give the VOD
    │   ├── VodNotFound      unknown, deleted or expired
    │   ├── SubscriberOnly
    │   └── StillLive
    ├── RiotError            Riot does not give a match
    ├── ExportError          a format cannot hold these highlights
    ├── DatasetError         no model can be learnt from these samples
    └── ModelError           a bundle is broken, or does not fit the frames it is given

Every message is one line that names the input, what is wrong and what to do.
"""

import errno

from lolhl import machine

_MEMORY = (  # how those say that memory is short who raise no MemoryError
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "can't start new thread",
    "bad_alloc",
    "not enough memory",
    "unable to allocate",
)


def explain(error: OSError, place: object = None) -> str:
    """What the operating system refused, and what to do.

    Args:
        place: the file or folder that it is about, where the error does not name it.
    """
    reason = error.strerror or str(error) or type(error).__name__
    where = place or error.filename or "this machine"
    if "temporary directory" in reason:
        return f"{reason}: make room there, or set TMPDIR to a folder that can be written to"
    if where == "this machine" and error.errno == errno.ENOSPC:
        return f"{where}: {reason}: make room on the disks of --root, TMPDIR and LOLHL_CACHE"
    return f"{where}: {reason}: {machine.advice(error.errno) or 'mend that and run again'}"


def is_short_of_memory(error: BaseException | None) -> bool:
    """Whether the error, or one that it came from, says that memory is short."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if isinstance(error, NameError) and str(error.name).startswith("Py"):  # polars without its library
            return True
        if not isinstance(error, LolhlError) and any(words in str(error).lower() for words in _MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


class LolhlError(Exception):
    """Base of all errors that the library raises on purpose; the message is meant for people."""

    exit_code = 1


class UsageError(LolhlError):
    exit_code = 2


class LabelError(UsageError):
    pass


class MissingInput(LolhlError):
    pass


class StorageError(LolhlError):
    pass


class Damaged(StorageError):
    pass


class NotFound(StorageError):
    pass


class AccessDenied(StorageError):
    pass


class Conflict(StorageError):
    pass


class VideoError(LolhlError):
    pass


class ToolMissing(LolhlError):
    pass


class MachineError(LolhlError):
    pass


class TwitchError(LolhlError):
    pass


class VodNotFound(TwitchError):
    pass


class SubscriberOnly(TwitchError):
    pass


class StillLive(TwitchError):
    pass


class RiotError(LolhlError):
    pass


class ExportError(LolhlError):
    pass


class DatasetError(LolhlError):
    pass


class ModelError(LolhlError):
    pass
