"""The frame grid: instants k / fps seconds, k = 0, 1, 2 … Every frame, label and score is on it.

Frame rates are rationals (29.97 is 30000/1001) and times float64 seconds from the start of the
video, so that no rounding adds up over a stream of many hours.
"""

import math
import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl.errors import UsageError

# Hours up to a million hours, fractions down to a nanosecond: more is no time of a video.
_TIME = re.compile(
    r"(?:(?P<h>\d{1,6}):)?(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:\.\d{1,9})?)|(?P<plain>\d{1,10}(?:\.\d{1,9})?)", re.ASCII
)
_FPS = re.compile(r"\d{1,9}/\d{1,9}|\d{0,9}\.?\d{1,9}|\d{1,9}\.", re.ASCII)
SLOWEST, FASTEST = Fraction(1, 1000), Fraction(240)  # frames per second


def parse_time(text: str) -> float:
    """Seconds of a time such as "1:02:03.5", "2:03" or "123.5".

    Raises:
        UsageError: the text is no such time.
    """
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise UsageError(f"{text[:40]!r} is not a time: write h:mm:ss, h:mm:ss.fff or seconds")
    if match["plain"]:
        return float(match["plain"])
    hours, minutes, seconds = float(match["h"] or 0), int(match["m"]), float(match["s"])
    if seconds >= 60 or (match["h"] and minutes >= 60):
        raise UsageError(f"{text[:40]!r} is not a time: minutes and seconds go up to 59")
    return hours * 3600 + minutes * 60 + seconds


def format_time(seconds: float) -> str:
    """h:mm:ss.fff, rounded to the millisecond; whole seconds are written without a fraction."""
    millis = round(seconds * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, fraction = divmod(rest, 1000)
    return f"{hours}:{minutes:02}:{whole:02}" + (f".{fraction:03}" if fraction else "")


def parse_fps(text: str) -> Fraction:
    """A frame rate such as "3", "0.5", "30000/1001"; "29.97" and its like mean n·1000/1001.

    Raises:
        UsageError: the text is no rate from 0.001 to 240.
    """
    # Looked at before a number is made of it: 1e9999999 takes half a minute.
    match = _FPS.fullmatch(text.strip())
    try:
        fps = Fraction(match[0]) if match else Fraction(0)
    except ZeroDivisionError:
        fps = Fraction(0)
    if not SLOWEST <= fps <= FASTEST:
        raise UsageError(
            f"{text[:40]!r} is not a frame rate: write frames per second, as 3, 0.5 or 30000/1001, from 0.001 to 240"
        )
    return exact_fps(fps)


def exact_fps(fps: Fraction) -> Fraction:
    """The NTSC rate (n·1000/1001) that a decimal such as 29.97 or 59.94 stands for."""
    ntsc = Fraction(round(fps * 1001 / 1000) * 1000, 1001)
    is_decimal = fps.denominator in (25, 50, 100, 125, 250, 500, 1000)
    return ntsc if is_decimal and abs(ntsc - fps) < min(Fraction(1, 200), fps / 5000) else fps


def times(count: int, fps: Fraction) -> npt.NDArray[np.float64]:
    """The first `count` instants of the grid, in seconds: float64 [count]."""
    return np.arange(count, dtype=np.float64) * fps.denominator / fps.numerator


def whole_millis(seconds: float) -> float:
    """The time as a label file holds it: rounded down, so that a frame at just that instant stays on its side."""
    return math.floor(seconds * 1000 + 1e-6) / 1000


def time_of(frame: int, fps: Fraction) -> float:
    """The instant of a frame in seconds, as the greatest float that is not later: `first_frame_at` gives the frame."""
    exact = frame / fps
    seconds = float(exact)
    return seconds if Fraction(seconds) <= exact else math.nextafter(seconds, -math.inf)


def instants_in(seconds: float, fps: Fraction) -> int:
    """How many instants a video of so many seconds has. Seconds are taken as they are written: 0.1 is a tenth."""
    return first_frame_at(Fraction(str(seconds)), fps)


def first_frame_at(seconds: float | Fraction, fps: Fraction) -> int:
    """The first k with k / fps >= seconds, by exact arithmetic."""
    numerator, denominator = (
        seconds.as_integer_ratio()
    )  # a Fraction would be reduced first, which takes ten times as long
    return -(-numerator * fps.numerator // (denominator * fps.denominator))
