"""The timestamps of a video: whether they run on without a break, and how they are made to.

MPEG-TS and MPEG-PS are made to be put one after another, as recorders do that resume: timestamps then
start again in the middle. A seek by time goes astray in such a file.
"""

import functools
import math
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from lolhl.errors import VideoError
from lolhl.vod import ffmpeg, trim

BROKEN = {"mpegts", "mpeg"}  # formats in which timestamps may start again
_GAP = 10.0  # seconds; ffmpeg takes a longer step for a clock that was set anew, and closes it
_BACK = 0.1  # seconds; what ffmpeg allows a clock to be off
_STEPS = 2  # times the usual duration of a picture, below which a step is none too long
_LOST = 3600.0  # seconds; after a longer step the pictures are those of another recording


@dataclass(frozen=True)
class KeyTimes:
    """Where the key frames of a video lie, in seconds.

    Attributes:
        keys: their times, in order.
        until: to where they are known.
    """

    keys: list[float]
    until: float

    def stretches(self) -> Iterator[tuple[float, float]]:
        """Yields the times from each key frame to the next, and those before the first and behind the last."""
        yield from pairwise([0.0, *self.keys, max(self.until, *self.keys, 0.0)])

    def has_one_in(self, start: float, stop: float) -> bool:
        """Whether there is a key frame from start to stop, both included."""
        place = bisect_left(self.keys, start)
        return place < len(self.keys) and self.keys[place] <= stop

    def gap(self) -> float:
        """The longest time without a key frame."""
        return max(stop - start for start, stop in self.stretches())

    def share_beyond(self, gap: float) -> float:
        """How much of the time lies in stretches longer than this, 0 to 1."""
        total = sum(stop - start for start, stop in self.stretches())
        return sum(stop - start for start, stop in self.stretches() if stop - start > gap) / total if total else 0.0


@dataclass(frozen=True)
class Clock:
    """What one look at all packets of a video says.

    Attributes:
        key_times: of its key frames, up to where the timestamps first start again; None where some have no time.
        restarts: times in seconds before which they start again.
        jumps: whether they start again, or leave out so much that ffmpeg takes it for another clock.
    """

    key_times: KeyTimes | None
    restarts: list[float]
    jumps: bool


def clock(video: Path) -> Clock:
    """Reads all packets of a video and decodes none; a file that did not change is read once.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """
    stat = video.stat()
    return _clock(video, stat.st_size, stat.st_mtime_ns)


def is_restart(step: float) -> bool:
    """Whether what follows is on another clock, if it is decoded this many seconds after what came before."""
    return step < -_BACK or step > _LOST


def run_on(video: Path, target: Path) -> Path | None:
    """Copies a video whose timestamps start again, or start nobody knows where, to one where they run on from 0.

    Nothing is encoded anew.

    Args:
        target: its suffix becomes that of the container.

    Returns:
        The copy; None, with nothing written, where the video's own clock runs on from its start.

    Raises:
        VideoError: it cannot be read.
    """
    with _opened(video) as (container, stream):
        may_jump = bool(BROKEN & set(container.format.name.split(",")))
        starts_late = container.start_time is None and _first_time(container, stream) > 0
    if starts_late or (may_jump and clock(video).jumps):
        return trim.remux(video, target)
    return None


@contextmanager
def _opened(video: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    with ffmpeg.open_video(video) as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures or pictures[0].time_base is None:
            raise VideoError(f"{video} holds no picture that can be decoded: download it again")
        for stream in container.streams:
            stream.discard = Discard.none if stream is pictures[0] else Discard.all
        yield container, pictures[0]


def _first_time(container: InputContainer, stream: VideoStream) -> int:
    """The first packet's time in ticks; 0 where it has none. FFmpeg knows no start of a .mkv with a single picture."""
    with suppress(FFmpegError):
        for packet in ffmpeg.packets(container, stream):
            return packet.pts or 0
    return 0


@functools.lru_cache(maxsize=64)
def _clock(video: Path, _size: int, _changed: int) -> Clock:
    with _opened(video) as (container, stream):
        base = stream.time_base or Fraction(1)
        start = round(Fraction(container.start_time or 0, av.time_base) / base)
        rate = stream.average_rate or stream.guessed_rate
        gap = max(_GAP, _STEPS / rate if rate else math.inf)
        keys: list[float] = []
        restarts: list[float] = []
        until, jumps, has_times = 0.0, False, True
        last: int | None = None
        try:
            for packet in ffmpeg.packets(container, stream):
                if not packet.size or packet.is_discard:
                    continue
                step = 0.0 if packet.dts is None or last is None else float((packet.dts - last) * base)
                jumps = jumps or is_restart(step) or step > gap
                if is_restart(step):
                    restarts.append(until)
                last = packet.dts if packet.dts is not None else last
                if restarts:
                    continue
                if packet.pts is None:
                    has_times = has_times and not packet.is_keyframe
                    continue
                time = float((packet.pts - start) * base)
                until = max(until, time)
                if packet.is_keyframe:
                    keys.append(max(0.0, time))
        except FFmpegError:
            pass  # what can be read is all that is decoded
    return Clock(KeyTimes(sorted(keys), until) if has_times else None, restarts, jumps)
