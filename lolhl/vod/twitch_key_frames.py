"""Key frames of a VOD in another rendition than the one that is stored, of which Twitch is asked for little else.

A segment of Twitch's, some 10 s of video, begins with a key frame. So its first bytes hold one, and only who wants a
key frame in its middle gets more of it. All renditions have one clock (RFC 8216, 6.2.4), by which times are those of
the stored video.
"""

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from lolhl.errors import MachineError, ToolMissing, TwitchError, UsageError, VideoError
from lolhl.vod import twitch
from lolhl.vod.cpu import Reader
from lolhl.vod.decode import Look
from lolhl.vod.fetch import Part, fetch_part
from lolhl.vod.ordered_workers import in_order
from lolhl.vod.view import Picture, View

Item = TypeVar("Item")
Made = TypeVar("Made")

_BYTES = (1 << 17, 1 << 19, 1 << 21, 1 << 27)  # of a segment, so many are asked for, until they hold the key frame
_LONGEST_PLAYLIST = 1 << 24  # bytes; 48 h have half a million
_AT_ONCE = 8  # looks; each may wait for an answer
_ROUNDING = 0.002  # seconds by which a playlist's lengths may be off at a border
_SUFFIX = re.compile(r"\.\w{1,8}", re.ASCII)
_MAP = re.compile(r'#EXT-X-MAP:.*?URI="([^"]+)"')
_VIEW = View(Fraction(1), 16, "squeeze")  # plays no part: pictures have the size that they have


@dataclass(frozen=True)
class TwitchKeyFrames:
    """See `lolhl.vod.key_frames.KeyFrames`. Twitch is asked when the first key frame is wanted.

    Attributes:
        vod: the VOD's id on Twitch.
        group: Twitch's own name of the rendition.
        clock: the timestamp of the VOD's time 0, in seconds.
        offset: of the stored video's time 0, in seconds of the VOD.
        folder: where the beginnings of segments are kept, for this VOD and rendition only. It must exist.
    """

    vod: str
    group: str
    clock: float
    offset: float
    folder: Path

    def look(self, parts: Iterable[Item], work: Callable[[Look, Item], Made], *, exact: bool = False) -> Iterator[Made]:
        """See `KeyFrames`. Without `exact`, `work` gets the first key frame of a segment. At most 4 requests are made
        for each key frame, and more only where one failed.

        Raises:
            TwitchError: Twitch cannot be reached or asked, or does not have the VOD or this rendition any more.
        """
        segments = self._segments
        key_at = partial(segments.key_at, exact=exact)

        def made(_: None, part: Item) -> Generator[Made, None, None]:
            yield work(key_at, part)

        yield from in_order(nullcontext, parts, made, workers=_AT_ONCE, waiting=1)

    @cached_property
    def _segments(self) -> "_Segments":
        try:
            playlist = twitch.describe(self.vod).playlists.get(self.group)
        except (ToolMissing, MachineError) as error:
            raise TwitchError(str(error)) from error
        if playlist is None:
            raise TwitchError(f"VOD {self.vod}: Twitch has no {self.group} of it any more")
        text = _get(self.vod, playlist, 0, _LONGEST_PLAYLIST).data.decode(errors="replace")
        top = playlist.partition("?")[0].rpartition("/")[0]
        try:
            names, borders = [name for name, _ in twitch.listed(text)], twitch.borders_of(text)
        except ValueError as error:
            raise TwitchError(f"VOD {self.vod}: the playlist of {self.group} is none ({str(error)[:100]})") from error
        if not names or not all(_SUFFIX.fullmatch(Path(name).suffix) for name in names):
            raise TwitchError(f"VOD {self.vod}: the playlist of {self.group} names no segments")
        header = _MAP.search(text)
        head = _get(self.vod, f"{top}/{header[1]}", 0, _BYTES[-1]).data if header else b""
        return _Segments(self, [f"{top}/{name}" for name in names], borders, head, [threading.Lock() for _ in names])


@dataclass(frozen=True)
class _Segments:
    """The segments of a rendition, and what is here of them.

    Attributes:
        addresses: one each.
        borders: where they begin, and where the last one ends, by the playlist, in seconds of the VOD.
        head: what stands before each of them, for the newer codecs: the codec's parameters.
        locks: one each, so that nothing is asked for twice.
    """

    frames: TwitchKeyFrames
    addresses: list[str]
    borders: list[float]
    head: bytes
    locks: list[threading.Lock]

    def key_at(self, seconds: float, *, exact: bool) -> tuple[float, Picture] | None:
        """A key frame at or before a time of the stored video; see `TwitchKeyFrames.look`. None as of `Look`."""
        time, offset = seconds + self.frames.offset, self.frames.offset
        # What lies before the stored video is not shown there.
        first = bisect_left(self.borders, offset - _ROUNDING)
        number = min(max(bisect_right(self.borders, time + _ROUNDING) - 1, first), len(self.addresses) - 1)
        key = self._key_of(number, time if exact else None)
        if exact and key and key[0] > time + _ROUNDING and number > first:  # lengths are rounded, and add up
            key = self._key_of(number - 1, time)
        return key and (key[0] - offset, key[1])

    def _key_of(self, number: int, until: float | None) -> tuple[float, Picture] | None:
        """The last key frame of a segment until a time, else its first one, in seconds of the VOD."""
        with self.locks[number]:
            for file, is_whole in self._files(number):
                try:
                    with closing(Reader(file, _VIEW)) as reader:
                        begin = twitch.begin_of(float(reader.start) - self.frames.clock, self.borders[number])
                        key = reader.key_at(0.0 if until is None else max(0.0, until - begin))
                        if key and (is_whole or not reader.ended):  # else the key frame may be cut off
                            return begin + key[0], key[1]
                except VideoError:  # there is too little of it
                    continue
        return None

    def _files(self, number: int) -> Iterator[tuple[Path, bool]]:
        """Yields a file with the beginning of a segment, longer from time to time, and whether it is whole."""
        address = self.addresses[number]
        name = f"{number:05}{Path(address).suffix}"
        whole, part = self.frames.folder / name, self.frames.folder / f"part-{name}"
        have = part.stat().st_size - len(self.head) if part.exists() else 0
        if whole.exists() or have:
            yield (whole, True) if whole.exists() else (part, False)
        for stop in _BYTES:
            if whole.exists():
                return
            if stop <= have:
                continue
            more = _get(self.frames.vod, address, have, stop)
            before = part.read_bytes() if more.first else self.head
            new = part.with_name(f"new-{name}")
            new.write_bytes(before + more.data)
            new.replace(whole if more.is_last else part)
            have = more.first + len(more.data)
            yield whole if more.is_last else part, more.is_last


def _get(vod: str, address: str, first: int, stop: int) -> Part:
    """Bytes of a file of Twitch's. Raises TwitchError, without the address, which only some may know."""
    try:
        return fetch_part(address, first, stop)
    except (VideoError, UsageError) as error:
        name = "/".join(address.partition("?")[0].split("/")[-2:])
        why = str(error).rpartition(": ")[0].removeprefix(address.partition("?")[0]).strip(": ")
        raise TwitchError(f"VOD {vod}: {name} cannot be had from Twitch ({why or 'its address is none'})") from error
