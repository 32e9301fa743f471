"""Timecode: how programs for editing count the frames of a video, as hh:mm:ss:ff (SMPTE 12M).

OpenTimelineIO refuses rates such as 10 or 120, and begins at 0 again after 24 hours. Up to there and at its rates, what
stands here equals OpenTimelineIO's, see the tests.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from lolhl.errors import UsageError

_NTSC = (24, 30, 48, 60, 120)  # frames a second, each times 1000/1001
_TIMECODE = re.compile(r"(\d{1,3})[:;](\d{1,2})[:;](\d{1,2})([:;.,])(\d{1,3})", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """A frame rate that programs for editing know.

    Attributes:
        frames: how many frames timecode counts to a second.
        is_ntsc: whether a second has 1000/1001 of them, as at 23.976, 29.97 and 59.94.
    """

    frames: int
    is_ntsc: bool = False

    @classmethod
    def nearest(cls, fps: Fraction) -> "Rate":
        """The rate of a video. A video whose pictures come at irregular times has an average that is no usual rate."""
        frames = max(1, round(fps))
        ntsc = cls(frames, is_ntsc=True)
        return ntsc if frames in _NTSC and abs(ntsc.fps - fps) < abs(frames - fps) else cls(frames)

    @property
    def fps(self) -> Fraction:
        return Fraction(self.frames * 1000, 1001) if self.is_ntsc else Fraction(self.frames)

    @property
    def drops(self) -> bool:
        """Whether drop-frame timecode is due: at 29.97 and 59.94 its hours are hours of the clock."""
        return self.is_ntsc and self.frames % 30 == 0

    @property
    def hour(self) -> int:
        """The frame that timecode calls 01:00:00:00, with which sequences begin."""
        return self.frame_at(3600) if self.drops else 3600 * self.frames

    def frame_at(self, seconds: float | Fraction) -> int:
        """The frame that begins nearest to this time."""
        return round(Fraction(seconds) * self.fps)

    def seconds(self, frame: int) -> Fraction:
        """When a frame begins."""
        return frame / self.fps


def format_timecode(frame: int, rate: Rate, *, drop: bool, separator: str = ":") -> str:
    """The timecode of a frame, counted from 0.

    Args:
        drop: whether the first numbers of each minute but every tenth are left out: two at 29.97, four at 59.94. Then
            the frames stand behind a semicolon.
        separator: what stands between the other parts.
    """
    if drop:
        dropped = rate.frames // 15
        of_minute = rate.frames * 60 - dropped
        tens, rest = divmod(frame, of_minute * 10 + dropped)
        frame += dropped * (9 * tens + max(0, rest - dropped) // of_minute)
    seconds, frames = divmod(frame, rate.frames)
    parts = (f"{seconds // 3600:02}", f"{seconds // 60 % 60:02}", f"{seconds % 60:02}")
    return f"{separator.join(parts)}{';' if drop else ':'}{frames:02}"


def is_timecode(text: str) -> bool:
    """Whether the text looks like timecode: four numbers."""
    return _TIMECODE.fullmatch(text.strip()) is not None


def is_drop_frame(text: str) -> bool:
    """Whether timecode is written as drop-frame, by a semicolon or a stop before the frames."""
    match = _TIMECODE.fullmatch(text.strip())
    return match is not None and match[4] in ";."


def parse_timecode(text: str, rate: Rate, *, drop: bool = False) -> int:
    """The frame that timecode names; a semicolon before the frames says that it is drop-frame.

    Args:
        drop: whether it is drop-frame without a semicolon too.

    Raises:
        UsageError: the text is no timecode, or none of this rate.
    """
    match = _TIMECODE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{text[:40]!r} is no timecode: it has to be hh:mm:ss:ff")
    hours, minutes, seconds, frames = (int(match[part]) for part in (1, 2, 3, 5))
    if minutes >= 60 or seconds >= 60 or frames >= rate.frames:
        raise UsageError(f"{text[:40]!r} is no timecode at {float(rate.fps):.6g} frames a second")
    frame = ((hours * 60 + minutes) * 60 + seconds) * rate.frames + frames
    if not rate.drops or not (drop or is_drop_frame(text)):
        return frame
    dropped = rate.frames // 15
    if seconds == 0 and frames < dropped and minutes % 10:
        raise UsageError(f"{text[:40]!r} is no drop-frame timecode: minute {minutes} begins with frame {dropped}")
    whole = hours * 60 + minutes
    return frame - dropped * (whole - whole // 10)
