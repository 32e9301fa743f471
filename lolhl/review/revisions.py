"""What people give, in files of a root that are saved again and again: nobody's work is written over unseen.

A file counts how often it was saved. Whoever saves names the revision that he has seen.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from lolhl.errors import Conflict, StorageError, UsageError
from lolhl.storage import Root


class Revised(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What such a file holds.

    Attributes:
        revision: how often it was saved.
    """

    revision: Annotated[int, Meta(ge=0)] = 0


R = TypeVar("R", bound=Revised)


def load_revised(root: Root, key: str, nothing: R, parse: Callable[[bytes], R], advice: str) -> tuple[R, str | None]:
    """What is stored, and the etag of the file.

    Args:
        nothing: what there is before anybody has saved.
        parse: reads the bytes; raises UsageError for anything else.
        advice: what to do about a damaged file.

    Raises:
        StorageError: the file is damaged.
    """
    stored = root.find(key)
    if stored is None:
        return nothing, None
    try:
        return parse(stored[0]), stored[1]
    except UsageError as error:
        raise StorageError(f"{root.url}/{key} is damaged ({error}): {advice}") from error


def save_revised(root: Root, key: str, value: R, stored: tuple[R, str | None], what: str) -> R:
    """Stores a value whose revision is the stored one, and returns it with the next revision.

    Args:
        stored: what `load_revised` returns.
        what: is saved, for the message of an error.

    Raises:
        Conflict: somebody saved in between, in another tab or on another machine. Nothing was stored.
    """
    (before, etag) = stored
    check_revision(value, before, what)
    saved = msgspec.structs.replace(value, revision=value.revision + 1)
    root.write_if(key, msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n", etag)
    return saved


def check_revision(value: Revised, stored: Revised, what: str) -> None:
    """Raises Conflict unless both have the same revision.

    Args:
        what: was saved, for the message.
    """
    if stored.revision != value.revision:
        raise Conflict(
            f"{what} in the meantime (revision {stored.revision}, not {value.revision}): load the page again"
        )
