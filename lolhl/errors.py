"""What can go wrong, drawn as a tree.

    LolhlError               exit code 1: the work failed
    ├── UsageError           exit code 2: the call itself is wrong (a flag, a name, a value)
    │   └── LabelError       a row of a label file is wrong; names file and line
    ├── MissingInput         a stage's input does not exist yet; names the command that makes it
    ├── StorageError         a folder or a bucket did not do what was asked
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
    ├── DatasetError         no model can be learnt from these samples
    └── ModelError           a bundle is broken, or does not fit the frames it is given

Every message is one line that names the input, what is wrong and what to do.
"""


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


class DatasetError(LolhlError):
    pass


class ModelError(LolhlError):
    pass
