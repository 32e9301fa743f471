"""Where single key frames of a video are looked at: in the video that is stored, or in another rendition of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from lolhl.vod import decode
from lolhl.vod.decode import Look

Item = TypeVar("Item")
Made = TypeVar("Made")


class KeyFrames(Protocol):
    """The key frames of a video."""

    def look(self, parts: Iterable[Item], work: Callable[[Look, Item], Made], *, exact: bool = False) -> Iterator[Made]:
        """Yields what `work` makes of each part, in order; see `decode.look_at_keys`.

        Args:
            parts: see there.
            work: see there.
            exact: whether `work` gets the last key frame before a time in any case. Else it may get an earlier one,
                which is got at less cost.
        """


@dataclass(frozen=True)
class StoredKeyFrames:
    """The key frames of a file; see `KeyFrames`."""

    video: Path

    def look(self, parts: Iterable[Item], work: Callable[[Look, Item], Made], *, exact: bool = False) -> Iterator[Made]:  # noqa: ARG002
        """Raises VideoError where the file cannot be opened, or holds no pictures."""
        return decode.look_at_keys(self.video, parts, work)
