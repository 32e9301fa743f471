"""Folders of this machine, so that a video file is chosen on the page: the names of folders and videos, no contents."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lolhl import text
from lolhl.errors import UsageError

_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts", ".flv", ".avi", ".mpg", ".mpeg", ".wmv")
_MOST = 2_000  # names of one folder


def folder(path: str) -> dict[str, Any]:
    """What a folder holds, as JSON values: its path, that of the folder above, and its folders and videos by name.

    Args:
        path: of the folder; empty for the home folder. Hidden files are left out.

    Raises:
        UsageError: there is no such folder, or it may not be read.
    """
    try:
        place = (Path(path).expanduser() if path else Path.home()).resolve()
        with os.scandir(place) as entries:
            shown = (entry for entry in entries if not entry.name.startswith(".") and _is_text(entry.name))
            listed = sorted(shown, key=_order)
            folders = [entry for entry in listed if _is(entry.is_dir)]
            videos = [entry for entry in listed if entry.name.lower().endswith(_VIDEOS) and _is(entry.is_file)]
        if not _is_text(str(place)):
            raise ValueError("its name is no UTF-8 text: rename it")
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{text.printable(path or '~')[:400]}: {why}") from error
    return {
        "path": str(place),
        "above": str(place.parent) if place.parent != place else None,
        "folders": [_named(entry) for entry in folders[:_MOST]],
        "videos": [_named(entry) for entry in videos[:_MOST]],
    }


def _is_text(name: str) -> bool:
    """Whether the name is UTF-8: others cannot be sent to a page, and `lolhl download` refuses them."""
    return text.storable(name) == name


def _is(asked: Callable[[], bool]) -> bool:
    """The answer; no for what cannot be looked at, as a link in a circle."""
    try:
        return asked()
    except OSError:
        return False


def _order(entry: "os.DirEntry[str]") -> str:
    return entry.name.casefold()


def _named(entry: "os.DirEntry[str]") -> dict[str, str]:
    return {"name": text.printable(entry.name), "path": entry.path}
